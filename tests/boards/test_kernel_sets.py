"""The tables of kernel sets and kernels: read as they are written, and nothing left out beside them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from potstill.boards import kernel_sets, sets_for
from potstill.boards.kernel_sets import sets_file
from toolchains.audit import arm32, instructions

CPP = Path(__file__).parents[2] / "cpp"
KERNELS = CPP / "src" / "kernels"


def test_every_row_is_read() -> None:
    """As many as the file has; the installed file is the tree's; each has a folder and each folder a row."""
    text = (KERNELS / "sets.def").read_text(encoding="utf-8")
    assert sets_file().read_text(encoding="utf-8") == text
    names = [row.name for row in kernel_sets()]
    assert names == re.findall(r"^POTSTILL_KERNEL_SET\((\w+)", text, re.MULTILINE)
    assert set(names) == {path.parent.name for path in KERNELS.glob("*/*.cpp")} - {"simd"}
    assert names[-1] == "reference" and {row.machine for row in kernel_sets()} == {"x86_64", "aarch64", "armv7l", "any"}


def test_the_audit_knows_what_sets_hold() -> None:
    """A misspelt name of an instruction would forbid it, and let the set's own code fail."""
    known = {name.partition(" (")[0] for _, _, name in (*instructions.NEWER_A64, *arm32.NEWER)} | {"avx2", "avx512"}
    for row in kernel_sets():
        assert row.holds <= known, row.name


@pytest.mark.parametrize(
    ("machine", "features", "names"),
    [
        ("aarch64", "fp asimd asimddp", ["neon_dotprod", "neon", "reference"]),
        ("aarch64", "fp asimd", ["neon", "reference"]),
        ("armv7l", "neon vfpv4 asimd asimddp", ["neon32", "reference"]),
        ("x86_64", "avx2", ["reference"]),
        ("riscv64", "asimd avx2 fma", ["reference"]),
    ],
)
def test_sets_by_features(machine: str, features: str, names: list[str]) -> None:
    """All needed words count, and sets stay with their machine."""
    assert sets_for(machine, features.split()) == names


def test_every_kernel_is_compared() -> None:
    """Some test of cpp/tests/kernels/ calls it; those run for each set."""
    called = "".join(path.read_text(encoding="utf-8") for path in (CPP / "tests" / "kernels").glob("*_test.cpp"))
    kernels = re.findall(
        r"^POTSTILL_KERNEL\((\w+)", (KERNELS / "kernels.def").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert len(kernels) >= 10
    assert [kernel for kernel in kernels if not re.search(rf"\bset(\(\))?\.{kernel}\(", called)] == []
