"""The audit finds each lie a wheel can tell, and passes one that tells none."""

from __future__ import annotations

import dataclasses
import platform
import shutil
import struct
import subprocess
import zipfile
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from potstill import boards
from potstill.errors import PotstillError
from toolchains.audit import contents, instructions
from toolchains.audit import wheel as audit

AARCH64 = boards.board("pi4").target
NAME = "potstill-0.1.0-cp311-cp311-{}.whl"
NEEDED = (*contents.NEEDED, *contents.NEEDED_TO_BUILD)
METADATA = "Metadata-Version: 2.1\nName: potstill\nVersion: 0.1.0\nRequires-Dist: numpy ; extra == 'build'\n"

pytestmark = pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A real, stripped shared library of this machine, with one function of ours and one of libc's."""
    return _link(tmp_path_factory.mktemp("library"), "-s")


def _link(folder: Path, *flags: str) -> bytes:
    source = folder / "m.cpp"
    source.write_text('#include <cstdlib>\nextern "C" int f() { return std::abs(std::atoi("1")); }\n', encoding="utf-8")
    out = folder / "m.so"
    subprocess.run(["g++", "-shared", "-fPIC", "-O1", *flags, "-o", out, source], check=True)
    return out.read_bytes()


def _wheel(
    folder: Path, platforms: str, files: dict[str, bytes], metadata: str = METADATA, tags: str = "", without: str = ""
) -> Path:
    path = folder / NAME.format(platforms)
    files = {**files, **{name: b"" for name in NEEDED if name != without}}
    if without != "entry_points.txt":
        files["potstill-0.1.0.dist-info/entry_points.txt"] = b"[console_scripts]\npotstill = potstill.cli:main\n"
    inside = tags or "".join(f"Tag: cp311-cp311-{p}\n" for p in platforms.split("."))
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
        archive.writestr("potstill-0.1.0.dist-info/METADATA", metadata)
        archive.writestr("potstill-0.1.0.dist-info/WHEEL", f"Wheel-Version: 1.0\n{inside}")
    return path


MODULE = "potstill/_core.cpython-311-{}.so"


def test_good_wheel(tmp_path: Path, library: bytes, host: boards.Target) -> None:
    wheel = _wheel(tmp_path, f"manylinux_2_34_{host.wheel}", {MODULE.format(host.triple): library})
    report = audit.check(wheel, host, "2.36")
    assert report.problems == []
    assert report.tag == "2.34"
    assert len(library) < report.unpacked < len(library) + 1000
    assert "OK" in report.line()


def _problems(wheel: Path, target: boards.Target) -> str:
    with pytest.raises(PotstillError) as caught:
        audit.check(wheel, target, "2.36")
    text = str(caught.value)
    assert text.startswith("error[B008]")
    return text


def test_x86_module_named_aarch64(tmp_path: Path, library: bytes, host: boards.Target) -> None:
    """The naive cross build: right name, another machine's code."""
    if host.wheel == "aarch64":
        pytest.skip("this host's code is aarch64")
    text = _problems(_wheel(tmp_path, "manylinux_2_34_aarch64", {MODULE.format("aarch64-linux-gnu"): library}), AARCH64)
    assert "is EM_X86_64, 64 bits, not EM_AARCH64" in text
    assert "aligned to 4096 bytes, less than 65536" in text


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("suffix", "suffix of _core.cpython-311-arm-linux-gnueabihf.so does not fit"),
        ("python", "suffix of _core.cpython-313"),
        ("platform", "is not for"),
        ("linux", "no manylinux tag"),
        ("floor", "above its tag 2.1"),
        ("limit", "tag 2.99 is above the boards' glibc 2.36"),
        ("symbols", "is not stripped"),
        ("requirement", "requires numpy (>=1.26)"),
        ("size", "bytes unpacked, limit 3400000"),
        ("tags", "differ from the file name"),
        ("two", "2 extension modules"),
        ("none", "0 extension modules"),
        ("command", "no console script potstill"),
        ("boards", "potstill/boards/boards.toml is missing"),
        ("stage", "potstill/pipeline/api.py is missing"),
        ("garbage", "is not an ELF file"),
    ],
)
def test_lies(tmp_path: Path, library: bytes, host: boards.Target, change: str, named: str) -> None:
    data = _link(tmp_path) if change == "symbols" else library
    platforms = f"manylinux_2_34_{host.wheel}"
    platforms = {
        "platform": f"manylinux_2_34_{host.wheel}.manylinux_2_34_s390x",
        "linux": f"linux_{host.wheel}",
        "floor": f"manylinux_2_1_{host.wheel}",
        "limit": f"manylinux_2_99_{host.wheel}",
    }.get(change, platforms)
    triple = "arm-linux-gnueabihf" if change == "suffix" else host.triple
    files = {MODULE.format(triple): data}
    if change == "python":
        files = {MODULE.format(triple).replace("311", "313"): data}
    if change == "two":
        files["potstill/_other.cpython-311-" + triple + ".so"] = data
    if change == "none":
        files = {}
    if change == "garbage":
        files = {MODULE.format(triple): b"#!/bin/sh"}
    if change == "size":
        files["potstill/table.bin"] = b"\0" * 3_400_000
    metadata = METADATA + "Requires-Dist: numpy (>=1.26)\n" if change == "requirement" else METADATA
    tags = "Tag: cp311-cp311-linux_riscv64\n" if change == "tags" else ""
    without = {"command": "entry_points.txt", "boards": "potstill/boards/boards.toml"}.get(change, "")
    without = "potstill/pipeline/api.py" if change == "stage" else without
    wheel = _wheel(tmp_path, platforms, files, metadata=metadata, tags=tags, without=without)
    assert named in _problems(wheel, host)


