"""The session ``package``: libpotstill and potstill-run as .tar.gz and .deb, checked by who would use them.

For each target: build, pack twice (an archive with lib/, a .deb with Debian's lib/TRIPLE/), audit both, unpack, build
cpp/examples against them with find_package, shared and static, and run everything on a model. A cross-built package
runs on an emulated board, where the .deb is unpacked into the board's root; its logits must be the host's, bit by bit.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
import struct
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolchains import boards, sysroot, tools, wheels
from toolchains.emulate import Emulator
from toolchains.failures import PROJECT, build_error

WORK = PROJECT / ".cache" / "package"
DIST = PROJECT / "dist"
TOOLS = {"host": tools.NATIVE, "aarch64": tools.AARCH64, "armv7l": tools.ARMV7L}
BOARDS = {"aarch64": "pi4", "armv7l": "pi4-32"}
TEXTS = ("a b c", "turn the light on", "i j d z", "k", "what a day")
# Of every file in a package: two builds of the same sources give the same bytes. 2026-01-01.
_EPOCH = "1767225600"


@dataclass(frozen=True)
class Answer:
    """What a program says of one text: the label, and the bytes of its float32 logits."""

    label: str
    logits: bytes


def read_example(text: str) -> list[Answer]:
    """Output of classify: ``label <tab> logit <tab> ...`` with nine digits, which name one float32 each."""
    answers = []
    for line in text.splitlines():
        label, *numbers = line.split("\t")
        answers.append(Answer(label, struct.pack(f"<{len(numbers)}f", *map(float, numbers))))
    return answers


def read_hex(text: str) -> list[bytes]:
    """Output of ``potstill-run --logits-hex``."""
    return [b"".join(struct.pack("<I", int(word, 16)) for word in line.split()) for line in text.splitlines()]


def compare(what: str, found: Sequence[Answer | bytes], wanted: Sequence[Answer]) -> None:
    """Same labels and same bits.

    Raises:
        BuildError: B041, naming program and text.
    """
    if len(found) != len(wanted):
        raise build_error("B041", f"{len(found)} answers, not {len(wanted)}", what, "run the program by hand")
    for number, (one, other) in enumerate(zip(found, wanted, strict=True)):
        if one != (other if isinstance(one, Answer) else other.logits):
            raise build_error(
                "B041", f"{one!r} instead of {other!r}", f"{what}, text {number}", "the bits must be equal"
            )


def _goal(name: str) -> wheels.Goal:
    return wheels.host_goal() if name == "host" else wheels.board_goal(boards.board(BOARDS[name]))


def repack(archive: Path, out: Path) -> None:
    """Write a .tar.gz again with its members sorted and owned by root: CPack leaves them as the disk gives them."""
    with (
        tarfile.open(archive) as opened,
        out.open("wb") as raw,
        gzip.GzipFile("", "wb", 9, raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w") as made,
    ):
        for member in sorted(opened.getmembers(), key=lambda one: one.name):
            member.uid = member.gid = 0
            member.uname = member.gname = "root"
            made.addfile(member, opened.extractfile(member) if member.isfile() else None)


def targets_of(options: Mapping[str, str]) -> list[tuple[str, str | None]]:
    """Targets and the board each is tried on, None for none: from ``--target A,B`` and ``--board NAME|none``.

    Raises:
        BuildError: B016 an unknown target, or a board of another machine.
    """
    names = options.get("target", "aarch64").split(",")
    for name in names:
        if name not in TOOLS:
            raise build_error("B016", f"unknown target {name!r}", "--target", f"use some of {','.join(TOOLS)}")
    asked = options.get("board")
    if asked is None or asked == "none":
        return [(name, BOARDS.get(name) if asked is None else None) for name in names]
    machine = boards.board(asked).target.name
    if machine not in names:
        raise build_error("B016", f"{asked} is of the machine {machine}", "--board", f"add --target {machine}")
    return [(name, asked if name == machine else None) for name in names]


class _Packager:
    """One target's package."""

    def __init__(self, session: Any, name: str) -> None:
        self.session, self.name = session, name
        self.goal = _goal(name)
        self.target = self.goal.target
        self.folder = WORK / name / "build"
        self.toolchain = (
            [f"-DCMAKE_TOOLCHAIN_FILE={PROJECT / 'toolchains' / self.target.toolchain}"] if self.goal.board else []
        )

    def _configure(self, libdir: str) -> None:
        options = ["-DCMAKE_BUILD_TYPE=Release", "-DPOTSTILL_TESTS=OFF", "-DPOTSTILL_OPENMP=OFF"]
        options += ["-DPOTSTILL_POOL=threads", "-DCMAKE_INSTALL_PREFIX=/usr", f"-DCMAKE_INSTALL_LIBDIR={libdir}"]
        command = ["cmake", "-S", str(PROJECT), "-B", str(self.folder), "-G", "Ninja", *options, *self.toolchain]
        self.session.run(*command, external=True, silent=True)

    def _audit(self, *arguments: str | Path, silent: bool = False) -> str:
        goal = self.goal.board.name if self.goal.board else "host"
        command = ["python", "-m", "toolchains.package_audit", goal, *map(str, arguments)]
        return str(self.session.run(*command, silent=silent) or "").strip()

    def _pack(self, generator: str, pattern: str, *settings: str) -> Path:
        out = WORK / self.name / "out"
        shutil.rmtree(out, ignore_errors=True)
        command = ["cpack", "-G", generator, "--config", "CPackConfig.cmake", "-B", str(out), *settings]
        with self.session.chdir(self.folder):
            epoch = os.environ.get("SOURCE_DATE_EPOCH", _EPOCH)
            self.session.run(*command, external=True, silent=True, env={"SOURCE_DATE_EPOCH": epoch})
        made = sorted(out.glob(pattern))
        if len(made) != 1:
            raise build_error("B040", f"{len(made)} packages instead of one", str(out), "see CPack's messages")
        DIST.mkdir(exist_ok=True)
        partial = DIST / f".tmp-{os.getpid()}-{made[0].name}"
        if made[0].suffix == ".gz":
            repack(made[0], partial)
        else:
            shutil.copyfile(made[0], partial)
        return partial.replace(DIST / made[0].name)

    def build(self) -> tuple[Path, Path]:
        """The .tar.gz and the .deb in dist/, audited."""
        self._configure(f"lib/{self.target.triple}")
        self.session.run("cmake", "--build", str(self.folder), external=True)
        library = self.folder / "cpp" / "libpotstill.so.0"
        depends = self._audit("--depends", library, self.folder / "cpp" / "potstill-run", silent=True)
        deb = self._pack("DEB", "*.deb", "-D", f"CPACK_DEBIAN_PACKAGE_DEPENDS={depends}")
        self._configure("lib")  # another layout of the same files: nothing is compiled again
        archive = self._pack("TGZ", "*.tar.gz")
        self._audit(archive, deb, "--objects", self.folder)
        self.session.log(f"{deb.name}: Depends: {depends}")
        return archive, deb

    def unpack(self, archive: Path) -> Path:
        """The .tar.gz unpacked; its prefix."""
        place = WORK / self.name / "unpacked"
        shutil.rmtree(place, ignore_errors=True)
        with tarfile.open(archive) as opened:
            opened.extractall(place, filter="data")
        return next(place.iterdir())

    def examples(self, prefix: Path, kind: str) -> list[Path]:
        """The programs of the package's own examples folder, built with find_package against its library."""
        folder = WORK / self.name / f"examples-{kind}"
        shutil.rmtree(folder, ignore_errors=True)
        source = prefix / "share" / "doc" / "potstill" / "examples"
        options = ["-DCMAKE_BUILD_TYPE=Release", f"-DCMAKE_PREFIX_PATH={prefix}", *self.toolchain]
        options += [f"-DBUILD_SHARED_LIBS={'ON' if kind == 'shared' else 'OFF'}"]
        strict = "-Wall -Wextra -Wpedantic -Werror"
        if self.goal.board:  # the board's loader must find the installed library by itself
            options.append("-DCMAKE_SKIP_RPATH=ON")
        command = ["cmake", "-S", str(source), "-B", str(folder), "-G", "Ninja", *options]
        self.session.run(*command, external=True, silent=True, env={"CFLAGS": strict, "CXXFLAGS": strict})
        self.session.run("cmake", "--build", str(folder), external=True, silent=True)
        return [folder / "classify", folder / "classify-c"]


