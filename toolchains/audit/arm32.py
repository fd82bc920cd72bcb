"""32-bit ARM libraries: what they say they need (build attributes), and dot products whatever they say.

The attributes of a function compiled by `#pragma GCC target` for a newer CPU are lost: the assembler keeps those of the
file's last .arch. A stripped library has no mark between the two instruction sets and data, so code is read as T32 from
each section's start and as A32 at each word. Measured: 2 false finds in 31 MB of Debian's armhf libraries, both in
tables of a cryptographic library; none in 0.27 MB of ours.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping

from elftools.elf.elffile import ELFFile

# The baseline of 32-bit boards is ARMv7-A with NEON and VFPv4; build attribute -> highest value ("Addenda to,
# and Errata in, the ABI for the Arm Architecture", section "Build Attributes").
_LIMITS = {"TAG_CPU_ARCH": 10, "TAG_FP_ARCH": 6, "TAG_ADVANCED_SIMD_ARCH": 2}
_HARD_FLOAT = ("TAG_ABI_VFP_ARGS", 1)

# Arm ARM, F6 "T32 and A32 Advanced SIMD and floating-point instruction descriptions": mask, value, name. Both sets have
# the same bits. First of a pair the 128-bit form, whose registers have even numbers, then the 64-bit form.
NEWER = (
    (0xFFB11F41, 0xFC200D40, "vsdot/vudot (vector)"),
    (0xFFB00F40, 0xFC200D00, "vsdot/vudot (vector)"),
    (0xFFB11F40, 0xFE200D40, "vsdot/vudot (by element)"),
    (0xFFB00F40, 0xFE200D00, "vsdot/vudot (by element)"),
    (0xFFB11F51, 0xFCA00D40, "vusdot"),
    (0xFFB00F50, 0xFCA00D00, "vusdot"),
    (0xFFB11F40, 0xFE800D40, "vusdot/vsudot (by element)"),
    (0xFFB00F40, 0xFE800D00, "vusdot/vsudot (by element)"),
    (0xFF311F41, 0xFC200C40, "vsmmla/vummla/vusmmla"),
)


def _name(word: int) -> str:
    return next((name for mask, value, name in NEWER if word & mask == value), "")


def _t32(data: bytes) -> Iterator[tuple[int, int]]:
    """Offset and value of each 32-bit instruction of T32 code; the others have 16 bits."""
    halves = struct.unpack(f"<{len(data) // 2}H", data[: len(data) // 2 * 2])
    index = 0
    while index + 1 < len(halves):
        long = halves[index] >= 0xE800
        if long:
            yield index * 2, halves[index] << 16 | halves[index + 1]
        index += 2 if long else 1


def newer(data: bytes) -> Iterator[tuple[int, str]]:
    """Offset and name of each dot product or matrix instruction in a section's `data`, read as T32 and as A32.

    Neighbours in A32 may be found twice.
    """
    for offset, word in _t32(data):
        if name := _name(word):
            yield offset, name
    for position, (word,) in enumerate(struct.iter_unpack("<I", data[: len(data) // 4 * 4])):
        if name := _name(word):
            yield position * 4, name


def attributes_of(elf: ELFFile) -> dict[str, int]:
    """A library's build attributes that are numbers."""
    section = elf.get_section_by_name(".ARM.attributes")
    found: dict[str, int] = {}
    for vendor in section.iter_subsections() if section else ():
        for scope in vendor.iter_subsubsections():
            found |= {a.tag: a.value for a in scope.iter_attributes() if isinstance(a.value, int)}
    return found


def problems_of_attributes(attributes: Mapping[str, int]) -> list[str]:
    """Those above the baseline, and a calling convention that is not the boards'."""
    problems = [
        f"{name} is {attributes[name]}, above the baseline's {limit}"
        for name, limit in _LIMITS.items()
        if attributes.get(name, 0) > limit
    ]
    name, value = _HARD_FLOAT
    return problems if attributes.get(name) == value else [*problems, f"{name} is not {value}: not the hard-float ABI"]
