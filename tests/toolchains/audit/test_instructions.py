"""Instructions above the baseline are found in deliberately bad objects; nothing of the baseline is taken for one."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from potstill import boards
from toolchains.audit import instructions

cross = pytest.mark.skipif(shutil.which("aarch64-linux-gnu-g++") is None, reason="needs g++-aarch64-linux-gnu")
gxx = pytest.mark.skipif(shutil.which("g++") is None or shutil.which("objdump") is None, reason="needs g++")

NEWER = """
sdot v0.4s,v1.16b,v2.16b; udot v0.2s,v1.8b,v2.4b[1]; usdot v0.4s,v1.16b,v2.16b; sudot v0.4s,v1.16b,v2.4b[0];
smmla v0.4s,v1.16b,v2.16b; bfdot v0.4s,v1.8h,v2.8h; bfmmla v0.4s,v1.8h,v2.8h; fadd h0,h1,h2; fmadd h0,h1,h2,h3;
fcmp h0,h1; fsqrt h0,h1; scvtf h0,w1; fcvtzs w0,h1; fadd v0.8h,v1.8h,v2.8h; fmla v0.4h,v1.4h,v2.h[1];
fabs v0.8h,v1.8h; fmaxv h0,v1.8h; fmlal v0.4s,v1.4h,v2.4h; sqrdmlah v0.4s,v1.4s,v2.4s; sqrdmlsh v0.8h,v1.8h,v2.h[0];
ldadd w0,w1,[x2]; swpal x0,x1,[x2]; casal w0,w1,[x2]; ldapr w0,[x1]; fcmla v0.4s,v1.4s,v2.4s,#90; fjcvtzs w0,d1;
ptrue p0.b; add z0.s,z1.s,z2.s; ld1w {z0.s},p0/z,[x0]; fmla z0.s,p0/m,z1.s,z2.s
"""
BASELINE = """
fadd v0.4s,v1.4s,v2.4s; fmla v0.4s,v1.4s,v2.s[1]; fmla v0.2d,v1.2d,v2.2d; smlal v0.8h,v1.8b,v2.8b; sadalp v0.4s,v1.8h;
fcvt s0,h1; fcvt h0,s1; fcvt d0,h1; fcvt h0,d1; fcvtl v0.4s,v1.4h; fcvtn v0.4h,v1.4s; fmov s0,w1; fmov w0,s1;
fmov s0,#1.0; fmadd s0,s1,s2,s3; fcmp s0,#0.0; fsqrt d0,d1; scvtf s0,w1; fcvtzs w0,s1; fmaxv s0,v1.4s;
sqrdmulh v0.4s,v1.4s,v2.4s; sqdmull v0.4s,v1.4h,v2.h[0]; ldaxr w0,[x1]; stlxr w0,w1,[x2]; ldar w0,[x1];
ldr q0,[x0],#16; ldp q0,q1,[x0]; tbl v0.16b,{v1.16b},v2.16b; ext v0.16b,v1.16b,v2.16b,#3; ins v0.s[1],w0;
fmov v0.4s,#1.0; mrs x0,fpcr; prfm pldl1keep,[x0]; udiv w0,w1,w2; mul v0.8h,v1.8h,v2.h[1]; mla v0.4s,v1.4s,v2.s[1];
uzp1 v0.8h,v1.8h,v2.8h; saddlv h0,v1.16b; addv h0,v1.8h; sshll v0.8h,v1.8b,#0; rbit v0.16b,v1.16b;
frintn v0.4s,v1.4s; frecpe v0.4s,v1.4s; faddp v0.4s,v1.4s,v2.4s; ldrh w0,[x1]; ldrsh x0,[x1,x2,lsl 1]; str h0,[x1]
"""


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.replace("\n", " ").split(";")]


def _assemble(folder: Path, lines: list[str], march: str) -> list[str]:
    """Names found, one a line; empty for an instruction of the baseline."""
    source, target = folder / "x.s", folder / "x.o"
    source.write_text("\n".join(lines) + "\n", encoding="utf-8")
    subprocess.run(["aarch64-linux-gnu-as", f"-march={march}", "-o", target, source], check=True)
    with target.open("rb") as stream:
        code = ELFFile(stream).get_section_by_name(".text").data()
    assert len(code) == 4 * len(lines)
    return [instructions.name_of_a64(int.from_bytes(code[i : i + 4], "little")) for i in range(0, len(code), 4)]


@cross
def test_every_newer_extension_is_known(tmp_path: Path) -> None:
    lines = _lines(NEWER)
    names = _assemble(tmp_path, lines, "armv8.6-a+sve+fp16+fp16fml+bf16+i8mm")
    assert [line for line, name in zip(lines, names, strict=True) if not name] == []


@cross
def test_the_baseline_is_not_newer(tmp_path: Path) -> None:
    """Neighbours of those encodings that ARMv8.0 has."""
    lines = _lines(BASELINE)
    names = _assemble(tmp_path, lines, "armv8-a")
    assert [(line, name) for line, name in zip(lines, names, strict=True) if name] == []


@cross
def test_half_precision_in_the_dot_product_set(tmp_path: Path) -> None:
    """That set is chosen for a CPU with dot products, which says nothing of half precision."""
    place = tmp_path / "src" / "kernels" / "neon_dotprod"
    place.mkdir(parents=True)
    text = (
        "#include <arm_neon.h>\nfloat16x8_t f(float16x8_t x) { return vaddq_f16(x, x); }\n"
        "int32x4_t g(int32x4_t a, int8x16_t x) { return vdotq_s32(a, x, x); }\n"
    )
    (place / "a.cpp").write_text(text, encoding="utf-8")
    command = ["aarch64-linux-gnu-g++", "-O1", "-march=armv8.2-a+dotprod+fp16", "-c", place / "a.cpp"]
    subprocess.run([*command, "-o", place / "a.cpp.o"], check=True)
    _, problems = instructions.problems_of_objects(tmp_path, boards.board("pi4").target)
    assert len(problems) == 1
    assert "half precision (vector) in" in problems[0]


X86 = """
#include <immintrin.h>
__attribute__((target("{target}"))) {type} leak({type} a, {type} b) {{ return {call}; }}
"""
LEAKS = {
    "sse4.1": ("__m128i", "_mm_mullo_epi32(a, b)", "pmulld"),
    "ssse3": ("__m128i", "_mm_shuffle_epi8(a, b)", "pshufb"),
    "avx": ("__m128", "_mm_add_ps(a, b)", "vaddps"),
    "avx2": ("__m256i", "_mm256_add_epi32(a, b)", "vpaddd"),
    "avx512f": ("__m512i", "_mm512_add_epi32(a, b)", "vpaddd"),
    "avx512vnni,avx512vl": ("__m256i", "_mm256_dpbusd_epi32(a, a, b)", "vpdpbusd"),
}


def _x86_problems(tmp_path: Path, folder: str, target: str) -> list[str]:
    kind, call, _ = LEAKS[target]
    place = tmp_path / "src" / "kernels" / folder
    place.mkdir(parents=True)
    (place / "a.cpp").write_text(X86.format(target=target, type=kind, call=call), encoding="utf-8")
    subprocess.run(["g++", "-O1", "-Wno-psabi", "-c", place / "a.cpp", "-o", place / "a.cpp.o"], check=True)
    path = place / "a.cpp.o"
    with path.open("rb") as stream:
        elf = ELFFile(stream)
        if elf["e_machine"] != "EM_X86_64":
            pytest.skip("this machine's code is not x86-64")
        return instructions.problems_of(path, f"kernels/{folder}/a.cpp.o", elf)


@gxx
@pytest.mark.parametrize("target", LEAKS)
def test_newer_x86_in_the_baseline(tmp_path: Path, target: str) -> None:
    """Found with the function; in the richest set's folder the same code is right."""
    problems = _x86_problems(tmp_path / "a", "reference", target)
    assert len(problems) == 1
    assert problems[0].startswith(f"kernels/reference/a.cpp.o: {LEAKS[target][2]} in ")
    assert "leak" in problems[0]
    assert _x86_problems(tmp_path / "b", "avx512vnni", target) == []