def test_board_wheels_own_limit(tmp_path: Path, library: bytes, host: boards.Target) -> None:
    files = {MODULE.format(host.triple): library, "potstill/table.bin": b"\0" * 1_450_000}
    wheel = _wheel(tmp_path, f"manylinux_2_34_{host.wheel}", files)
    assert audit.audit_wheel(wheel, host, "2.36").problems == []
    found = audit.audit_wheel(wheel, host, "2.36", board=True).problems
    assert found[0] == "potstill/pipeline/api.py and 1 more files are of no use on a board"
    assert found[-1].endswith("bytes unpacked, limit 1450000")


def test_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """``python -m toolchains.audit.wheel``: what a wheel is for is told by its name; an error a bad wheel, and 1."""
    wheel = _wheel(tmp_path, "manylinux_2_34_aarch64", {})
    stranger = tmp_path / "potstill-0.1.0-cp311-cp311-win_amd64.whl"
    stranger.touch()
    assert audit.main([str(wheel), str(stranger)]) == 1
    errors = capsys.readouterr().err
    assert "0 extension modules" in errors
    assert "error[B036]: this is not the name of one of our Linux wheels; potstill-0.1.0-cp311-cp311-win_" in errors


DOT = """
#include <arm_neon.h>
extern "C" int32x4_t {name}(int32x4_t a, int8x16_t x, int8x16_t y) {{ return {call}; }}
"""
CALLS = {
    "vdotq_s32(a, x, y)": "sdot/udot (vector)",
    "vdotq_laneq_s32(a, x, y, 1)": "sdot/udot (by element)",
    "vreinterpretq_s32_u32(vdotq_u32(vreinterpretq_u32_s32(a), vreinterpretq_u8_s8(x), vreinterpretq_u8_s8(y)))":
        "sdot/udot (vector)",
    "vmmlaq_s32(a, x, y)": "smmla/ummla/usmmla",
    "vreinterpretq_s32_f16(vfmaq_f16(vreinterpretq_f16_s32(a), vreinterpretq_f16_s8(x), vreinterpretq_f16_s8(y)))":
        "half precision (vector)",
}  # fmt: skip
BASELINE = "vpadalq_s16(a, vmull_s8(vget_low_s8(x), vget_low_s8(y)))"
cross = pytest.mark.skipif(shutil.which("aarch64-linux-gnu-g++") is None, reason="needs g++-aarch64-linux-gnu")


def _object(build: Path, place: str, text: str, *flags: str) -> None:
    target = build / "CMakeFiles" / "x.dir" / place
    target.parent.mkdir(parents=True, exist_ok=True)
    source = target.with_suffix(".cpp")
    source.write_text(text, encoding="utf-8")
    subprocess.run(
        ["aarch64-linux-gnu-g++", "-O1", *flags, "-c", source, "-o", target.with_suffix(".cpp.o")], check=True
    )


@cross
@pytest.mark.parametrize("call", CALLS)
def test_newer_instruction_in_the_baseline(tmp_path: Path, call: str) -> None:
    """Found with function and name; the same code in neon_dotprod's folder is right."""
    text = DOT.format(name="leak", call=call)
    flags = "-march=armv8.2-a+dotprod+i8mm+fp16"
    _object(tmp_path, "src/kernels/neon/gemm.o", text, flags)
    count, problems = instructions.problems_of_objects(tmp_path, AARCH64)
    assert count == 1
    assert problems == [f"CMakeFiles/x.dir/src/kernels/neon/gemm.cpp.o: {CALLS[call]} in leak"]


