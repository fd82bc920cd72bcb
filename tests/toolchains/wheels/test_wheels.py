"""A wheel is rebuilt when, and only when, something it is made from changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from potstill import boards
from potstill.errors import PotstillError
from toolchains import goals
from toolchains.wheels import build as wheels
from toolchains.wheels import sources as wheel_sources


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A small copy of the project's shape."""
    for name in (
        "pyproject.toml", "CMakeLists.txt", "cpp/src/a.cpp", "cpp/tests/t.cpp", "python/potstill/__init__.py",
        "toolchains/cmake/common.cmake", "toolchains/audit/wheel.py", "docs/x.md",
    ):  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("pyproject.toml", True),
        ("cpp/src/a.cpp", True),
        ("cpp/src/new.cpp", True),
        ("python/potstill/new.py", True),
        ("toolchains/cmake/common.cmake", True),
        ("toolchains/audit/wheel.py", False),
        ("cpp/tests/t.cpp", False),
        ("docs/x.md", False),
        ("python/potstill/__pycache__/x.pyc", False),
        ("python/potstill/_core.cpython-311-x86_64-linux-gnu.so", False),
        ("python/potstill/_still_fb.py", False),
    ],
)
def test_source_hash(tree: Path, name: str, changes: bool) -> None:
    before = wheel_sources.source_hash(tree)
    assert wheel_sources.source_hash(tree) == before
    (tree / name).parent.mkdir(parents=True, exist_ok=True)
    (tree / name).write_text("changed", encoding="utf-8")
    assert (wheel_sources.source_hash(tree) != before) is changes


@pytest.fixture
def goal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> goals.Goal:
    """The Pi's wheel, in folders of this test."""
    monkeypatch.setattr(goals, "WORK", tmp_path / "work")
    monkeypatch.setattr(wheels, "DIST", tmp_path / "dist")
    monkeypatch.setattr(wheels, "source_hash", lambda: "state-1")
    return goals.board_goal(boards.board("pi4"))


def _published(goal: goals.Goal, tmp_path: Path, tag: str = "manylinux_2_34") -> Path:
    made = tmp_path / f"potstill-0.1.0-cp311-cp311-{tag}_aarch64.whl"
    made.write_bytes(tag.encode())
    goal.folder.mkdir(parents=True, exist_ok=True)
    return wheels._publish(goal, made, "state-1")


def test_published_wheel_is_found(goal: goals.Goal, tmp_path: Path) -> None:
    assert wheels.built(goal) is None
    final = _published(goal, tmp_path)
    assert wheels.built(goal) == final
    assert wheels.built(goal, "state-2") is None
    final.write_bytes(b"altered")
    assert wheels.built(goal) is None
    final.unlink()
    assert wheels.built(goal) is None


def test_publish_replaces_this_targets_wheel_only(goal: goals.Goal, tmp_path: Path) -> None:
    _published(goal, tmp_path, "manylinux_2_28")
    names = ["cp311-cp311-manylinux_2_34_x86_64", "cp313-cp313-manylinux_2_34_aarch64"]
    others = [f"potstill-0.1.0-{name}.whl" for name in names]
    for name in others:
        (tmp_path / "dist" / name).touch()
    final = _published(goal, tmp_path)
    assert sorted(p.name for p in (tmp_path / "dist").iterdir()) == sorted([*others, final.name])


def test_build_commands(goal: goals.Goal, tmp_path: Path) -> None:
    """The tag and the variables of a cross build; a build that makes nothing is B033 and leaves no wheel."""
    seen: list[tuple[tuple[str, ...], dict[str, str]]] = []
    with pytest.raises(PotstillError, match=r"error\[B033\]: 0 wheels"):
        wheels.build(goal, tmp_path / "root", lambda *c, env: seen.append((c, env)), print)
    command, variables = seen[0]
    assert "wheel.tags=cp311-cp311-linux_aarch64" in command
    assert variables == {
        "POTSTILL_TARGET": "aarch64", "POTSTILL_ROOT": str(tmp_path / "root"), "POTSTILL_PYTHON": "3.11",
        "SOURCE_DATE_EPOCH": wheels.EPOCH, "POTSTILL_WHEEL": "board",
    }  # fmt: skip
    assert not (tmp_path / "dist").exists()


def test_machine_of_a_boards_type_keeps_everything(
    goal: goals.Goal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There the boards' wheel is the host's as well, which has to build models."""
    monkeypatch.setattr(wheels, "native", lambda target: True)
    assert "POTSTILL_WHEEL" not in wheels.build_environment(goal, tmp_path)


def test_damaged_stamp_means_rebuild(goal: goals.Goal, tmp_path: Path) -> None:
    _published(goal, tmp_path)
    stamp = goal.folder / "wheel.txt"
    stamp.write_text(stamp.read_text(encoding="utf-8")[:10], encoding="utf-8")
    assert wheels.built(goal) is None


def test_copy_of_the_sources(tree: Path, tmp_path: Path) -> None:
    """What a second build gets: the same hash, nothing more."""
    copy = wheel_sources.copy_sources(tmp_path / "copy", tree)
    assert wheel_sources.source_hash(copy) == wheel_sources.source_hash(tree)
    assert not (copy / "docs").exists() and not (copy / "cpp/tests").exists()
