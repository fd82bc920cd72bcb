"""The session emulate: which boards, which wheels, and what happens when one cannot be had or fails."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from potstill import boards
from potstill.errors import BuildError, PotstillError
from toolchains.sessions import cpp, emulation


def _emulator(name: str) -> Any:
    return SimpleNamespace(board=boards.board(name))


@pytest.fixture
def without_armhf_trixie(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """An archive that has no 32-bit trixie; the boards asked for, in order."""
    asked = []

    def make(session: object, name: str, packages: object) -> Any:
        asked.append(name)
        if name.endswith("32-trixie"):
            raise BuildError("B006", "File has unexpected size", name, "later")
        return _emulator(name)

    monkeypatch.setattr(emulation, "make_board", make)
    return asked


NAMES = ["pi3", "pi3-32-trixie", "pi4-32-trixie", "pi4-trixie"]


def test_an_absent_system_is_left_out_and_named(without_armhf_trixie: list[str]) -> None:
    made, absent = emulation._available(None, NAMES, asked=False)
    assert [emulator.board.name for emulator in made] == ["pi3", "pi4-trixie"]
    assert set(absent) == {"pi3-32-trixie", "pi4-32-trixie"}
    assert all("unexpected size" in reason for reason in absent.values())
    assert without_armhf_trixie == ["pi3", "pi3-32-trixie", "pi4-trixie"]


def test_an_absent_system_that_was_asked_for_fails(without_armhf_trixie: list[str]) -> None:
    with pytest.raises(PotstillError, match=r"error\[B006\]"):
        emulation._available(None, NAMES, asked=True)
    with pytest.raises(PotstillError, match=r"error\[B030\]: no board can be emulated here"):
        emulation._available(None, ["pi3-32-trixie"], asked=False)


def test_a_failure_that_is_ours_is_not_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """An incomplete root is not the mirror's fault."""

    def make(*_: object) -> None:
        raise BuildError("B014", "no python", "", "")

    monkeypatch.setattr(emulation, "make_board", make)
    with pytest.raises(PotstillError, match="B014"):
        emulation._available(None, ["pi3"], asked=False)


def test_every_board_is_tried_before_a_failure_ends_the_session() -> None:
    """And the failure is not lost."""
    tried = []

    def work(emulator: Any) -> None:
        tried.append(emulator.board.name)
        if emulator.board.name == "pi3":
            raise BuildError("B011", "status 1", "pi3", "see")

    with pytest.raises(PotstillError, match=r"error\[B011\]"):
        emulation._each([_emulator(name) for name in ("pi3", "pi4", "pi5")], work)
    assert sorted(tried) == ["pi3", "pi4", "pi5"]


def test_cpp_tests_run_once_a_cpu(session: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Boards that share CPU and page size share the run; each machine type is built with its own toolchain."""
    runs: list[tuple[str, ...]] = []

    def ctest(_: object, folder: Path, variables: dict[str, str], arguments: object) -> None:
        runs.append((folder.name, variables["POTSTILL_BOARD_CPU"], variables["QEMU_PAGESIZE"]))

    asked: set[str] = set()
    monkeypatch.setattr(cpp, "Emulator", lambda board, root: SimpleNamespace(root="/root-of-" + board.name))
    monkeypatch.setattr(cpp.sysroot, "root_of", lambda board, say: None)
    monkeypatch.setattr(cpp.tools, "bootstrap", lambda tools, say: asked.update(tools))
    monkeypatch.setattr(cpp, "configure", lambda *_, **__: None)
    monkeypatch.setattr(cpp, "_publish_tool", lambda session, board, folder: runs.append(("tool", board.target.name)))
    monkeypatch.setattr(cpp, "_ctest", ctest)
    known = boards.load_boards().values()
    cpp.test_boards(session, list(known))
    assert runs.count(("tool", "aarch64")) == runs.count(("tool", "armv7l")) == 1
    cpus = {(board.target.name, board.qemu_cpu, str(board.page_size)) for board in known}
    assert sorted(run for run in runs if run[0] != "tool") == sorted(cpus)
    assert asked >= set(cpp.tools.CPP_TESTS), "a bare machine has no GoogleTest"
