"""Wheel audit: name, ELF files, glibc floor, size and instructions must all tell the same story.

What it refuses is what users of other runtimes meet on a Pi: a wheel labelled for one machine holding another's code,
a C library floor that is not true, instructions that the board lacks.

The wheel file alone is enough, also somebody else's. With the objects it was linked from the audit names functions.
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
from elftools.elf.gnuversions import GNUVerNeedSection

from toolchains.audit import contents
from toolchains.audit.instructions import kernel_set, problems_of, problems_of_library
from toolchains.boards import Target, glibc_version
from toolchains.failures import PotstillError, build_error
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


def _needed_glibc(elf: ELFFile) -> tuple[int, int]:
    """Highest GLIBC_x.y among the versioned symbols a library needs."""
    top = (0, 0)
    for section in elf.iter_sections():
        if not isinstance(section, GNUVerNeedSection):
            continue
        for _, versions in section.iter_versions():
            for version in versions:
                if match := re.fullmatch(r"GLIBC_(\d+)\.(\d+)(\.\d+)?", version.name):
                    top = max(top, (int(match[1]), int(match[2])))
    return top


def _check_library(name: str, path: Path, target: Target, python: str, report: Audit) -> tuple[int, int]:
    """Check one shared library of the wheel; returns its glibc need."""
    with path.open("rb") as stream:
        try:
            elf = ELFFile(stream)
        except ELFError:
            report.problems.append(f"{PurePosixPath(name).name} is no ELF file")
            return (0, 0)
        return _check_elf(name, path, elf, target, python, report)


def _check_elf(name: str, path: Path, elf: ELFFile, target: Target, python: str, report: Audit) -> tuple[int, int]:
    short = PurePosixPath(name).name
    if elf["e_machine"] != target.elf or elf.elfclass != target.bits:
        report.problems.append(f"{short} is {elf['e_machine']}, {elf.elfclass} bits, not {target.elf}")
    if ".cpython-" in short and f".cpython-{python}-{target.triple}." not in short:
        report.problems.append(f"the suffix of {short} does not fit cp{python} on {target.wheel}")
    sections = {section.name for section in elf.iter_sections()}
    if any(n == ".symtab" or n.startswith(".debug") for n in sections) and "potstill.libs" not in name:
        report.problems.append(f"{short} is not stripped")
    aligned = min((s["p_align"] for s in elf.iter_segments() if s["p_type"] == "PT_LOAD"), default=0)
    if aligned < target.load_alignment:
        report.problems.append(f"{short} is aligned to {aligned} bytes, less than {target.load_alignment}")
    report.problems += [f"{short}: {problem}" for problem in problems_of_library(path, elf)]
    report.libraries.append(short)
    return _needed_glibc(elf)


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
    """METADATA asks for nothing; WHEEL's tags equal the file name's; the command is there."""
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


def audit_objects(build: Path, target: Target) -> tuple[int, list[str]]:
    """Check the unstripped objects of a build: instructions above the baseline only in the objects of the kernel set
    that is chosen for them, and no function of such an object that the linker may merge with a baseline one.

    The second is the classic cause of "Illegal instruction": an inline function compiled twice, with and without the
    newer flags, of which the linker keeps either.

    Returns:
        How many objects were read, and the problems found.
    """
    problems: list[str] = []
    count = 0
    for path in sorted(build.rglob("*.o")):
        place = path.relative_to(build).as_posix()
        with path.open("rb") as stream:
            elf = ELFFile(stream)
            count += 1
            if elf["e_machine"] != target.elf:
                problems.append(f"{place} is {elf['e_machine']}, not {target.elf}")
            problems += problems_of(path, place, elf)
            table = elf.get_section_by_name(".symtab")
            for symbol in table.iter_symbols() if kernel_set(place) and table else ():
                info = symbol["st_info"]
                if info["type"] == "STT_FUNC" and info["bind"] == "STB_WEAK" and symbol["st_shndx"] != "SHN_UNDEF":
                    problems.append(f"{place}: {symbol.name} may replace the baseline's copy")
    return count, problems


def check(wheel: Path, target: Target, glibc_limit: str, build: Path | None = None, *, board: bool = False) -> Audit:
    """Audit a wheel and, if given, the objects it was linked from; arguments as for `audit_wheel`.

    Raises:
        BuildError: B008, listing every problem.
    """
    report = audit_wheel(wheel, target, glibc_limit, board=board)
    if build is not None:
        count, problems = audit_objects(build, target)
        report.problems += problems if count else [f"no object files in {build.name}"]
    if report.problems:
        raise build_error(
            "B008",
            "; ".join(report.problems[:8]),
            wheel.name,
            "don't ship it; see toolchains/audit/wheel.py for each check",
        )
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