def _reference(session: Any, model: Path) -> list[Answer]:
    """What the host's Python package says."""
    code = (
        "import json, sys, potstill\nm = potstill.load(sys.argv[1])\nfor text in sys.argv[2:]:\n"
        "    print(m.classify([text])[0].label, bytes(memoryview(m.logits([text]))).hex(), sep='\\t')"
    )
    text = session.run("python", "-c", code, str(model), *TEXTS, silent=True)
    pairs = (line.split("\t") for line in str(text).splitlines() if "\t" in line)
    return [Answer(label, bytes.fromhex(numbers)) for label, numbers in pairs]


def _model(session: Any, options: Mapping[str, str]) -> Path:
    """The model asked for, or the tiny one of the tests."""
    if "model" in options:
        asked = Path(options["model"]).resolve()
        if not asked.is_file():
            raise build_error("B017", "no such model", str(asked), "leave --model out for a tiny one")
        return asked
    made = WORK / "tiny.still"
    made.parent.mkdir(parents=True, exist_ok=True)
    code = "import pathlib, sys, tiny_still; tiny_still.write_model(pathlib.Path(sys.argv[1]))"
    session.run("python", "-c", code, str(made), env={"PYTHONPATH": str(PROJECT / "tests" / "runtime")})
    return made


def _output(command: Sequence[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise build_error(
            "B041", f"status {done.returncode}: {done.stderr.strip()[-300:]}", command[0], "run it by hand"
        )
    return done.stdout


def _try(session: Any, packager: _Packager, archive: Path, deb: Path, board: str | None, model: Path) -> None:
    """Build the examples, and run them and potstill-run where the package belongs."""
    wanted = _reference(session, model)
    prefix = packager.unpack(archive)
    programs = [program for kind in ("shared", "static") for program in packager.examples(prefix, kind)]
    arguments = [str(model), *TEXTS]
    if packager.goal.board is not None and board is None:
        session.log(f"{packager.name}: built and linked, not run (--board none)")
        return
    tool, where, emulator = str(prefix / "bin" / "potstill-run"), "this machine", None
    if board is not None:
        emulator = Emulator(boards.board(board), sysroot.root_of(boards.board(board), session.log))
        subprocess.run(["dpkg-deb", "-x", deb, emulator.root], check=True)
        tool, where = "/usr/bin/potstill-run", f"{emulator.board.title}, emulated"

    def run(*words: str) -> str:
        return emulator.run(emulator.command(*words)).stdout if emulator else _output(words)

    for program in programs:
        name = f"{program.parent.name}/{program.name} on {where}"
        compare(name, read_example(run(str(program), *arguments)), wanted)
    compare(f"potstill-run on {where}", read_hex(run(tool, str(model), "--logits-hex", *TEXTS)), wanted)
    system = json.loads(run(tool, "--system", "--json"))
    if board is not None and system["kernel_set"] != (best := (boards.board(board).kernels or ("reference",))[-1]):
        raise build_error("B041", f"kernel set {system['kernel_set']}, not {best}", where, "see cpp/src/cpu/detect.cpp")
    session.log(f"{where}: {len(programs)} programs and potstill-run ({system['kernel_set']}) give the host's bits")


def package(session: Any, options: Mapping[str, str]) -> None:
    """The whole session; `options`: target, board, model."""
    wanted = targets_of(options)
    model = _model(session, options)
    for name, board in wanted:
        packager = _Packager(session, name)
        archive, deb = packager.build()
        _try(session, packager, archive, deb, board, model)