@gxx
@pytest.mark.parametrize("target", LEAKS)
def test_avx512_in_the_avx2_set(tmp_path: Path, target: str) -> None:
    assert bool(_x86_problems(tmp_path, "avx2", target)) == target.startswith("avx512")


@gxx
def test_plain_code_of_this_compiler_is_baseline(tmp_path: Path) -> None:
    """A library function with loops, strings and doubles: no mnemonic of it is taken for a newer one."""
    text = (
        "#include <cmath>\n#include <string>\n#include <vector>\n"
        "double f(const std::vector<double>& x) { double s = 0; for (double v : x) s += std::sqrt(v) * v; return s; }\n"
        "std::string g(int n) { std::string s; while (n-- > 0) s += std::to_string(n); return s; }\n"
        "unsigned h(unsigned long x) { return __builtin_popcountl(x) + __builtin_ctzl(x) + __builtin_clzl(x); }\n"
    )
    (tmp_path / "a.cpp").write_text(text, encoding="utf-8")
    subprocess.run(["g++", "-O3", "-c", tmp_path / "a.cpp", "-o", tmp_path / "a.o"], check=True)
    with (tmp_path / "a.o").open("rb") as stream:
        assert instructions.problems_of(tmp_path / "a.o", "a.o", ELFFile(stream)) == []
