"""The session ``package``: libpotstill and potstill-run as .tar.gz and .deb, checked the way their users would.

For each machine: build, pack twice (an archive with lib/, a .deb with Debian's lib/TRIPLE/), audit both, unpack, build
cpp/examples against them by find_package and by pkg-config, shared and static, and run everything on a model. A
cross-built package runs on an emulated board, with the .deb unpacked into the board's root; its logits must be the
host's, bit by bit.
"""

from __future__ import annotations

import gzip
import json
import os
import shlex
import shutil
import struct
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from potstill import boards
from potstill.errors import BuildError
from potstill.work.atomic import atomic_write
from toolchains import PROJECT
from toolchains.emulate import jobs as board_jobs
from toolchains.emulate.emulator import Emulator
from toolchains.goals import DIST, Goal, board_goal, host_goal
from toolchains.programs import build, configure, output
from toolchains.roots import sysroot
from toolchains.wheels import jobs as wheel_jobs

WORK = PROJECT / ".cache" / "package"
EXAMPLES = Path("share/doc/potstill/examples")  # below the prefix
STRICT = ("-Wall", "-Wextra", "-Wpedantic", "-Werror")
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
        BuildError: naming program and text.
    """
    if len(found) != len(wanted):
        raise BuildError("B025", f"{len(found)} answers, not {len(wanted)}", what, "run the program by hand")
    for number, (one, other) in enumerate(zip(found, wanted, strict=True)):
        if one != (other if isinstance(one, Answer) else other.logits):
            what = f"{what}, text {number}"
            raise BuildError("B025", f"{one!r} instead of {other!r}", what, "the bits must be equal")


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


def goals_of(names: str) -> list[Goal]:
    """What ``--board pi4,pi4-32,host`` asks for: a package of each one's machine, tried there.

    Raises:
        BuildError: an unknown board.
    """
    return [host_goal() if n == "host" else board_goal(boards.board(n)) for n in names.split(",")]


def tools_of(goals: Sequence[Goal]) -> list[str]:
    """What `package` needs from Debian packages."""
    needed = {tool for goal in goals for tool in wheel_jobs.tools_of(goal.name)}
    return sorted(needed | {"dpkg-deb", "pkg-config"})


class _Packager:
    """The package of one machine."""

    def __init__(self, session: Any, goal: Goal) -> None:
        self.session, self.goal, self.target = session, goal, goal.target
        self.work = WORK / (goal.target.name if goal.board else "host")
        self.folder = self.work / "build"
        self.cross = self.target if goal.board else None

    def _configure(self, libdir: str) -> None:
        settings = {"POTSTILL_TESTS": "OFF", "POTSTILL_OPENMP": "OFF", "POTSTILL_POOL": "threads"}
        install = {"CMAKE_INSTALL_PREFIX": "/usr", "CMAKE_INSTALL_LIBDIR": libdir}
        configure(self.session.run, self.folder, {**settings, **install}, self.cross)

    def _audit(self, *arguments: str | Path, silent: bool = False) -> str:
        goal = self.goal.board.name if self.goal.board else "host"
        command = ["python", "-m", "toolchains.audit.package", goal, *map(str, arguments)]
        return str(self.session.run(*command, silent=silent) or "").strip()

    def _pack(self, generator: str, pattern: str, *settings: str) -> Path:
        out = self.work / "out"
        shutil.rmtree(out, ignore_errors=True)
        command = ["cpack", "-G", generator, "--config", "CPackConfig.cmake", "-B", str(out), *settings]
        with self.session.chdir(self.folder):
            epoch = os.environ.get("SOURCE_DATE_EPOCH", _EPOCH)
            self.session.run(*command, external=True, silent=True, env={"SOURCE_DATE_EPOCH": epoch})
        made = sorted(out.glob(pattern))
        if len(made) != 1:
            raise BuildError("B033", f"{len(made)} packages instead of one", str(out), "see CPack's messages")
        with atomic_write(DIST / made[0].name) as partial:
            if made[0].suffix == ".gz":
                repack(made[0], partial)
            else:
                shutil.copyfile(made[0], partial)
        return DIST / made[0].name

    def package(self) -> tuple[Path, Path]:
        """The .tar.gz and the .deb in dist/, audited."""
        self._configure(f"lib/{self.target.triple}")
        build(self.session.run, self.folder, silent=False)
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
        place = self.work / "unpacked"
        shutil.rmtree(place, ignore_errors=True)
        with tarfile.open(archive) as opened:
            opened.extractall(place, filter="data")
        return next(place.iterdir())

    def examples(self, prefix: Path) -> list[Path]:
        """The package's own examples in C and C++, built against it as a user would, in every way."""
        return [
            *self._by_cmake(prefix, "shared"), *self._by_cmake(prefix, "static"),
            *self._by_pkg_config(prefix, "shared"), *self._by_pkg_config(prefix, "static"),
        ]  # fmt: skip

    def _by_cmake(self, prefix: Path, kind: str) -> list[Path]:
        folder = self.work / f"find_package-{kind}"
        shutil.rmtree(folder, ignore_errors=True)
        settings = {"CMAKE_PREFIX_PATH": str(prefix), "BUILD_SHARED_LIBS": "ON" if kind == "shared" else "OFF"}
        if self.cross:  # the board's loader must find the installed library by itself
            settings["CMAKE_SKIP_RPATH"] = "ON"
        strict = {"CFLAGS": " ".join(STRICT), "CXXFLAGS": " ".join(STRICT)}
        configure(self.session.run, folder, settings, self.cross, source=prefix / EXAMPLES, env=strict)
        build(self.session.run, folder)
        return [folder / "classify", folder / "classify-c"]

    def _by_pkg_config(self, prefix: Path, kind: str) -> list[Path]:
        """static: the whole program, C library included, with what potstill.pc names as private libraries."""
        folder = self.work / f"pkg-config-{kind}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        asked = ["--cflags", "--libs", *(["--static"] if kind == "static" else [])]
        search = {"PKG_CONFIG_LIBDIR": str(prefix / "lib" / "pkgconfig")}
        flags = shlex.split(_output(["pkg-config", *asked, "potstill"], search))
        if kind == "static":
            flags.insert(0, "-static")
        elif self.cross is None:
            flags.append(f"-Wl,-rpath,{prefix / 'lib'}")
        cross = f"{self.target.triple}-" if self.cross else ""
        made = []
        for compiler, standard, source in (("g++", "c++20", "classify.cpp"), ("gcc", "c99", "classify.c")):
            made.append(folder / ("classify-c" if source.endswith(".c") else "classify"))
            command = [cross + compiler, f"-std={standard}", "-O2", *STRICT, "-o", str(made[-1])]
            self.session.run(*command, str(prefix / EXAMPLES / source), *flags, external=True, silent=True)
        return made


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
    """The model asked for, or a random one."""
    if "model" not in options:
        return board_jobs.random_models(session)[0]
    asked = Path(options["model"]).resolve()
    if not asked.is_file():
        raise BuildError("B017", "no such model", str(asked), "leave --model out for a random one")
    return asked


