"""Wheel audit: name, ELF files, glibc floor, size and instructions must all tell the same story.

What it refuses is what users of other runtimes meet on a Pi: a wheel labelled for one machine holding another's code,
a C library floor that is not true, instructions that the board lacks.
"""

from __future__ import annotations

import argparse
import email
import io
import re
import sys
import zipfile
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerNeedSection

from toolchains.boards import Target, board, glibc_version, load_boards
from toolchains.failures import PotstillError, build_error
from toolchains.instructions import kernel_set, problems_of
from toolchains.wheels import Goal, board_goal, board_goals, host_goal

MAX_UNPACKED = 2_000_000  # bytes: a runtime that is small must stay small


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


def _check_library(name: str, data: bytes, target: Target, python: str, report: Audit) -> tuple[int, int]:
    """Check one shared library of the wheel; returns its glibc need."""
    short = PurePosixPath(name).name
    elf = ELFFile(io.BytesIO(data))
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
    report.libraries.append(short)
    return _needed_glibc(elf)


def audit_wheel(wheel: Path, target: Target, glibc_limit: str) -> Audit:
    """Check one wheel file.

    Args:
        wheel: the repaired wheel (manylinux tag).
        target: the machine type it must be for.
        glibc_limit: glibc of the oldest system it must run on, e.g. ``"2.36"``.

    Returns:
        The report; ``problems`` is empty for a good wheel. Never raises for a bad one.
    """
    report = Audit(wheel.name)
    python, abi, platforms = wheel.name.removesuffix(".whl").split("-")[-3:]
    if any(not platform.endswith(target.wheel) for platform in platforms.split(".")):
        report.problems.append(f"platform tag {platforms} is not for {target.wheel}")
    tagged = [(int(m[0]), int(m[1])) for m in re.findall(r"manylinux_(\d+)_(\d+)", platforms)]
    floor = max(tagged, default=None)
    with zipfile.ZipFile(wheel) as archive:
        report.unpacked = sum(info.file_size for info in archive.infolist())
        libraries = [n for n in archive.namelist() if ".so" in PurePosixPath(n).name]
        own = [n for n in libraries if ".cpython-" in n]
        needs = [_check_library(n, archive.read(n), target, python.removeprefix("cp"), report) for n in libraries]
        _check_metadata(archive, f"{python}-{abi}-", platforms, report)
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
    if report.unpacked > MAX_UNPACKED:
        report.problems.append(f"{report.unpacked} bytes unpacked, limit {MAX_UNPACKED}")
    return report


def _check_metadata(archive: zipfile.ZipFile, prefix: str, platforms: str, report: Audit) -> None:
    """METADATA asks for nothing; WHEEL's tags equal the file name's."""
    names = archive.namelist()
    if "potstill/boards/boards.toml" not in names:
        report.problems.append("boards.toml is not inside")
    scripts = [archive.read(name).decode() for name in names if name.endswith(".dist-info/entry_points.txt")]
    if not any(re.search(r"^potstill\s*=", text, re.MULTILINE) for text in scripts):
        report.problems.append("the command potstill is not inside")
    for name in names:
        if name.endswith(".dist-info/METADATA"):
            message = email.message_from_bytes(archive.read(name))
            for requirement in message.get_all("Requires-Dist") or []:
                if not re.search(r"\bextra\s*==", requirement):
                    report.problems.append(f"requires {requirement}")
        elif name.endswith(".dist-info/WHEEL"):
            tags = set(email.message_from_bytes(archive.read(name)).get_all("Tag") or [])
            if tags != {prefix + platform for platform in platforms.split(".")}:
                report.problems.append(f"tags inside ({', '.join(sorted(tags))}) differ from the file name")


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


def check(wheel: Path, target: Target, glibc_limit: str, build: Path | None = None) -> Audit:
    """Audit a wheel and, if given, the objects it was linked from.

    Raises:
        BuildError: B008, listing every problem.
    """
    report = audit_wheel(wheel, target, glibc_limit)
    if build is not None:
        count, problems = audit_objects(build, target)
        report.problems += problems if count else [f"no object files in {build.name}"]
    if report.problems:
        raise build_error(
            "B008", "; ".join(report.problems[:8]), wheel.name, "don't ship it; see toolchains/audit.py for each check"
        )
    return report


def goal_of(wheel: Path) -> Goal:
    """What a wheel's file name says it is for.

    Raises:
        BuildError: B008 for a name that is none of boards.toml's machine types and Pythons, nor this machine's.
    """
    words = wheel.name.removesuffix(".whl").split("-")
    goals = [*board_goals(load_boards()).values(), host_goal()]
    for goal in goals:
        fits = len(words) >= 5 and words[-1].endswith(f"_{goal.target.wheel}")
        if fits and words[-3] == "cp" + goal.python.replace(".", ""):
            return goal
    known = ", ".join(sorted({f"cp{g.python.replace('.', '')} {g.target.wheel}" for g in goals}))
    raise build_error("B008", "the file name fits no board and not this machine", wheel.name, f"known: {known}")


def main(arguments: list[str]) -> int:
    """Print a line for each wheel; 1 and the error if any is bad. Needs pyelftools."""
    parser = argparse.ArgumentParser(prog="python -m toolchains.audit", description=__doc__)
    parser.add_argument("goal", help="a board of boards.toml, host, or auto: by the file name")
    parser.add_argument("wheels", nargs="+", type=Path)
    parser.add_argument("--objects", type=Path, help="build folder of the wheel: its object files are audited too")
    options = parser.parse_args(arguments)
    status = 0
    for wheel in options.wheels:
        try:
            if options.goal == "auto":
                goal = goal_of(wheel)
            else:
                goal = host_goal() if options.goal == "host" else board_goal(board(options.goal))
            print(check(wheel, goal.target, goal.glibc, options.objects).line())
        except PotstillError as error:
            print(error, file=sys.stderr)
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
