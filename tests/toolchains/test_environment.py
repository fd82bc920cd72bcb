"""Sessions install what changed and nothing else, and PyTorch only as a CPU build."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from potstill.errors import BuildError, PotstillError
from toolchains import environment


def test_requirements_of_the_project() -> None:
    lines = environment.requirements(["build", "test"])
    assert any(line.startswith("torch") for line in lines)
    assert any(line.startswith("pytest") for line in lines)
    assert lines == sorted(set(lines))
    with pytest.raises(KeyError):
        environment.requirements(["no-such-extra"])


def test_install_once(session: Any) -> None:
    environment.install_lines(session, ["a"])
    environment.install_lines(session, ["a"])
    assert session.installed == [("-q", "a")]
    environment.install_lines(session, ["a", "b"])
    assert len(session.installed) == 2


def test_failed_install_is_repeated(session: Any) -> None:
    session.broken = {"a"}
    with pytest.raises(RuntimeError):
        environment.install_lines(session, ["a"])
    session.broken = set()
    environment.install_lines(session, ["a"])
    assert session.installed == [("-q", "a")] * 2


def test_wheel_installed_by_content(session: Any, tmp_path: Path) -> None:
    wheel = tmp_path / "x.whl"
    wheel.write_bytes(b"1")
    for _ in range(2):
        environment.install(session, wheel=wheel)
    assert [words for words in session.installed if str(wheel) in words] == session.installed[1:]
    assert len(session.installed) == 2 and "--no-deps" in session.installed[1]
    wheel.write_bytes(b"2")
    environment.install(session, wheel=wheel)
    assert len(session.installed) == 3


def test_local_torch(tmp_path: Path) -> None:
    """A CPU wheel for the right Python in a find-links folder, from any of pip's settings."""
    (tmp_path / "torch-2.13.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl").touch()
    config = f":env:.cert='x'\nglobal.find-links='/nonexistent {tmp_path}'\n"
    assert environment.local_torch(config, "cp311")
    assert not environment.local_torch(config, "cp313")
    assert not environment.local_torch(f"global.extra-index-url='{tmp_path}'\n", "cp311")
    assert environment.local_torch(f"global.find-links='/nonexistent\\n{tmp_path}'", "cp311")


def test_torch_index(monkeypatch: pytest.MonkeyPatch) -> None:
    """The user's index wins; PyTorch's own only where plain wheels are CUDA builds."""
    own = "https://mirror.example/cpu"
    assert environment.torch_index({"POTSTILL_TORCH_INDEX": own}, "", "cp311") == own
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(environment.platform, "machine", lambda: "x86_64")
    assert environment.torch_index({}, "", "cp311") == environment.TORCH_INDEX
    monkeypatch.setattr(environment.platform, "machine", lambda: "aarch64")
    assert environment.torch_index({}, "", "cp311") is None
    monkeypatch.setattr(sys, "platform", "darwin")
    assert environment.torch_index({}, "", "cp311") is None


def test_torch_comes_first_and_constrained(session: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra index serves torch alone; everything after keeps the constraint."""
    monkeypatch.setenv("POTSTILL_TORCH_INDEX", "https://mirror.example/cpu")
    environment.install_lines(session, ["transformers", "torch>=2.6"])
    first, second = session.installed
    assert first[-3:] == ("--extra-index-url", "https://mirror.example/cpu", "torch")
    assert "--extra-index-url" not in second and "--constraint" in second


def test_optional_packages(session: Any) -> None:
    """One that cannot be had is left out and tried again; the others are installed once, PyTorch held."""
    session.broken = {"absent"}
    assert environment.install_optional(session, ["one", "absent", "two"]) == ["absent"]
    assert [words[-1] for words in session.installed] == ["one", "absent", "two"]
    assert all("--constraint" in words for words in session.installed)
    assert environment.install_optional(session, ["one", "absent", "two"]) == ["absent"]
    assert [words[-1] for words in session.installed[3:]] == ["absent"]


def test_no_torch(session: Any) -> None:
    session.broken = {"torch"}
    with pytest.raises(PotstillError, match=r"error\[B012\].*POTSTILL_TORCH_INDEX.*PIP_FIND_LINKS"):
        environment.install_lines(session, ["torch"])


def test_constraint_file_covers_each_platform() -> None:
    """Exactly one line applies wherever pip runs."""
    from packaging.requirements import Requirement

    lines = environment.TORCH_CONSTRAINT.read_text(encoding="utf-8").splitlines()
    entries = [Requirement(line) for line in lines if line and not line.startswith("#")]
    for system, machine, local in (("linux", "x86_64", True), ("linux", "aarch64", False), ("darwin", "arm64", False)):
        chosen = [
            e for e in entries if e.marker and e.marker.evaluate({"sys_platform": system, "platform_machine": machine})
        ]
        assert len(chosen) == 1
        assert ("+cpu" in str(chosen[0].specifier)) is local


@pytest.mark.parametrize(
    ("words", "arguments", "folder"),
    [
        ([], ["build", "sentiment", "--out", "build/sentiment"], "build/sentiment"),
        (["topics"], ["build", "topics", "--out", "build/topics"], "build/topics"),
        (["my/own.toml", "--out=o"], ["build", "my/own.toml", "--out", "o"], "o"),
        (
            ["--set", "distil.epochs=1", "--out", "o", "--quiet"],
            ["build", "sentiment", "--set", "distil.epochs=1", "--quiet", "--out", "o"],
            "o",
        ),
    ],
)
def test_pipeline_arguments(words: list[str], arguments: list[str], folder: str) -> None:
    assert environment.build_arguments(words) == (arguments, Path(folder))


def test_split_options() -> None:
    assert environment.split_options(["-k", "x", "--board", "pi4", "--model=m"], ["board", "model"]) == (
        {"board": "pi4", "model": "m"},
        ["-k", "x"],
    )
    with pytest.raises(PotstillError, match=r"error\[B016\]"):
        environment.split_options(["--board"], ["board"])


def test_friendly_errors(session: Any) -> None:

    @environment.friendly
    def failing(_: object) -> None:
        raise BuildError("B017", "no such model", "m.still", "run nox -s pipeline first")

    failing(session)
    assert session.lines == ["error[B017]: no such model; m.still; run nox -s pipeline first"]


def test_words_for_pytest() -> None:
    """A whole run and a fast one take all cores; a part, one: its output is read, its debugger used."""
    whole, fast = environment.pytest_arguments([]), environment.pytest_arguments(["fast", "tests/data"])
    assert whole[1] == "-n" and "--fast" not in whole
    assert fast == [*whole, "--fast", "tests/data"] and whole == environment.workers()
    assert environment.pytest_arguments(["tests/data", "-x"]) == ["tests/data", "-x"]
