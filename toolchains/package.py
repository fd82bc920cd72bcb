"""``nox -s package``: the C and C++ package of a machine type, and its examples built against it and run.

Library, headers, CMake package, potstill-run and examples as .tar.gz and .deb in dist/. The examples are then built as
a user would build them, from the unpacked .deb by find_package, and run (on an emulated board for a cross build).
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from toolchains import board_jobs, sysroot, tools
from toolchains.boards import Board, glibc_version
from toolchains.emulate import Emulator
from toolchains.failures import PROJECT, build_error
from toolchains.wheel_jobs import tools_of

WORK = PROJECT / ".cache" / "package"
DIST = PROJECT / "dist"
LARGEST = 6_000_000  # of the .deb; a static library of 10 kernel sets is 1 MB packed
TEXTS = ("A warm, funny film with a wonderful cast.", "Two hours of my life that I will never get back.")


def any_model() -> Path | None:
    """A model with a tokenizer that another session made: the pipeline's, else one of the emulated boards'."""
    made = [board_jobs.MODEL, *board_jobs.WORK.glob("*/model.int8.still")]
    return next((path for path in made if path.is_file()), None)


def _run(session: Any, command: Sequence[str], variables: dict[str, str] | None = None) -> None:
    session.run(*command, external=True, env=variables or {}, silent=True)


def needed_glibc(listing: str) -> tuple[int, int]:
    """Newest glibc of the symbols in what ``objdump -T`` prints; (0, 0) for none."""
    words = {word.strip("()") for line in listing.splitlines() for word in line.split()}
    return max((glibc_version(word[6:]) for word in words if word.startswith("GLIBC_2.") and word.count(".") == 1),
               default=(0, 0))  # fmt: skip


def depends(glibc: tuple[int, int]) -> str:
    """The Debian package's Depends line; the development files need the compiler's libraries, a program these two."""
    return f"libc6 (>= {glibc[0]}.{glibc[1]}), libstdc++6 (>= 12)"


def build(session: Any, board: Board | None, model: Path | None) -> list[Path]:
    """Build the packages of `board`'s machine type (None: this machine's), check and try them.

    Args:
        model: a .still file with a tokenizer and labels for the examples; None: they are built, not run.

    Returns:
        The files in dist/.

    Raises:
        BuildError: B024 what is wrong with the package, B025 an example's answer is not potstill-run's.
    """
    name = board.target.name if board else "host"
    tools.bootstrap((*(tools_of(name) if board else tools.NATIVE), "dpkg-deb"), session.log)
    emulator = Emulator(board, sysroot.root_of(board, session.log)) if board else None
    folder = WORK / name
    variables = {}
    options = ["-DCMAKE_BUILD_TYPE=Release", "-DPOTSTILL_TESTS=OFF", "-DPOTSTILL_OPENMP=OFF"]
    options.append("-DCMAKE_INSTALL_LIBDIR=lib")  # not lib/aarch64-linux-gnu: find_package looks in lib on every host
    if board and emulator:
        options.append(f"-DCMAKE_TOOLCHAIN_FILE={PROJECT / 'toolchains' / board.target.toolchain}")
        variables = {"POTSTILL_ROOT": str(emulator.root), "POTSTILL_BOARD_CPU": board.qemu_cpu}
        options.append(f"-DPOTSTILL_DEBIAN_ARCH={board.target.debian}")
    _run(session, ["cmake", "-S", str(PROJECT), "-B", str(folder), "-G", "Ninja", *options], variables)
    _run(session, ["cmake", "--build", str(folder)], variables)
    objdump = f"{board.target.triple}-objdump" if board else "objdump"
    listing = _output([objdump, "-T", str(folder / "cpp" / "potstill-run")])
    _run(session, ["cmake", f"-DPOTSTILL_DEBIAN_DEPENDS={depends(needed_glibc(listing))}", str(folder)], variables)
    packed = folder / "packed"
    shutil.rmtree(packed, ignore_errors=True)
    stamp = {"SOURCE_DATE_EPOCH": "1577836800"}  # times inside the archives: the same sources give the same bytes
    _run(session, ["cpack", "--config", str(folder / "CPackConfig.cmake"), "-B", str(packed)], {**variables, **stamp})
    made = sorted([*packed.glob("*.deb"), *packed.glob("*.tar.gz")])
    if len(made) != 2:
        raise build_error("B024", f"{len(made)} files instead of two", str(packed), "see CPack's messages")
    (debian,) = packed.glob("*.deb")
    unpacked = folder / "unpacked"
    shutil.rmtree(unpacked, ignore_errors=True)
    unpacked.mkdir(parents=True)
    _run(session, ["dpkg-deb", "-x", str(debian), str(unpacked)])
    check(debian, unpacked, board)
    _try(session, board, emulator, unpacked / "usr", folder / "examples", model, variables)
    DIST.mkdir(exist_ok=True)
    final = []
    for path in made:
        shutil.copy2(path, DIST / path.name)
        final.append(DIST / path.name)
        session.log(f"dist/{path.name}: {path.stat().st_size / 1e6:.2f} MB")
    return final


def check(debian: Path, unpacked: Path, board: Board | None) -> None:
    """Contents, architecture, size, and that the program asks for no OpenMP.

    Raises:
        BuildError: B024.
    """
    wanted = (
        "usr/lib/libpotstill.a", "usr/bin/potstill-run", "usr/include/potstill/potstill.h",
        "usr/include/potstill/model.hpp", "usr/lib/cmake/potstill/potstill-config.cmake",
        "usr/share/potstill/examples/classify.cpp", "usr/share/doc/potstill/copyright",
    )  # fmt: skip
    absent = [name for name in wanted if not (unpacked / name).is_file()]
    if absent:
        raise build_error("B024", f"not in the package: {', '.join(absent)}", debian.name, "report this")
    if debian.stat().st_size > LARGEST:
        raise build_error("B024", f"{debian.stat().st_size} bytes, {LARGEST} allowed", debian.name, "see what grew")
    if board and (told := _output(["dpkg-deb", "-f", str(debian), "Architecture"])) != board.target.debian:
        raise build_error("B024", f"architecture {told}, not {board.target.debian}", debian.name, "report this")
    if b"libgomp" in (unpacked / "usr/bin/potstill-run").read_bytes():
        raise build_error("B024", "potstill-run needs libgomp", debian.name, "build with POTSTILL_OPENMP=OFF")


def _output(command: Sequence[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise build_error("B024", f"status {done.returncode}: {done.stderr.strip()[-300:]}", command[0], "report this")
    return done.stdout.strip()


def _try(
    session: Any, board: Board | None, emulator: Emulator | None, prefix: Path, folder: Path, model: Path | None,
    variables: dict[str, str],
) -> None:  # fmt: skip
    """Build the package's own examples from the unpacked package and compare their answers with potstill-run's."""
    shutil.rmtree(folder, ignore_errors=True)
    configure = ["cmake", "-S", str(prefix / "share/potstill/examples"), "-B", str(folder), "-G", "Ninja"]
    options = [f"-DCMAKE_PREFIX_PATH={prefix}", f"-DCMAKE_FIND_ROOT_PATH={prefix}", "-DCMAKE_BUILD_TYPE=Release"]
    if board:
        options.append(f"-DCMAKE_TOOLCHAIN_FILE={PROJECT / 'toolchains' / board.target.toolchain}")
    _run(session, [*configure, *options], variables)
    _run(session, ["cmake", "--build", str(folder)], variables)
    if model is None:
        session.log("examples: built with find_package; not run, no model given")
        return
    words = [str(model), *TEXTS]

    def answer(program: Path) -> list[str]:
        """Labels, one a text."""
        if emulator is not None:
            out = emulator.run(emulator.command(program, *words)).stdout
        else:
            out = _output([str(program), *words])
        return [line.split("\t")[0] for line in out.splitlines()]

    expected = answer(prefix / "bin/potstill-run")
    for name in ("classify", "classify_c"):
        if (found := answer(folder / name)) != expected or len(found) != len(TEXTS):
            raise build_error("B025", f"{name} says {found}, potstill-run {expected}", str(model), "report this")
    where = f"{board.title}, emulated: times mean nothing" if board else "this machine"
    session.log(f"examples in C and C++ built with find_package and run ({where}): {', '.join(expected)}")
