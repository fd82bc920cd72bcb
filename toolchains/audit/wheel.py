"""Wheel audit: name, ELF files, glibc floor, size and instructions must all tell the same story.

It refuses what users of other runtimes run into on a Pi: a wheel labelled for one machine that holds another's code, a
wrong C library floor, instructions that the board lacks.

The wheel file alone is enough, even someone else's. With the objects it was linked from, the audit names functions.
"""

from __future__ import annotations

import argparse
import email
import re
import sys
import tempfile
import zipfile
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

from potstill.boards import Target, glibc_version
from potstill.errors import BuildError, PotstillError
from toolchains.audit import contents, elf
from toolchains.audit.instructions import problems_of_library, problems_of_objects
from toolchains.goals import goal_of, native

ENTRY_POINT = re.compile(r"^\[console_scripts\]\n(.*\n)*?potstill\s*=\s*potstill\.cli:main$", re.MULTILINE)


@dataclass
class Audit:
    """What was found in one wheel."""

    wheel: str
    unpacked: int = 0
    glibc: str = "none"
    tag: str = "none"
    libraries: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def line(self) -> str:
        """One line for people."""
        return (
            f"{self.wheel}: {self.unpacked / 1e6:.2f} MB unpacked, needs glibc {self.glibc} (tag {self.tag}), "
            f"{', '.join(self.libraries)}: {'; '.join(self.problems) or 'OK'}"
        )


def _check_library(name: str, path: Path, target: Target, python: str, report: Audit) -> tuple[int, ...]:
    """Check one shared library of the wheel; returns its glibc need."""
    short = PurePosixPath(name).name
    with path.open("rb") as stream:
        try:
            file = ELFFile(stream)
        except ELFError:
            report.problems.append(f"{short} is not an ELF file")
            return (0, 0)
        if ".cpython-" in short and f".cpython-{python}-{target.triple}." not in short:
            report.problems.append(f"the suffix of {short} does not fit cp{python} on {target.wheel}")
        found = [*elf.problems_of(short, file, target), *(f"{short}: {p}" for p in problems_of_library(path, file))]
        # auditwheel's copies of system libraries keep their symbols.
        report.problems += [p for p in found if "potstill.libs" not in name or p != f"{short} is not stripped"]
        report.libraries.append(short)
        return elf.needed_versions(file).get("GLIBC", (0, 0))[:2]


def audit_wheel(wheel: Path, target: Target, glibc_limit: str, *, board: bool = False) -> Audit:
    """Check one wheel file.

    Args:
        wheel: the repaired wheel (manylinux tag).
        target: the machine type it must be for.
        glibc_limit: glibc of the oldest system it must run on, e.g. ``"2.36"``.
        board: whether it is a board's, which only runs models.

    Returns:
        The report; ``problems`` is empty for a good wheel. Never raises for a bad one.
    """
    report = Audit(wheel.name)
    python, abi, platforms = wheel.name.removesuffix(".whl").split("-")[-3:]
    if any(not platform.endswith(target.wheel) for platform in platforms.split(".")):
        report.problems.append(f"platform tag {platforms} is not for {target.wheel}")
    tagged = [(int(m[0]), int(m[1])) for m in re.findall(r"manylinux_(\d+)_(\d+)", platforms)]
    floor = max(tagged, default=None)
    with zipfile.ZipFile(wheel) as archive, tempfile.TemporaryDirectory() as folder:
        report.unpacked = sum(info.file_size for info in archive.infolist())
        libraries = [n for n in archive.namelist() if ".so" in PurePosixPath(n).name]
        own = [n for n in libraries if ".cpython-" in n]
        extracted = [(n, Path(archive.extract(n, folder))) for n in libraries]
        needs = [_check_library(n, path, target, python.removeprefix("cp"), report) for n, path in extracted]
        _check_metadata(archive, f"{python}-{abi}-", platforms, report)
        report.problems += contents.problems_of(archive, Path(folder) / "alone", board=board)
    if len(own) != 1:
        report.problems.append(f"{len(own)} extension modules, one expected")
    top = max(needs, default=(0, 0))
    report.glibc = ".".join(map(str, top))
    if floor is None:
        report.problems.append("no manylinux tag")
    else:
        report.tag = ".".join(map(str, floor))
        if top > floor:
            report.problems.append(f"needs glibc {report.glibc}, above its tag {report.tag}")
        if floor > glibc_version(glibc_limit):
            report.problems.append(f"tag {report.tag} is above the boards' glibc {glibc_limit}")
    limit = contents.BOARD_LIMIT if board else contents.WHOLE_LIMIT
    if report.unpacked > limit:
        report.problems.append(f"{report.unpacked} bytes unpacked, limit {limit}")
    return report


def _check_metadata(archive: zipfile.ZipFile, prefix: str, platforms: str, report: Audit) -> None:
    """METADATA requires nothing; WHEEL's tags equal the file name's; the command is there."""
    names = archive.namelist()
    inside = {n.partition(".dist-info/")[2]: archive.read(n) for n in names if ".dist-info/" in n}
    for requirement in email.message_from_bytes(inside.get("METADATA", b"")).get_all("Requires-Dist") or []:
        if not re.search(r"\bextra\s*==", requirement):
            report.problems.append(f"requires {requirement}")
    tags = set(email.message_from_bytes(inside.get("WHEEL", b"")).get_all("Tag") or [])
    if tags != {prefix + platform for platform in platforms.split(".")}:
        report.problems.append(f"tags inside ({', '.join(sorted(tags))}) differ from the file name")
    if not ENTRY_POINT.search(inside.get("entry_points.txt", b"").decode("utf-8", "replace")):
        report.problems.append("no console script potstill")


def check(wheel: Path, target: Target, glibc_limit: str, build: Path | None = None, *, board: bool = False) -> Audit:
    """Audit a wheel and, if given, the objects it was linked from; arguments as for `audit_wheel`.

    Raises:
        BuildError: listing every problem.
    """
    report = audit_wheel(wheel, target, glibc_limit, board=board)
    if build is not None:
        count, problems = problems_of_objects(build, target)
        report.problems += problems if count else [f"no object files in {build.name}"]
    if report.problems:
        first = "; ".join(report.problems[:8])
        raise BuildError("B008", first, wheel.name, "don't ship it; toolchains/audit has each check")
    return report


def main(arguments: list[str]) -> int:
    """Print a line for each wheel; 1 and the error if any is bad. Needs pyelftools."""
    parser = argparse.ArgumentParser(prog="python -m toolchains.audit.wheel", description=__doc__)
    parser.add_argument("wheels", nargs="+", type=Path)
    parser.add_argument("--objects", type=Path, help="build folder of the wheel: its object files are audited too")
    options = parser.parse_args(arguments)
    status = 0
    for wheel in options.wheels:
        try:
            goal = goal_of(wheel)
            # A machine of a board's type makes the boards' wheel for itself too, with everything in it.
            own = native(goal.target) and contents.makes_models(wheel)
            board = goal.board is not None and not own
            report = check(wheel, goal.target, goal.glibc, options.objects, board=board)
            print(report.line(), flush=True)
        except PotstillError as error:
            print(error, file=sys.stderr)
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