@cross
def test_right_objects(tmp_path: Path) -> None:
    _object(tmp_path, "src/kernels/neon/gemm.o", DOT.format(name="plain", call=BASELINE), "-march=armv8-a")
    text = DOT.format(name="dot", call="vdotq_s32(a, x, y)")
    _object(tmp_path, "src/kernels/neon_dotprod/gemm.o", text, "-march=armv8.2-a+dotprod")
    assert instructions.problems_of_objects(tmp_path, AARCH64) == (2, [])


@cross
def test_mergeable_function_in_a_special_object(tmp_path: Path) -> None:
    """An inline function compiled with newer flags could replace the baseline's copy."""
    text = (
        "inline __attribute__((noinline)) int twice(int x) { return 2 * x; }\nint g(int x) { return twice(x) + 1; }\n"
    )
    _object(tmp_path, "src/kernels/neon_dotprod/gemm.o", text, "-march=armv8.2-a+dotprod")
    _, problems = instructions.problems_of_objects(tmp_path, AARCH64)
    assert len(problems) == 1 and "may replace the baseline's copy" in problems[0]


def test_no_objects_is_a_problem(tmp_path: Path, library: bytes, host: boards.Target) -> None:
    wheel = _wheel(tmp_path, f"manylinux_2_34_{host.wheel}", {MODULE.format(host.triple): library})
    (tmp_path / "empty").mkdir()
    with pytest.raises(PotstillError, match="no object files"):
        audit.check(wheel, host, "2.36", tmp_path / "empty")


NOP, SDOT, FADD_HALF, LDADD = 0xD503201F, 0x4E829420, 0x4E421420, 0xB8200041


def _elf(sections: dict[str, list[int]]) -> bytes:
    """The smallest AArch64 library with these code sections that pyelftools reads: written here, so that this test
    needs no cross compiler."""
    names = ["", *sections, ".shstrtab"]
    strings = b"".join(name.encode() + b"\0" for name in names)
    code = [struct.pack(f"<{len(words)}I", *words) for words in sections.values()]
    loads, offset, headers = [], 64 + 56, [bytes(64)]
    for number, data in enumerate([*code, strings]):
        name = len("".join(n + "\0" for n in names[: number + 1]))
        kind, flags = (1, 6) if number < len(code) else (3, 0)
        headers.append(struct.pack("<IIQQQQIIQQ", name, kind, flags, offset, offset, len(data), 0, 0, 4, 0))
        loads.append(data)
        offset += len(data)
    program = struct.pack("<IIQQQQQQ", 1, 5, 0, 0, 0, offset, offset, 0x10000)
    identity = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    start = struct.pack("<HHIQQQIHHHHHH", 3, 183, 1, 0, 64, offset, 0, 64, 56, 1, 64, len(headers), len(headers) - 1)
    return identity + start + program + b"".join(loads) + b"".join(headers)


def _stripped_wheel(folder: Path, sections: dict[str, list[int]]) -> Path:
    return _wheel(folder, "manylinux_2_34_aarch64", {MODULE.format("aarch64-linux-gnu"): _elf(sections)})


def test_wheel_with_a_stray_dot_product(tmp_path: Path) -> None:
    """One sdot outside its kernel set's section, in a stripped wheel of which nothing else is known."""
    wheel = _stripped_wheel(tmp_path, {".text": [NOP, SDOT, NOP], ".text.neon_dotprod": [SDOT, SDOT]})
    assert "_core.cpython-311-aarch64-linux-gnu.so: 1 x sdot/udot (vector) in .text;" in _problems(wheel, AARCH64)


@pytest.mark.parametrize(
    ("section", "word", "named"),
    [
        (".text", FADD_HALF, "1 x half precision (vector) in .text"),
        (".text.neon_dotprod", FADD_HALF, "1 x half precision (vector) in .text.neon_dotprod"),
        (".text", LDADD, "1 x atomic read-modify-write or ldapr in .text"),
        (".text.hot", SDOT, "1 x sdot/udot (vector) in .text.hot"),
        (".text.libgcc", SDOT, "1 x sdot/udot (vector) in .text.libgcc"),
        (".text.libgcc", LDADD, ""),
        (".text.neon_dotprod", SDOT, ""),
    ],
)
def test_sections_of_a_stripped_wheel(tmp_path: Path, section: str, word: int, named: str) -> None:
    """What each section may hold; a section that no kernel set owns may hold the baseline."""
    wheel = _stripped_wheel(tmp_path, {section: [NOP, word], ".init": [NOP]})
    report = audit.audit_wheel(wheel, AARCH64, "2.36")
    prefix = "_core.cpython-311-aarch64-linux-gnu.so: "
    assert [problem.removeprefix(prefix) for problem in report.problems] == ([named] if named else [])


