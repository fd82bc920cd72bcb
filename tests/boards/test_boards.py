"""boards.toml: the real file is right, and each kind of mistake in a copy is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from potstill.boards import Board, board, builtin_file, glibc_version, load_boards
from potstill.errors import BuildError

BOARDS_FILE = Path(__file__).parents[2] / "toolchains" / "boards.toml"


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
    assert builtin_file().read_bytes() == BOARDS_FILE.read_bytes()


def test_machine_types_and_systems() -> None:
    """One entry gives a board for each of its machine types and systems, the first of both by the short name."""
    boards = load_boards()
    named = {name for name, entry in boards.items() if entry.hardware == "pi4"}
    assert named == {"pi4", "pi4-trixie", "pi4-32", "pi4-32-trixie"}
    assert (boards["pi4"].target.name, boards["pi4"].system.python) == ("aarch64", "3.11")
    assert (boards["pi4-32-trixie"].target.name, boards["pi4-32-trixie"].system.python) == ("armv7l", "3.13")
    assert boards["pi5"].kernels == ["neon_dotprod", "neon", "reference"]
    assert boards["pi4"].kernels == ["neon", "reference"] and boards["pi5-32"].kernels == ["neon32", "reference"]
    assert boards["pi2"].target.name == "armv7l"


OWN = """
[boards.gateway]
title = "Gateway"
core = "cortex-a53"
clock_mhz = 1400
cores = 2
ram_mb = 256
systems = ["trixie"]
memory = { read_gb_s_one = 1.5, read_gb_s_all = 2, last_cache_kb = 256, source = "data sheet" }
chip = { implementer = 0x41, architecture = 8, variant = 0, part = 0xd03, revision = 4 }

[boards.gateway.aarch64]
qemu_cpu = "cortex-a53"
page_size = 4096
features = "fp asimd evtstrm crc32 cpuid"
"""


def test_a_board_of_the_users_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file outside the project adds a board; targets and systems are the built-in ones."""
    own = tmp_path / "mine.toml"
    own.write_text(OWN, encoding="utf-8")
    monkeypatch.setenv("POTSTILL_BOARDS", str(own))
    assert board("gateway").system.python == "3.13"
    assert board("gateway").memory.read_gb_s_all == 2.0
    assert "pi4" in load_boards()
    own.write_text(OWN.replace("boards.gateway", "boards.pi4"), encoding="utf-8")
    with pytest.raises(BuildError, match="taken"):
        board("pi4")
    monkeypatch.setenv("POTSTILL_BOARDS", str(tmp_path / "absent.toml"))
    with pytest.raises(BuildError, match="cannot be read"):
        board("pi4")


def test_the_usual_place_of_own_boards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """potstill/boards.toml in the configuration folder needs no variable."""
    monkeypatch.delenv("POTSTILL_BOARDS", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert "gateway" not in load_boards()
    (tmp_path / "potstill").mkdir()
    (tmp_path / "potstill" / "boards.toml").write_text(OWN, encoding="utf-8")
    assert "gateway" in load_boards()


def test_cpuinfo_text() -> None:
    """One block a processor, in the kernel's format."""
    text = board("pi4").cpuinfo_text(processors=3)
    assert text.count("processor\t: ") == 3
    assert text.count("CPU part\t: 0xd08\n") == 3
    assert "asimddp" not in text
    assert "asimddp" in board("pi5").cpuinfo_text(1)


def test_unknown_board() -> None:
    """The error lists the boards there are."""
    with pytest.raises(BuildError) as caught:
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
        ('systems = ["bookworm", ', 'systems = ["potato", ', "no such system"),
        ('systems = ["bookworm", "trixie"]', "systems = []", "systems is empty"),
        ("[boards.pi3.aarch64]", "[boards.pi3.riscv]", "no such target"),
        ("read_gb_s_one = 1.6", "read_gb_s_one = 0", "positive"),
        ("[boards.pi3.memory]", "[boards.pi3.memories]", "no such target"),
        ("[boards.pi3]", "[boards.Pi_3]", "small letters"),
        ('glibc = "2.36"', 'glibc = "new"', "new"),
        ("page_size = 16384", 'page_size = 16384\nkernels = ["neon"]', "kernels"),
        ("[targets.aarch64]", "[targets.aarch64", "syntax"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, old: str, new: str, named: str) -> None:
    """B003 with the entry or key at fault."""
    text = BOARDS_FILE.read_text(encoding="utf-8")
    assert old in text
    changed = tmp_path / "boards.toml"
    changed.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(BuildError) as caught:
        load_boards(changed)
    assert "error[B003]" in str(caught.value)
    assert named in str(caught.value)


def test_board_is_immutable() -> None:
    """Sessions share the entries."""
    entry: Board = board("pi4")
    with pytest.raises(AttributeError):
        entry.cores = 8  # type: ignore[misc]
