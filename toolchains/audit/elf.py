"""What the audits of wheels and of packages ask of an ELF file alike."""

from __future__ import annotations

import re

from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerNeedSection

from potstill.boards import Target


def needed_versions(elf: ELFFile) -> dict[str, tuple[int, ...]]:
    """Highest version of each family of versioned symbols that a file needs: ``{"GLIBC": (2, 34), ...}``."""
    top: dict[str, tuple[int, ...]] = {}
    for section in elf.iter_sections():
        if isinstance(section, GNUVerNeedSection):
            for _, versions in section.iter_versions():
                for version in versions:
                    if match := re.fullmatch(r"(GLIBC|GLIBCXX|CXXABI)_(\d+(?:\.\d+)*)", version.name):
                        numbers = tuple(map(int, match[2].split(".")))
                        top[match[1]] = max(top.get(match[1], ()), numbers)
    return top


def problems_of(name: str, elf: ELFFile, target: Target) -> list[str]:
    """A file that is another machine's, aligned to smaller pages than the target's, or not stripped."""
    found: list[str] = []
    if elf["e_machine"] != target.elf or elf.elfclass != target.bits:
        found.append(f"{name} is {elf['e_machine']}, {elf.elfclass} bits, not {target.elf}")
    if any(section.name == ".symtab" or section.name.startswith(".debug") for section in elf.iter_sections()):
        found.append(f"{name} is not stripped")
    aligned = min((s["p_align"] for s in elf.iter_segments() if s["p_type"] == "PT_LOAD"), default=0)
    if aligned < target.load_alignment:
        found.append(f"{name} is aligned to {aligned} bytes, less than {target.load_alignment}")
    return found