def _output(command: Sequence[str], variables: Mapping[str, str] | None = None) -> str:
    return output(command, "B025", command[0], "run it by hand", env={**os.environ, **(variables or {})})


def _try(session: Any, packager: _Packager, archive: Path, deb: Path, model: Path) -> None:
    """Build the examples, and run them and potstill-run where the package belongs."""
    wanted = _reference(session, model)
    prefix = packager.unpack(archive)
    programs = packager.examples(prefix)
    tool, where, board = str(prefix / "bin" / "potstill-run"), "this machine", packager.goal.board
    emulator = None
    if board is not None:
        # A root of its own, so that the other sessions' boards stay as they are.
        emulator = Emulator(board, sysroot.root_of(board, session.log), WORK / "boards")
        subprocess.run(["dpkg-deb", "-x", deb, emulator.root], check=True)
        tool, where = "/usr/bin/potstill-run", f"{board.title}, emulated"

    def run(*words: str) -> str:
        return emulator.run(emulator.command(*words)) if emulator else _output(words)

    for program in programs:
        name = f"{program.parent.name}/{program.name} on {where}"
        compare(name, read_example(run(str(program), str(model), *TEXTS)), wanted)
    compare(f"potstill-run on {where}", read_hex(run(tool, str(model), "--logits-hex", *TEXTS)), wanted)
    system = json.loads(run(tool, "--system", "--json"))
    if board is not None and system["kernel_set"] != (best := board.kernels[0]):
        raise BuildError("B025", f"kernel set {system['kernel_set']}, not {best}", where, "see cpp/src/cpu/detect.cpp")
    session.log(f"{where}: {len(programs)} examples and potstill-run ({system['kernel_set']}) give the host's bits")


def package(session: Any, goals: Sequence[Goal], options: Mapping[str, str]) -> None:
    """The session's work; `options`: model."""
    model = _model(session, options)
    for goal in goals:
        packager = _Packager(session, goal)
        archive, deb = packager.package()
        _try(session, packager, archive, deb, model)
