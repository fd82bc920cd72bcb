"""Emulated boards: command line, clean environment, installing, failures. The emulator here is a shell script that
drops its options and runs the program, so no foreign code is needed; nox -s emulate uses the real one."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path

import pytest
from toolchains.emulate.emulator import Emulator

from potstill import boards
from potstill.errors import PotstillError
from toolchains.emulate import same_bits

BOARD = boards.board("pi4")


def test_command_names_cpu_and_root(emulator: Emulator) -> None:
    """The board's CPU is always given: the emulator's default has instructions that no Pi has."""
    command = emulator.python("-c", "pass")
    assert command[:5] == ["qemu-aarch64", "-cpu", "cortex-a72", "-L", str(emulator.root)]
    assert command[5:] == [str(emulator.root / "usr/bin/python3.11"), "-c", "pass"]
    assert emulator.command("tool", cpu="cortex-a53")[2] == "cortex-a53"


def test_environment_is_the_boards(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "OPENBLAS_CORETYPE", "VIRTUAL_ENV"):
        monkeypatch.setenv(name, "x")
    environment = emulator.environment({"POTSTILL_ISA": "neon"})
    told = {"POTSTILL_BOARD", "POTSTILL_BOARD_KERNELS", "POTSTILL_BOARD_PAGE_SIZE"}
    assert set(environment) == {"PATH", "HOME", "LANG", "OMP_WAIT_POLICY", "POTSTILL_ISA", *told}
    assert environment["POTSTILL_BOARD"] == "pi4"
    assert environment["POTSTILL_BOARD_KERNELS"] == "neon,reference"
    assert environment["POTSTILL_BOARD_PAGE_SIZE"] == "4096"


def test_pages_are_the_boards(system_root: Path, tmp_path: Path) -> None:
    """A Pi 5's kernel has pages of 16 KiB."""
    command = Emulator(boards.board("pi5"), system_root, tmp_path / "boards").python("-c", "pass")
    assert command[:5] == ["qemu-aarch64", "-cpu", "cortex-a76", "-p", "16384"]


def test_root_has_the_boards_cpuinfo(emulator: Emulator, system_root: Path) -> None:
    """Its own /proc/cpuinfo; the shared system root stays as it was."""
    assert "0xd08" in (emulator.root / "proc/cpuinfo").read_text(encoding="utf-8")
    assert not (system_root / "proc").exists()


def _wheel(folder: Path, version: str) -> Path:
    path = folder / f"potstill-{version}-cp311-cp311-manylinux_2_34_aarch64.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("potstill/__init__.py", version)
        archive.writestr(f"potstill-{version}.data/scripts/potstill-run", "#!/bin/sh\n")
        archive.writestr(f"potstill-{version}.dist-info/METADATA", "")
    return path


def test_install_replaces(emulator: Emulator, tmp_path: Path) -> None:
    """The wheel lands where the board's Python looks; another wheel leaves nothing of the first."""
    extra = tmp_path / "extra"
    (extra / "pluggy").mkdir(parents=True)
    emulator.install(_wheel(tmp_path, "1"), [extra])
    assert emulator.site == emulator.root / "usr/local/lib/python3.11/dist-packages"
    assert (emulator.site / "potstill/__init__.py").read_text() == "1"
    assert (emulator.site / "pluggy").is_dir()
    assert os.access(emulator.root / "usr/local/bin/potstill-run", os.X_OK)
    emulator.install(_wheel(tmp_path, "2"))
    assert (emulator.site / "potstill/__init__.py").read_text() == "2"
    assert not (emulator.site / "potstill-1.dist-info").exists()
    assert not (emulator.site / "pluggy").exists()


def test_install_is_skipped_when_current(emulator: Emulator, tmp_path: Path) -> None:
    wheel = _wheel(tmp_path, "1")
    emulator.install(wheel)
    mark = emulator.site / "potstill" / "mark"
    mark.touch()
    emulator.install(wheel)
    assert mark.exists()


