"""32-bit ARM: build attributes, and dot products in T32 and A32 code without any mark."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from toolchains.audit import arm32, instructions

# (T32 halfwords, name), as GNU as assembles them.
NEWER = {
    "vsdot.s8 q0, q1, q2": ((0xFC22, 0x0D44), "vsdot/vudot (vector)"),
    "vsdot.s8 q8, q9, q10": ((0xFC62, 0x0DE4), "vsdot/vudot (vector)"),
    "vudot.u8 d1, d3, d5": ((0xFC23, 0x1D15), "vsdot/vudot (vector)"),
    "vudot.u8 d0, d1, d2[1]": ((0xFE21, 0x0D32), "vsdot/vudot (by element)"),
    "vsdot.s8 q0, q1, d2[1]": ((0xFE22, 0x0D62), "vsdot/vudot (by element)"),
    "vusdot.s8 q0, q1, q2": ((0xFCA2, 0x0D44), "vusdot"),
    "vsudot.u8 d0, d1, d2[0]": ((0xFE81, 0x0D12), "vusdot/vsudot (by element)"),
    "vsmmla.s8 q0, q1, q2": ((0xFC22, 0x0C44), "vsmmla/vummla/vusmmla"),
    "vusmmla.s8 q0, q1, q2": ((0xFCA2, 0x0C44), "vsmmla/vummla/vusmmla"),
}
NOP16, BL = 0xBF00, (0xF000, 0xF800)
# vmla.f32 d0, d1, d2 and vmlal.s8 q0, d2, d4: the baseline has them.
OLDER = ((0xEF01, 0x0D12), (0xEF82, 0x0804))


def _t32(*halves: int) -> bytes:
    return struct.pack(f"<{len(halves)}H", *halves)


@pytest.mark.parametrize("text", NEWER)
def test_newer_instruction(text: str) -> None:
    """T32 at any even offset, A32 at each word."""
    halves, name = NEWER[text]
    assert list(arm32.newer(_t32(NOP16, *halves, NOP16))) == [(2, name)]
    assert list(arm32.newer(_t32(*BL, *halves, NOP16))) == [(4, name)]
    a32 = struct.pack("<3I", 0xE1A00000, halves[0] << 16 | halves[1], 0xE12FFF1E)
    assert list(arm32.newer(a32)) == [(4, name)]


def test_older_instructions_and_halves_of_two() -> None:
    """NEON of the baseline; the end of one instruction and the start of the next are not a third."""
    assert list(arm32.newer(_t32(*OLDER[0], NOP16, *OLDER[1]))) == []
    assert list(arm32.newer(_t32(0xFB11, 0xFC22, 0x0D44, NOP16))) == []  # smulbt ip, r1, r2 and lsrs r4, r0, #21
    assert list(arm32.newer(b"")) == list(arm32.newer(b"\x22\xfc\x44")) == []


@pytest.mark.skipif(shutil.which("arm-linux-gnueabihf-as") is None, reason="needs binutils-arm-linux-gnueabihf")
@pytest.mark.parametrize("mode", ["thumb", "arm"])
def test_as_the_assembler_has_them(tmp_path: Path, mode: str) -> None:
    """The encodings above are GNU as's, all of them found in an object of both instruction sets."""
    head = f".arch armv8.2-a\n.fpu neon-fp-armv8\n.arch_extension dotprod\n.arch_extension i8mm\n.{mode}\n"
    (tmp_path / "m.s").write_text(head + "".join(f"{text}\n" for text in NEWER), encoding="utf-8")
    subprocess.run(["arm-linux-gnueabihf-as", tmp_path / "m.s", "-o", tmp_path / "m.o"], check=True)
    with (tmp_path / "m.o").open("rb") as stream:
        data = ELFFile(stream).get_section_by_name(".text").data()
    expected = {(4 * index, name) for index, (_, name) in enumerate(NEWER.values())}
    if mode == "thumb":
        assert data == b"".join(_t32(*halves) for halves, _ in NEWER.values())
        assert set(arm32.newer(data)) == expected
    else:  # neighbours in A32 may look like more of them in T32
        assert set(arm32.newer(data)) >= expected


@pytest.mark.parametrize(
    ("attributes", "problem"),
    [
        ({"TAG_CPU_ARCH": 10, "TAG_FP_ARCH": 5, "TAG_ADVANCED_SIMD_ARCH": 2, "TAG_ABI_VFP_ARGS": 1}, ""),
        ({"TAG_CPU_ARCH": 14, "TAG_ABI_VFP_ARGS": 1}, "TAG_CPU_ARCH is 14, above the baseline's 10"),
        ({"TAG_CPU_ARCH": 10, "TAG_FP_ARCH": 7, "TAG_ABI_VFP_ARGS": 1}, "TAG_FP_ARCH is 7, above the baseline's 6"),
        ({"TAG_CPU_ARCH": 10}, "TAG_ABI_VFP_ARGS is not 1: not the hard-float ABI"),
    ],
)
def test_attributes(attributes: dict[str, int], problem: str) -> None:
    assert arm32.problems_of_attributes(attributes) == ([problem] if problem else [])


@pytest.mark.skipif(shutil.which("arm-linux-gnueabihf-g++") is None, reason="needs g++-arm-linux-gnueabihf")
@pytest.mark.parametrize(
    ("flags", "named"),
    [
        ("-march=armv7-a+neon-vfpv4", []),
        ("-march=armv8-a+simd", ["TAG_CPU_ARCH is 14", "TAG_FP_ARCH is 7", "TAG_ADVANCED_SIMD_ARCH is 3"]),
    ],
)
def test_attributes_of_a_linked_library(tmp_path: Path, flags: str, named: list[str]) -> None:
    """The compiler's own attributes, read from a stripped library."""
    (tmp_path / "m.cpp").write_text("float f(float x) { return 2 * x; }\n", encoding="utf-8")
    library = tmp_path / "m.so"
    command = ["arm-linux-gnueabihf-g++", flags, "-mfloat-abi=hard", "-shared", "-fPIC", "-s", "-nostdlib"]
    subprocess.run([*command, "-o", library, tmp_path / "m.cpp"], check=True)
    with library.open("rb") as stream:
        problems = instructions.problems_of_library(library, ELFFile(stream))
    assert [problem.split(",")[0] for problem in problems] == named
