"""The sessions' own decisions: a wheel that cannot be, what is audited, a second build that differs."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import Any

import pytest
from toolchains.wheels.sources import source_hash

from potstill import boards
from potstill.errors import BuildError, PotstillError
from toolchains import goals
from toolchains.roots import sysroot
from toolchains.wheels import build as wheels
from toolchains.wheels import jobs as wheel_jobs


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work and dist folders are this test's."""
    monkeypatch.setattr(goals, "WORK", tmp_path / "work")
    monkeypatch.setattr(wheel_jobs, "WORK", tmp_path / "work")
    monkeypatch.setattr(wheel_jobs, "DIST", tmp_path / "dist")
    monkeypatch.setattr(wheels, "DIST", tmp_path / "dist")
    monkeypatch.delenv("POTSTILL_BOARDS", raising=False)


def _no_root(code: str) -> Any:
    def root_of(*_: object) -> Path:
        raise BuildError(code, "unexpected size", "packages for armhf", "try again")

    return root_of


def test_wheel_that_may_be_missing(session: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The session says so and succeeds; whoever needs that wheel is told why it is not there."""
    monkeypatch.setattr(sysroot, "root_of", _no_root("B006"))
    assert wheel_jobs.build_wheel(session, "armv7l-cp313") is None
    assert session.lines[-1].startswith("NO WHEEL armv7l-cp313: ") and "unexpected size" in session.lines[-1]
    board = boards.board("pi2-trixie")
    assert "unexpected size" in wheel_jobs.why_missing(board)
    with pytest.raises(PotstillError, match=r"error\[B009\].*wheels\(armv7l-cp313\).*unexpected size"):
        wheel_jobs.finished(board)
    assert wheel_jobs.why_missing(boards.board("pi4")) == ""


@pytest.mark.parametrize(
    ("name", "code"), [("aarch64-cp311", "B006"), ("armv7l-cp311", "B006"), ("armv7l-cp313", "B007")]
)
def test_wheels_that_must_be(session: Any, monkeypatch: pytest.MonkeyPatch, name: str, code: str) -> None:
    monkeypatch.setattr(sysroot, "root_of", _no_root(code))
    with pytest.raises(PotstillError, match=rf"error\[{code}\]"):
        wheel_jobs.build_wheel(session, name)


def _wheel(name: str, content: bytes = b"1") -> Path:
    wheels.DIST.mkdir(exist_ok=True)
    path = wheels.DIST / name
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(zipfile.ZipInfo("potstill/a.py"), b"a")
        archive.writestr(zipfile.ZipInfo("potstill/_core.so"), content)
    return path


PI = "potstill-0.1.0-cp311-cp311-manylinux_2_34_aarch64.whl"


def _current(path: Path) -> goals.Goal:
    """Make `path` the current wheel of the Pi 4."""
    goal = goals.board_goal(boards.board("pi4"))
    goal.folder.mkdir(parents=True)
    goal.objects.mkdir()
    wheels._publish(goal, path, source_hash())
    return goal


def test_audit_of_all(session: Any) -> None:
    """Every wheel in dist/; objects are read too where they are those of these sources."""
    with pytest.raises(PotstillError, match=r"error\[B009\].*dist/\*.whl"):
        wheel_jobs.audit(session, [])
    other = _wheel(PI.replace("cp311", "cp312"))
    goal = _current(_wheel(PI))
    wheel_jobs.audit(session, [])
    start = ("python", "-m", "toolchains.audit.wheel")
    assert session.commands == [
        (*start, str(wheels.DIST / PI), "--objects", str(goal.objects)),
        (*start, str(other)),
    ]


def test_audit_of_a_file(session: Any, tmp_path: Path) -> None:
    file = tmp_path / PI
    file.touch()
    wheel_jobs.audit(session, [str(file)])
    assert session.commands == [("python", "-m", "toolchains.audit.wheel", str(file))]
    with pytest.raises(PotstillError, match=r"error\[B009\].*absent.whl"):
        wheel_jobs.audit(session, ["absent.whl"])
    with pytest.raises(PotstillError, match=r"error\[B016\].*--twice"):
        wheel_jobs.audit(session, ["--twice", str(file)])
    with pytest.raises(PotstillError, match=r"error\[B009\]: not built from these sources"):
        wheel_jobs.audit(session, ["--reproducible", str(file)])


@pytest.mark.parametrize("same", [True, False])
def test_second_build(session: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, same: bool) -> None:
    """From a copy elsewhere, with another mask for new files; B031 names the file inside that differs."""
    first = _wheel(PI)
    _current(first)
    monkeypatch.setattr(sysroot, "root_of", lambda *_: tmp_path / "root")
    seen: list[Any] = []

    def make(goal: object, root: Path, run: object, folder: Path, objects: Path, sources: Path) -> Path:
        mask = os.umask(0)
        os.umask(mask)
        seen.append((mask, (sources / "pyproject.toml").is_file(), objects.is_relative_to(wheel_jobs.WORK / "again")))
        second = tmp_path / "second.whl"
        second.write_bytes(first.read_bytes() if same else _wheel("other.whl", b"2").read_bytes())
        return second

    monkeypatch.setattr(wheels, "make", make)
    before = os.umask(0o022)
    try:
        if same:
            wheel_jobs.audit(session, ["--reproducible", str(first)])
            assert "built twice, the same bytes" in session.lines[-1]
        else:
            with pytest.raises(PotstillError, match=r"error\[B031\]: two builds differ: potstill/_core.so; "):
                wheel_jobs.audit(session, ["--reproducible", str(first)])
        assert seen == [(0o077, True, True)]
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(before)