def test_run_and_failures(emulator: Emulator) -> None:
    """Output comes back; a bad status, an illegal instruction and a hang are B011."""
    assert emulator.run(emulator.python("-c", "echo $POTSTILL_BOARD")) == "pi4\n"
    with pytest.raises(PotstillError, match=r"error\[B011\]: status 3: no such model"):
        emulator.run(emulator.python("-c", "echo no such model >&2; exit 3"))
    with pytest.raises(PotstillError, match="illegal instruction"):
        emulator.run(emulator.python("-c", "exit 132"))
    with pytest.raises(PotstillError, match="no end after 0 s"):
        emulator.run(emulator.python("-c", "sleep 5"), timeout=0.2)


def test_no_emulator(system_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    with pytest.raises(PotstillError, match=r"error\[B001\].*qemu-user"):
        Emulator(BOARD, system_root, tmp_path / "boards")


def test_root_without_python(tmp_path: Path, system_root: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(PotstillError, match=r"error\[B014\]"):
        Emulator(BOARD, tmp_path / "empty", tmp_path / "boards")


def _result(*rows: str, isa: str = "neon") -> dict[str, object]:
    answers = [{"text": str(i), "label": "x", "score": 1.0} for i in range(len(rows))]
    combinations = {
        f"{name}/{n}/{how}": list(rows) for name in ("reference", isa) for n in (1, 2) for how in ("alone", "batch")
    }
    return {"answers": answers, "isa": isa, "refused": [], "logits": combinations}


def test_one_changed_byte_is_found() -> None:
    """Place, combination and text are named; host combinations are compared too."""
    board = _result("00aa", "11bb")
    board["logits"]["neon/2/batch"] = ["00aa", "11bc"]  # type: ignore[index]
    assert same_bits.disagreements(_result("00aa", "11bb"), {"pi4": _result("00aa", "11bb")}) == []
    assert same_bits.disagreements(_result("00aa", "11bb"), {"pi4": board}) == ["pi4 neon/2/batch text 1"]
    assert same_bits.disagreements(board, {}) == ["host neon/2/batch text 1"]


class _Fixed:
    """An emulator whose program prints a fixed result."""

    board = BOARD

    def __init__(self, result: dict[str, object]) -> None:
        self.result, self.runs = result, 0

    def python(self, *arguments: object) -> list[str]:
        return [str(argument) for argument in arguments]

    def run(self, command: list[str]) -> str:
        self.runs += 1
        return json.dumps(self.result)


def _compare(tmp_path: Path, fixed: _Fixed) -> dict[str, object]:
    for name in ("model.still", "host.whl", "board.whl"):
        if not (tmp_path / name).exists():
            (tmp_path / name).write_bytes(b"1")
    return same_bits.compare(
        tmp_path / "model.still",
        ["0", "1"],
        [fixed],  # type: ignore[list-item]
        tmp_path / "emulated.json",
        python="unused",
        wheels=[tmp_path / "host.whl", tmp_path / "board.whl"],
        say=lambda _: None,
    )


def test_compare_writes_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The result is kept until the model, a wheel or the sentences change."""
    monkeypatch.setattr(same_bits, "host_matrix", lambda *_: _result("00aa", "11bb", isa="avx2"))
    fixed = _Fixed(_result("00aa", "11bb"))
    first = _compare(tmp_path, fixed)
    assert json.loads((tmp_path / "emulated.json").read_text()) == first
    assert first["runs"][0]["isa"] == "neon" and first["runs"][0]["same_bits"] is True  # type: ignore[index]
    assert _compare(tmp_path, fixed) == first
    assert fixed.runs == 1
    (tmp_path / "model.still").write_bytes(b"2")
    _compare(tmp_path, fixed)
    assert fixed.runs == 2
    assert sorted(p.name for p in tmp_path.iterdir() if p.name.startswith(".tmp")) == []


def test_compare_refuses_other_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(same_bits, "host_matrix", lambda *_: _result("00aa", "11bb"))
    with pytest.raises(PotstillError, match=r"error\[B015\].*pi4 reference/1/alone text 0"):
        _compare(tmp_path, _Fixed(_result("00ab", "11bb")))
    assert not (tmp_path / "emulated.json").exists()