@cross
@pytest.mark.parametrize("leaks", [False, True])
def test_linked_library(tmp_path: Path, leaks: bool) -> None:
    dot, flags = "vdotq_s32(a, x, y)", "-march=armv8.2-a+dotprod"
    _object(tmp_path, "src/kernels/neon_dotprod/gemm.o", DOT.format(name="dot", call=dot), flags, "-fPIC")
    text, options = (dot, flags) if leaks else (BASELINE, "-march=armv8-a")
    _object(tmp_path, "src/kernels/neon/gemm.o", DOT.format(name="plain", call=text), options, "-fPIC")
    cpp, script = Path(audit.__file__).parents[2] / "cpp", tmp_path / "sections.ld"
    made = ["cmake", f"-DKERNELS={cpp / 'src/kernels'}", f"-DOUTPUT={script}"]
    subprocess.run([*made, "-P", cpp / "cmake/PotstillKernelSets.cmake"], check=True)
    library = tmp_path / "m.so"
    command = ["aarch64-linux-gnu-g++", "-shared", "-s", f"-Wl,-T,{script}", "-o", library]
    subprocess.run([*command, *sorted(tmp_path.rglob("*.o"))], check=True)
    with library.open("rb") as stream:
        elf = ELFFile(stream)
        assert elf.get_section_by_name(".text.neon_dotprod")["sh_size"] > 0
        problems = instructions.problems_of_library(library, elf)
    assert problems == (["1 x sdot/udot (vector) in .text"] if leaks else [])


@pytest.mark.skipif(shutil.which("arm-linux-gnueabihf-g++") is None, reason="needs g++-arm-linux-gnueabihf")
@pytest.mark.parametrize("mode", ["-mthumb", "-marm"])
@pytest.mark.parametrize("leaks", [False, True])
def test_32_bit_wheel_with_a_stray_dot_product(tmp_path: Path, mode: str, leaks: bool) -> None:
    """A function compiled for a newer CPU, of which a stripped library's build attributes say nothing."""
    newer = '#pragma GCC target("arch=armv8.2-a+dotprod", "fpu=neon-fp-armv8")\n'
    leak = newer + 'extern "C" void leak() { asm volatile("vsdot.s8 q0, q1, q2"); }\n'
    source = tmp_path / "m.cpp"
    source.write_text('extern "C" int f(int x) { return 2 * x; }\n' + (leak if leaks else ""), encoding="utf-8")
    command = ["arm-linux-gnueabihf-g++", mode, "-march=armv7-a+neon-vfpv4", "-mfloat-abi=hard", "-O1", "-shared"]
    subprocess.run([*command, "-fPIC", "-s", "-nostdlib", "-o", tmp_path / "m.so", source], check=True)
    files = {MODULE.format("arm-linux-gnueabihf"): (tmp_path / "m.so").read_bytes()}
    target = dataclasses.replace(boards.board("pi2").target, load_alignment=4096)
    report = audit.audit_wheel(_wheel(tmp_path, "manylinux_2_34_armv7l", files), target, "2.36")
    problem = "_core.cpython-311-arm-linux-gnueabihf.so: 1 x vsdot/vudot (vector) in .text"
    assert report.problems == ([problem] if leaks else [])
    subprocess.run([*command, "-c", "-o", tmp_path / "m.o", source], check=True)
    assert instructions.problems_of_objects(tmp_path, target)[1] == (
        ["m.o: vsdot/vudot (vector) in leak"] if leaks else []
    )


def test_x86_sections(tmp_path: Path) -> None:
    """AVX2 in .text is a leak, in .text.avx2 it is that set's; AVX-512 is a leak there."""
    if platform.machine() != "x86_64":
        pytest.skip("needs an x86-64 compiler")
    (tmp_path / "m.s").write_text(
        'vpaddd %ymm0, %ymm1, %ymm2\n.section .text.avx2, "ax"\nvpaddd %ymm0, %ymm1, %ymm2\n'
        'vpaddd %zmm0, %zmm1, %zmm2\n.section .text.avx512vnni, "ax"\nvpaddd %zmm0, %zmm1, %zmm2\n',
        encoding="utf-8",
    )
    subprocess.run(["gcc", "-c", tmp_path / "m.s", "-o", tmp_path / "m.o"], check=True)
    with (tmp_path / "m.o").open("rb") as stream:
        problems = instructions.problems_of_library(tmp_path / "m.o", ELFFile(stream))
    assert problems == ["1 x vpaddd in .text", "1 x vpaddd in .text.avx2"]
