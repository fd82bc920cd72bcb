"""What a package of the C and C++ library holds must fit its machine, and need no more than it says.

Needs pyelftools and binutils' c++filt: run in a session's environment, ``python -m toolchains.audit.package``.
"""

from __future__ import annotations

import argparse
import io
import re
import subprocess
import sys
import tarfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from potstill.boards import Target, board, glibc_version
from potstill.errors import BuildError, PotstillError
from toolchains import PROJECT
from toolchains.audit import elf
from toolchains.audit.instructions import problems_of_objects
from toolchains.goals import board_goal, host_goal

SONAME = "libpotstill.so.0"
LARGEST = 3_000_000  # bytes of a package: 1.0 MB of two libraries and ten kernel sets, and room to grow
EXPORTS = PROJECT / "cpp" / "exports.txt"
# Debian package of each library that the package may need. Anything else, libgomp above all, is refused.
_PROVIDERS = {
    "libc.so.6": "libc6", "libm.so.6": "libc6", "ld-linux-aarch64.so.1": "libc6", "ld-linux-armhf.so.3": "libc6",
    "ld-linux-x86-64.so.2": "libc6", "libstdc++.so.6": "libstdc++6", "libgcc_s.so.1": "libgcc-s1",
}  # fmt: skip
# First GCC release with a version of libstdc++'s symbols: the manual of libstdc++, "ABI Policy and Guidelines".
_GLIBCXX = {21: "5.1", 22: "6.1", 23: "7.1", 24: "7.2", 25: "8.1", 26: "9.1", 27: "9.2", 28: "9.3", 29: "11.1",
            30: "12.1", 31: "13.1", 32: "13.2", 33: "14.1", 34: "15.1"}  # fmt: skip
_WANTED = (
    "bin/potstill-run", f"lib/{SONAME}", "lib/libpotstill.so", "lib/libpotstill.a", "include/potstill/potstill.h",
    "include/potstill/model.hpp", "lib/cmake/potstill/potstill-config.cmake", "lib/pkgconfig/potstill.pc",
    "share/doc/potstill/LICENSE", "share/doc/potstill/copyright", "share/doc/potstill/examples/classify.c",
)  # fmt: skip


def _dynamic(file: ELFFile) -> list[tuple[str, str]]:
    """Tags of the dynamic section with their texts: NEEDED, SONAME, RPATH, RUNPATH, TEXTREL."""
    section = next((s for s in file.iter_sections() if isinstance(s, DynamicSection)), None)
    if section is None:
        return []
    names = {"DT_NEEDED": "needed", "DT_SONAME": "soname", "DT_RPATH": "rpath", "DT_RUNPATH": "runpath"}
    return [
        (tag.entry.d_tag, str(getattr(tag, names[tag.entry.d_tag], "")) if tag.entry.d_tag in names else "")
        for tag in section.iter_tags()
    ]


def exported_names(file: ELFFile) -> list[str]:
    """Defined dynamic symbols, demangled, C++ functions without their arguments (size_t differs by machine)."""
    table = file.get_section_by_name(".dynsym")
    if not isinstance(table, SymbolTableSection):
        return []
    found = [
        s.name
        for s in table.iter_symbols()
        if s["st_shndx"] not in ("SHN_UNDEF", "SHN_ABS") and s["st_info"]["bind"] != "STB_LOCAL" and s.name
    ]
    done = subprocess.run(["c++filt"], input="\n".join(found), capture_output=True, text=True, check=True)
    names = (re.sub(r"\(.*", "", line.split("[abi:")[0]) for line in done.stdout.splitlines())
    return sorted(name.strip() for name in names if name)


def wanted_exports() -> list[str]:
    """The stored list."""
    lines = EXPORTS.read_text(encoding="utf-8").splitlines()
    return sorted(line for line in lines if line and not line.startswith("#"))


def depends(files: Iterable[bytes]) -> str:
    """The Debian relation field that the ELF files ask for, e.g. ``libc6 (>= 2.34), libgcc-s1, libstdc++6 (>= 11)``.

    Raises:
        BuildError: for a library outside `_PROVIDERS` or an unknown version of libstdc++.
    """
    packages: set[str] = set()
    top: dict[str, tuple[int, ...]] = {}
    for data in files:
        file = ELFFile(io.BytesIO(data))
        for tag, text in _dynamic(file):
            if tag == "DT_NEEDED":
                if text not in _PROVIDERS:
                    raise BuildError("B024", f"the package needs {text}", SONAME, "build without it")
                packages.add(_PROVIDERS[text])
        for family, numbers in elf.needed_versions(file).items():
            top[family] = max(top.get(family, ()), numbers)
    floors = {"libc6": ".".join(map(str, top.get("GLIBC", ())))}
    if "GLIBCXX" in top:
        minor = top["GLIBCXX"][2] if len(top["GLIBCXX"]) > 2 else 0
        if minor > max(_GLIBCXX):
            raise BuildError("B024", f"GLIBCXX_3.4.{minor} is not known", SONAME, "add it to _GLIBCXX")
        floors["libstdc++6"] = _GLIBCXX.get(minor, "")
    relations = (f"{name} (>= {floors[name]})" if floors.get(name) else name for name in sorted(packages))
    return ", ".join(relations)


