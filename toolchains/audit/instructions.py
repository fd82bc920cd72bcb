"""Instructions above a machine's baseline, in object files (by function) and in finished libraries (by section).

Code outside its kernel set that holds one of them dies with "Illegal instruction" on older boards and older PCs. A
stripped library has no functions to name, but each kernel set's code is in a section of its own
(cpp/src/kernels/sets.def, which also says what it may hold). AArch64 is decoded here, from its fixed-length encodings;
x86 by binutils' objdump, which comes with the compiler; 32-bit ARM by arm32.py.
"""

from __future__ import annotations

import re
import struct
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from elftools.elf.elffile import ELFFile

from potstill.boards import Target, kernel_sets
from toolchains import tools
from toolchains.audit import arm32
from toolchains.programs import output

# A64 encodings above ARMv8.0 (Arm ARM, C4 "A64 instruction set encoding"): mask, value, name.
NEWER_A64 = (
    (0x9FE0FC00, 0x0E809400, "sdot/udot (vector)"),
    (0x9FC0F400, 0x0F80E000, "sdot/udot (by element)"),
    (0xBFE0FC00, 0x0E809C00, "usdot"),
    (0xBF40F400, 0x0F00F000, "usdot/sudot/bfdot (by element)"),
    (0x9FE0F400, 0x0E80A400, "smmla/ummla/usmmla"),
    (0x9F60C400, 0x0E400400, "half precision (vector)"),
    (0x9F7E0C00, 0x0E780800, "half precision (vector, one operand)"),
    (0x9FC03400, 0x0F001000, "half precision (by element)"),
    (0xBF7FCC00, 0x0E30C800, "half precision (across lanes)"),
    (0x7FE00000, 0x1EE00000, "half precision (scalar)"),
    (0x7FE00000, 0x1EC00000, "half precision (scalar, fixed point)"),
    (0xFFC00000, 0x1FC00000, "half precision (scalar fmadd)"),
    (0xBF60FC00, 0x0E20EC00, "fmlal/fmlsl"),
    (0xBF20C400, 0x2E00C400, "fcmla/fcadd/bfdot/bfmmla"),
    (0xBF20F400, 0x2E008400, "sqrdmlah/sqrdmlsh"),
    (0xBF00D400, 0x2F00D000, "sqrdmlah/sqrdmlsh (by element)"),
    (0x3F200C00, 0x38200000, "atomic read-modify-write or ldapr"),
    (0x3FA07C00, 0x08A07C00, "cas"),
    (0xBFA07C00, 0x08207C00, "casp"),
    (0xFFFFFC00, 0x1E7E0000, "fjcvtzs"),
    (0x1E000000, 0x04000000, "SVE"),
)
# fcvt from half precision to single or double: the baseline has them, among scalar half-precision encodings.
_FCVT_FROM_HALF = (0xFFFF7C00, 0x1EE24000)

# x86-64 mnemonics above the baseline that have no v in front: SSSE3, SSE4, BMI, and what else -march=native brings.
# Not tzcnt: GCC writes `rep bsf`, the same bytes, for a count that any CPU gets right.
_NEWER_X86 = re.compile(
    r"(p(shufb|alignr|maddubsw|mulhrsw|mulld|muldq|test|cmpeqq|cmpgtq|ackusdw)|p(abs|sign)[bwd]|ph(add|sub)s?[wd]"
    r"|p(max|min)(sb|uw|sd|ud)|p(extr|insr)[bdq]|pmov[sz]x[bwd][wdq]|p?blend\w*|(round|dp)p[sd]|rounds[sd]|insertps"
    r"|extractps|movntdqa|lddqu|h(add|sub)p[sd]|addsubp[sd]|mov(sh|sl|d)dup|popcnt[wlq]?|crc32[bwlq]?|lzcnt[wlq]?"
    r"|andn|bextr|bls(i|r|msk)|bzhi|mulx|pdep|pext|rorx|s[ah]rx|shlx|movbe[wlq]?|aes\w+|sha(1|256)\w+|tile\w+|tdp\w+)"
)
# 512-bit registers, the upper 16 registers, mask registers: encodings of AVX-512 only.
_AVX512 = re.compile(r"%zmm|%[xy]mm(1[6-9]|2\d|3[01])\b|%k[0-7]\b|\{1to\d+\}")

# What code may hold, by its kernel set: names of NEWER_A64 and arm32 without what stands in parentheses; of x86 "avx2"
# (all before AVX-512) and "avx512". libgcc chooses its atomics at run time.
_HELD = {row.name: row.holds for row in kernel_sets() if row.holds} | {
    "libgcc": frozenset({"atomic read-modify-write or ldapr", "cas", "casp"})
}


def kernel_set(place: str) -> str:
    """The kernel set whose object this is, by its path; empty for the baseline's objects."""
    found = re.search(r"kernels/(\w+)/", place)
    return found[1] if found and found[1] in _HELD else ""


def section_set(name: str) -> str:
    """The kernel set, or ``libgcc``, whose section of a finished library this is; empty for the baseline's."""
    found = name.removeprefix(".text.")
    return found if found in _HELD and found != name else ""


def _allowed(what: str, kernels: str) -> bool:
    """Whether code of a kernel set, of ``libgcc`` or of the baseline (empty) may hold an instruction of that name."""
    return what.partition(" (")[0] in _HELD.get(kernels, ())


def name_of_a64(word: int) -> str:
    """What an A64 instruction above the baseline is called, empty for any other."""
    if word & _FCVT_FROM_HALF[0] == _FCVT_FROM_HALF[1]:
        return ""
    return next((name for mask, value, name in NEWER_A64 if word & mask == value), "")


