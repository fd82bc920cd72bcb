"""C++ jobs of the nox sessions: ctest on the host or on an emulated board, clang-tidy."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from potstill import boards
from potstill.boards import Board
from potstill.errors import BuildError
from toolchains import PROJECT, environment, tools
from toolchains.emulate.emulator import Emulator
from toolchains.programs import build, configure
from toolchains.roots import sysroot

WORK = PROJECT / ".cache" / "cpp"
_GCC_ONLY = ("-fno-tree-", "-fno-schedule-insns", "-fno-fat-lto-objects", "-flto")
# Names GCC's warnings that clang lacks; libstdc++ 12's own templates use what it deprecates.
_CLANG_ONLY = ("-Wno-unknown-warning-option", "-Wno-deprecated-declarations")
_SUFFIXES = {".cpp", ".cc", ".h"}


def sources() -> list[Path]:
    """Our C++ files."""
    return sorted(p for p in (PROJECT / "cpp").rglob("*") if p.suffix in _SUFFIXES)


def test(session: Any, words: Sequence[str]) -> None:
    """Build and run the GoogleTest programs.

    Args:
        words: ``--board NAME`` for that board's CPU under the emulator, by default natively; arguments of ctest.

    Raises:
        BuildError: an unknown board; wrong arguments.
    """
    options, rest = environment.split_options(words, ["board"])
    if "board" in options:
        test_boards(session, [boards.board(options["board"])], rest)
        return
    session.log("C++ tests on this machine")
    folder = WORK / "host"
    configure(session.run, folder, {"POTSTILL_TESTS": "ON"})
    build(session.run, folder, silent=False)
    _ctest(session, folder, {}, rest)


def test_boards(session: Any, chosen: Iterable[Board], arguments: Sequence[str] = ()) -> None:
    """Build the GoogleTest programs once a machine type; run them by ctest once a CPU and page size of `chosen`."""
    distinct = {(board.target.name, board.qemu_cpu, board.page_size): board for board in chosen}
    published = set[str]()
    for (name, cpu, page_size), board in sorted(distinct.items()):
        tools.bootstrap((*tools.for_board(board.target), *tools.CPP_TESTS), session.log)
        root = Emulator(board, sysroot.root_of(board, session.log)).root
        variables = {"POTSTILL_ROOT": str(root), "POTSTILL_BOARD_CPU": cpu, "QEMU_PAGESIZE": str(page_size)}
        session.log(f"C++ tests: {board.title} ({cpu}, emulated: times mean nothing)")
        folder = WORK / name
        configure(session.run, folder, {"POTSTILL_TESTS": "ON"}, board.target, env=variables)
        build(session.run, folder, env=variables, silent=False)
        if name not in published:
            _publish_tool(session, board, folder)
            published.add(name)
        _ctest(session, folder, variables, arguments)


def _ctest(session: Any, folder: Path, variables: dict[str, str], arguments: Sequence[str]) -> None:
    jobs = ["-j", str(os.cpu_count() or 1)]
    command = ["ctest", "--test-dir", str(folder), "--output-on-failure", "--progress", *jobs, *arguments]
    session.run(*command, external=True, env=variables)


def bench_kernels(session: Any, arguments: Sequence[str]) -> None:
    """Build and run potstill-kernel-bench on this machine; `arguments`: kernel sets and options of the benchmark."""
    folder = WORK / "bench"
    configure(session.run, folder, {"POTSTILL_TESTS": "OFF", "POTSTILL_BENCHMARKS": "ON"})
    build(session.run, folder, "potstill-kernel-bench")
    session.run(str(folder / "cpp" / "potstill-kernel-bench"), *arguments, external=True)


def _publish_tool(session: Any, board: Board, folder: Path) -> None:
    """dist/potstill-run-<machine>: the runtime for boards without Python."""
    target = PROJECT / "dist" / f"potstill-run-{board.target.wheel}"
    target.parent.mkdir(exist_ok=True)
    shutil.copy2(folder / "cpp" / "potstill-run", target)
    session.log(f"{target.relative_to(PROJECT)}: {target.stat().st_size / 1e6:.2f} MB, needs libstdc++6 and libgomp1")


def clang_command(command: str, omp: Path) -> str:
    """A GCC command line as clang-tidy can read it: without GCC's own options, with a place for omp.h."""
    words = [word for word in shlex.split(command) if not word.startswith(_GCC_ONLY)]
    return shlex.join([*words, "-isystem", str(omp), *_CLANG_ONLY])


def _database(session: Any, folder: Path) -> list[dict[str, str]]:
    """Configure a build for clang-tidy and return its compile commands, rewritten, for files of the core."""
    pybind = session.run("python", "-m", "pybind11", "--cmakedir", silent=True, log=False).strip()
    parts = {"POTSTILL_TESTS": "ON", "POTSTILL_PYTHON": "ON", "pybind11_DIR": pybind}
    configure(session.run, folder, {**parts, "CMAKE_EXPORT_COMPILE_COMMANDS": "ON"})
    build(session.run, folder, "potstill_schema_cpp")
    # clang-tidy's package has no omp.h. GCC's is taken alone, since its folder would bring GCC's intrinsics, and
    # without the arguments of __malloc__, which clang does not know.
    headers = session.run("g++", "-print-file-name=include", external=True, silent=True, log=False).strip()
    omp = folder / "omp"
    omp.mkdir(exist_ok=True)
    text = (Path(headers) / "omp.h").read_text(encoding="utf-8")
    (omp / "omp.h").write_text(re.sub(r"__malloc__ \([^)]*\)", "__malloc__", text), encoding="utf-8")
    entries = json.loads((folder / "compile_commands.json").read_text(encoding="utf-8"))
    # Not the tests: GoogleTest's macros double the time, and the compiler's warnings are errors there too.
    ours = (str(PROJECT / "cpp"), str(folder / "cpp" / "generated" / "kernels"))  # simd/ is compiled for each set
    core = [e for e in entries if e["file"].startswith(ours) and "/tests/" not in e["file"]]
    return [{**e, "command": clang_command(e["command"], omp)} for e in core]


def tidy(session: Any) -> None:
    """clang-tidy on every C++ file of the core that changed since it was last found clean.

    Raises:
        BuildError: with clang-tidy's findings.
    """
    folder = WORK / "tidy"
    entries = _database(session, folder)
    database, clean = folder / "database", folder / "clean"
    database.mkdir(exist_ok=True)
    clean.mkdir(exist_ok=True)
    (database / "compile_commands.json").write_text(json.dumps(entries), encoding="utf-8")
    program = str(Path(session.bin) / "clang-tidy")
    common = hashlib.sha256((PROJECT / ".clang-tidy").read_bytes())
    for path in (*sources(), *sorted((PROJECT / "cpp").rglob("*.def"))):
        if path.suffix != ".cpp" or path.parent.name == "simd":  # what others include
            common.update(path.read_bytes())

    def check(entry: dict[str, str]) -> str:
        state = common.copy()
        state.update(entry["command"].encode() + Path(entry["file"]).read_bytes())
        mark = clean / state.hexdigest()
        if mark.exists():
            return ""
        command = [program, "-p", str(database), "--quiet", entry["file"]]
        done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
        if done.returncode == 0:
            mark.touch()
            return ""
        return done.stdout.strip() or done.stderr.strip()

    session.log(f"clang-tidy: {len(entries)} files (5 s each the first time)")
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        findings = [text for text in pool.map(check, entries) if text]
    if findings:
        text = "\n".join(findings)
        raise BuildError("B018", f"clang-tidy has findings in {len(findings)} files:\n{text}\n", "cpp", "fix them")