def check_elf(name: str, data: bytes, target: Target, glibc_limit: str) -> list[str]:
    """Problems of the program or the shared library."""
    file = ELFFile(io.BytesIO(data))
    found = elf.problems_of(name, file, target)
    if any(s["p_type"] == "PT_GNU_STACK" and s["p_flags"] & 1 for s in file.iter_segments()):
        found.append(f"{name} wants an executable stack")
    dynamic = _dynamic(file)
    for tag, text in dynamic:
        if tag in ("DT_RPATH", "DT_RUNPATH", "DT_TEXTREL"):
            found.append(f"{name} has {tag[3:]} {text}")
        if tag == "DT_NEEDED" and text not in _PROVIDERS:
            found.append(f"{name} needs {text}")
    glibc = elf.needed_versions(file).get("GLIBC", (0, 0))
    if glibc > glibc_version(glibc_limit):
        found.append(f"{name} needs glibc {'.'.join(map(str, glibc))}, the boards have {glibc_limit}")
    if ".so" in name:
        if [text for tag, text in dynamic if tag == "DT_SONAME"] != [SONAME]:
            found.append(f"{name} has no soname {SONAME}")
        exported, wanted = Counter(exported_names(file)), Counter(wanted_exports())  # overloads share a name
        more, less = sorted((exported - wanted).elements()), sorted((wanted - exported).elements())
        if more or less:
            found.append(f"{name} shows {more or 'no more'} and lacks {less or 'none'}, against cpp/exports.txt")
    return found


def _members(archive: Path) -> dict[str, bytes]:
    """Files of a .tar.gz, or of a .deb under /usr, by path below the prefix; a link has its target's bytes."""
    data = archive.read_bytes()
    if archive.suffix == ".deb":
        data = subprocess.run(["dpkg-deb", "--fsys-tarfile", archive], capture_output=True, check=True).stdout
    files: dict[str, bytes] = {}
    with tarfile.open(fileobj=io.BytesIO(data)) as opened:
        for member in opened.getmembers():
            if stream := None if member.isdir() else opened.extractfile(member):
                parts = member.name.removeprefix("./").split("/", 1)  # usr/..., or the archive's own folder
                files[parts[-1]] = stream.read()
    return files


def check(archive: Path, target: Target, glibc_limit: str) -> list[str]:
    """Problems of a .tar.gz or .deb."""
    files, library, fields = _members(archive), "lib", dict[str, str]()
    found: list[str] = []
    if archive.suffix == ".deb":
        library = f"lib/{target.triple}"
        control = subprocess.run(["dpkg-deb", "-f", archive], capture_output=True, text=True, check=True).stdout
        fields = dict(re.findall(r"^([\w-]+): (.*)$", control, re.MULTILINE))
        if fields.get("Architecture") != target.debian:
            found.append(f"Architecture is {fields.get('Architecture')}, not {target.debian}")
    wanted = [re.sub("^lib/", f"{library}/", name) for name in _WANTED]
    found += [f"{name} is missing" for name in wanted if name not in files]
    if archive.stat().st_size > LARGEST:
        found.append(f"{archive.stat().st_size} bytes, limit {LARGEST}")
    elves = {name: files[name] for name in wanted[:2] if name in files}
    for name, data in elves.items():
        found += check_elf(Path(name).name, data, target, glibc_limit)
    if fields and not found and fields.get("Depends") != (needed := depends(elves.values())):
        found.append(f"Depends is {fields.get('Depends')!r}, the files need {needed!r}")
    return found


def main(arguments: list[str]) -> int:
    """Print a line for each package, or with --depends the Debian relations; 1 and the error if any is bad."""
    parser = argparse.ArgumentParser(prog="python -m toolchains.audit.package", description=__doc__)
    parser.add_argument("goal", help="a board of boards.toml, or host")
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--depends", action="store_true", help="print the Depends of these ELF files")
    parser.add_argument("--objects", type=Path, help="build folder: its object files are audited too")
    options = parser.parse_args(arguments)
    goal = host_goal() if options.goal == "host" else board_goal(board(options.goal))
    try:
        if options.depends:
            print(depends(path.read_bytes() for path in options.files))
            return 0
        problems = problems_of_objects(options.objects, goal.target)[1] if options.objects else []
        for path in options.files:
            problems += check(path, goal.target, goal.glibc)
            print(f"{path.name}: {path.stat().st_size / 1e6:.2f} MB")
        if problems:
            raise BuildError("B024", "; ".join(problems[:8]), options.files[0].name, "don't ship it")
    except PotstillError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
