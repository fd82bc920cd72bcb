"""The audit finds each lie a wheel can tell, and passes one that tells none."""

from __future__ import annotations

import dataclasses
import platform
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest
from toolchains.failures import PotstillError

from toolchains import audit, boards

AARCH64 = boards.board("pi4").target
NAME = "potstill-0.1.0-cp311-cp311-{}.whl"
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


CONTENTS = {
    "potstill/boards/boards.toml": "",
    "potstill-0.1.0.dist-info/entry_points.txt": "[console_scripts]\npotstill = potstill.cli:main\n",
}


def _wheel(
    folder: Path,
    platforms: str,
    files: dict[str, bytes],
    *,
    metadata: str = METADATA,
    tags: str = "",
    contents: dict[str, str] = CONTENTS,
) -> Path:
    path = folder / NAME.format(platforms)
    inside = tags or "".join(f"Tag: cp311-cp311-{p}\n" for p in platforms.split("."))
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
        archive.writestr("potstill-0.1.0.dist-info/METADATA", metadata)
        for name, text in contents.items():
            archive.writestr(name, text)
        archive.writestr("potstill-0.1.0.dist-info/WHEEL", f"Wheel-Version: 1.0\n{inside}")
    return path


MODULE = "potstill/_core.cpython-311-{}.so"


@pytest.fixture(scope="module")
def host() -> boards.Target:
    """This machine as a target, so that good wheels can be made without a cross compiler."""
    machine = platform.machine()
    if machine not in ("x86_64", "aarch64"):
        pytest.skip(f"no ELF facts here for {machine}")
    elf = {"x86_64": "EM_X86_64", "aarch64": "EM_AARCH64"}[machine]
    return dataclasses.replace(
        AARCH64, name=machine, wheel=machine, elf=elf, triple=f"{machine}-linux-gnu", load_alignment=4096
    )


def test_good_wheel(tmp_path: Path, library: bytes, host: boards.Target) -> None:
    """No problem, and the facts are reported."""
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
        ("size", "bytes unpacked, limit 2000000"),
        ("tags", "differ from the file name"),
        ("two", "2 extension modules"),
        ("none", "0 extension modules"),
    ],
)
def test_lies(tmp_path: Path, library: bytes, host: boards.Target, change: str, named: str) -> None:
    """One wrong thing at a time."""
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
        files = {"potstill/__init__.py": b""}
    if change == "size":
        files["potstill/table.bin"] = b"\0" * 2_000_000
    metadata = METADATA + "Requires-Dist: numpy (>=1.26)\n" if change == "requirement" else METADATA
    tags = "Tag: cp311-cp311-linux_riscv64\n" if change == "tags" else ""
    assert named in _problems(_wheel(tmp_path, platforms, files, metadata=metadata, tags=tags), host)


def test_command_line(tmp_path: Path, host: boards.Target, capsys: pytest.CaptureFixture[str]) -> None:
    """``python -m toolchains.audit``: an error a bad wheel, and 1."""
    wheel = _wheel(tmp_path, "manylinux_2_34_aarch64", {"potstill/__init__.py": b""})
    assert audit.main(["pi4", str(wheel)]) == 1
    assert "0 extension modules" in capsys.readouterr().err


# --- instructions ---------------------------------------------------------------------------------------------------

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
    count, problems = audit.audit_objects(tmp_path, AARCH64)
    assert count == 1
    assert problems == [f"CMakeFiles/x.dir/src/kernels/neon/gemm.cpp.o: {CALLS[call]} in leak"]


@cross
def test_right_objects(tmp_path: Path) -> None:
    """Plain NEON anywhere and dot products in their folder: nothing to report."""
    _object(tmp_path, "src/kernels/neon/gemm.o", DOT.format(name="plain", call=BASELINE), "-march=armv8-a")
    text = DOT.format(name="dot", call="vdotq_s32(a, x, y)")
    _object(tmp_path, "src/kernels/neon_dotprod/gemm.o", text, "-march=armv8.2-a+dotprod")
    assert audit.audit_objects(tmp_path, AARCH64) == (2, [])


@cross
def test_mergeable_function_in_a_special_object(tmp_path: Path) -> None:
    """An inline function compiled with newer flags could replace the baseline's copy."""
    text = (
        "inline __attribute__((noinline)) int twice(int x) { return 2 * x; }\nint g(int x) { return twice(x) + 1; }\n"
    )
    _object(tmp_path, "src/kernels/neon_dotprod/gemm.o", text, "-march=armv8.2-a+dotprod")
    _, problems = audit.audit_objects(tmp_path, AARCH64)
    assert len(problems) == 1 and "may replace the baseline's copy" in problems[0]


def test_no_objects_is_a_problem(tmp_path: Path, library: bytes, host: boards.Target) -> None:
    """An audit that looked at nothing must not pass."""
    wheel = _wheel(tmp_path, f"manylinux_2_34_{host.wheel}", {MODULE.format(host.triple): library})
    (tmp_path / "empty").mkdir()
    with pytest.raises(PotstillError, match="no object files"):
        audit.check(wheel, host, "2.36", tmp_path / "empty")


def test_missing_contents(tmp_path: Path, library: bytes, host: boards.Target) -> None:
    """The table of boards and the command must be inside."""
    files = {MODULE.format(host.triple): library}
    text = _problems(_wheel(tmp_path, f"manylinux_2_34_{host.wheel}", files, contents={}), host)
    assert "boards.toml is not inside" in text and "command potstill is not inside" in text


@pytest.mark.parametrize(
    ("tags", "python", "machine"),
    [("cp313-cp313-manylinux_2_34_aarch64", "3.13", "aarch64"), ("cp311-cp311-linux_armv7l", "3.11", "armv7l")],
)
def test_goal_by_file_name(tags: str, python: str, machine: str) -> None:
    """Machine type and Python of the tags."""
    goal = audit.goal_of(Path(f"potstill-0.1.0-{tags}.whl"))
    assert (goal.python, goal.target.wheel) == (python, machine)


@pytest.mark.parametrize("name", ["potstill-0.1.0-cp39-cp39-manylinux_2_34_aarch64.whl", "notes.whl"])
def test_file_name_of_nothing_known(name: str) -> None:
    """Refused with what is known."""
    with pytest.raises(PotstillError, match="cp313 aarch64"):
        audit.goal_of(Path(name))
