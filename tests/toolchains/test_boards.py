"""boards.toml: the real file is right, and each kind of mistake in a copy is named."""

from __future__ import annotations

from pathlib import Path

import pytest
from toolchains.boards import BOARDS_FILE, Board, board, glibc_version, load_boards
from toolchains.failures import PotstillError


def test_real_file() -> None:
    """The boards of the design are there, with what tells them apart."""
    boards = load_boards()
    assert {"pi3", "pi4", "pi5"} <= set(boards)
    assert boards["pi4"].qemu_cpu == "cortex-a72"
    assert boards["pi5"].qemu_cpu == "cortex-a76"
    assert boards["pi5"].page_size == 16384
    for entry in boards.values():
        assert entry.target.load_alignment % entry.page_size == 0
        assert glibc_version(entry.system.glibc) >= (2, 34)
        assert f"libpython{entry.system.python}-dev" in entry.system.packages


def test_cpuinfo_text() -> None:
    """One block a processor, in the kernel's format."""
    text = board("pi4").cpuinfo_text(processors=3)
    assert text.count("processor\t: ") == 3
    assert text.count("CPU part\t: 0xd08\n") == 3
    assert "asimddp" not in text
    assert "asimddp" in board("pi5").cpuinfo_text(1)


def test_unknown_board() -> None:
    """The error lists the boards there are."""
    with pytest.raises(PotstillError) as caught:
        board("pi9")
    assert "error[B002]" in str(caught.value) and "pi4" in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('title = "Raspberry Pi 4 Model B"', 'titel = "x"', "titel"),
        ("clock_mhz = 1800\n", "", "clock_mhz"),
        ("clock_mhz = 1800", 'clock_mhz = "fast"', "clock_mhz"),
        ("clock_mhz = 1800", "clock_mhz = 0", "positive"),
        ("page_size = 16384", "page_size = 16000", "16000"),
        ("page_size = 16384", "page_size = 131072", "load_alignment"),
        ('system = "bookworm"', 'system = "potato"', "no such system"),
        ('target = "aarch64"', 'target = "riscv"', "no such target"),
        ('toolchain = "aarch64-linux-gnu.cmake"', 'toolchain = "none.cmake"', "none.cmake"),
        ('glibc = "2.36"', 'glibc = "new"', "new"),
        ('kernels = ["neon"]', 'kernels = ["neon_dotprod"]', "asimddp"),
        ('kernels = ["neon"]', "kernels = [1]", "kernels"),
        ("[targets.aarch64]", "[targets.aarch64", "syntax"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, old: str, new: str, named: str) -> None:
    """B003 with the entry or key at fault."""
    text = BOARDS_FILE.read_text(encoding="utf-8")
    assert old in text
    for toolchain in BOARDS_FILE.parent.glob("*.cmake"):
        (tmp_path / toolchain.name).touch()
    changed = tmp_path / "boards.toml"
    changed.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(PotstillError) as caught:
        load_boards(changed)
    assert "error[B003]" in str(caught.value)
    assert named in str(caught.value)


def test_board_is_immutable() -> None:
    """Sessions share the entries."""
    entry: Board = board("pi4")
    with pytest.raises(AttributeError):
        entry.cores = 8  # type: ignore[misc]