def newer_arm(elf: ELFFile) -> Iterator[tuple[str, str]]:
    """Each A64, T32 or A32 instruction above the baseline in an object's code, as (function, instruction)."""
    find = _FINDERS[elf["e_machine"]]
    symbols = elf.get_section_by_name(".symtab")
    functions: dict[int, list[tuple[int, str]]] = {}
    for symbol in symbols.iter_symbols() if symbols else ():
        if symbol["st_info"]["type"] == "STT_FUNC" and isinstance(symbol["st_shndx"], int):
            functions.setdefault(symbol["st_shndx"], []).append((symbol["st_value"] & ~1, symbol.name))  # 1: T32
    for index, section in code_sections(elf):
        known = sorted(functions.get(index, []))
        for offset, name in find(section.data()):
            inside = [function for start, function in known if start <= offset]
            yield (inside[-1] if inside else section.name), name


def code_sections(elf: ELFFile) -> Iterator[tuple[int, Any]]:
    """The sections that hold machine code, with their numbers."""
    for index, section in enumerate(elf.iter_sections()):
        if section["sh_flags"] & 4 and section["sh_type"] == "SHT_PROGBITS":  # 4: SHF_EXECINSTR
            yield index, section


def _a64(data: bytes) -> Iterator[tuple[int, str]]:
    """Offset and name of each A64 instruction above the baseline in a section's `data`."""
    for position, (word,) in enumerate(struct.iter_unpack("<I", data[: len(data) // 4 * 4])):
        if name := name_of_a64(word):
            yield position * 4, name


_FINDERS: dict[str, Callable[[bytes], Iterator[tuple[int, str]]]] = {"EM_AARCH64": _a64, "EM_ARM": arm32.newer}


def newer_x86(listing: Iterable[str], kernels: str) -> Iterator[tuple[str, str]]:
    """Each x86-64 instruction that objects of a kernel set may not hold, as (function, mnemonic).

    Args:
        listing: lines of ``objdump -d --no-show-raw-insn``.
        kernels: the set; empty: whatever the first x86-64 lacked is refused.
    """
    function = ""
    for line in listing:
        if header := re.match(r"[0-9a-f]+ <(.+)>:$", line):
            function = header[1]
            continue
        parts = line.split("\t", 1)
        if len(parts) != 2 or not parts[0].strip().endswith(":"):
            continue
        words = re.sub(r"^((rep|repz|repnz|lock|notrack|bnd|data16|cs)\s+)+", "", parts[1].strip())
        mnemonic = words.split(None, 1)[0] if words else ""
        if (kind := _kind_of_x86(words, mnemonic)) and not _allowed(kind, kernels):
            yield function, mnemonic


def _kind_of_x86(words: str, mnemonic: str) -> str:
    """``avx512``, ``avx2`` for anything else above the baseline, empty for the baseline."""
    if _AVX512.search(words) or mnemonic.startswith("vpdp"):
        return "avx512"
    newer = mnemonic.startswith("v") and not mnemonic.startswith("ver")
    return "avx2" if newer or _NEWER_X86.fullmatch(mnemonic) else ""


def _disassemble(path: Path) -> list[str]:
    tools.require(["objdump"], "the wheel audit")
    command = ["objdump", "-d", "--no-show-raw-insn", str(path)]
    return output(command, "B037", path.name, "check whether the object is complete").splitlines()


def problems_of(path: Path, place: str, elf: ELFFile) -> list[str]:
    """What an object of a build holds that its kernel set, or the baseline, must not.

    Args:
        path: the object.
        place: its path as shown in messages and as it tells the kernel set.
        elf: the same, opened.

    Returns:
        "place: instruction in function", sorted, each once.

    Raises:
        BuildError: no objdump; it cannot read the object.
    """
    kernels = kernel_set(place)
    found: Iterable[tuple[str, str]] = ()
    if elf["e_machine"] in _FINDERS:
        found = ((function, what) for function, what in newer_arm(elf) if not _allowed(what, kernels))
    elif elf["e_machine"] == "EM_X86_64":
        found = newer_x86(_disassemble(path), kernels)
    return sorted({f"{place}: {what} in {function}" for function, what in found})


def _x86_sections(listing: Iterable[str]) -> dict[str, list[str]]:
    """An objdump listing by section."""
    found: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in listing:
        if header := re.match(r"Disassembly of section (.+):$", line):
            lines = found.setdefault(header[1], [])
        lines.append(line)
    return found


def problems_of_library(path: Path, elf: ELFFile) -> list[str]:
    """What a finished library, stripped or not, holds that its baseline must not, by section.

    Args:
        path: the library.
        elf: the same, opened.

    Returns:
        "count x instruction in section", sorted; for 32-bit ARM before them the build attributes above the baseline.

    Raises:
        BuildError: no objdump; it cannot read the library.
    """
    found: Counter[tuple[str, str]] = Counter()
    if find := _FINDERS.get(elf["e_machine"]):
        for _, section in code_sections(elf):
            kernels = section_set(section.name)
            found.update((section.name, what) for _, what in find(section.data()) if not _allowed(what, kernels))
    elif elf["e_machine"] == "EM_X86_64":
        for name, lines in _x86_sections(_disassemble(path)).items():
            found.update((name, what) for _, what in newer_x86(lines, section_set(name)))
    stated = arm32.problems_of_attributes(arm32.attributes_of(elf)) if elf["e_machine"] == "EM_ARM" else []
    return stated + sorted(f"{count} x {what} in {section}" for (section, what), count in found.items())


def problems_of_objects(build: Path, target: Target) -> tuple[int, list[str]]:
    """What the unstripped objects of a build hold that they must not: instructions above the baseline outside the
    kernel set chosen for them, and functions of such a set that the linker may merge with a baseline one.

    The second is the classic cause of "Illegal instruction": an inline function is compiled with and without the newer
    flags, and the linker keeps either.

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
