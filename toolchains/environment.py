"""What nox sessions share: installing only what changed, the CPU build of PyTorch, errors as one line.

`session` is nox's Session everywhere; nox itself is not imported, so that tests need none.
"""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import sys
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from potstill.errors import BuildError, PotstillError
from toolchains import PROJECT

TORCH_CONSTRAINT = PROJECT / "toolchains" / "torch-cpu.txt"
# PyTorch's own index: the only public place of "+cpu" builds. Used on x86-64 Linux when no such wheel is on disk.
TORCH_INDEX = "https://download.pytorch.org/whl/cpu"


def friendly(function: Callable[..., None]) -> Callable[..., None]:
    """A session whose `PotstillError` ends it with that error's line instead of a traceback."""

    @functools.wraps(function)
    def run(session: Any, *args: Any, **kwargs: Any) -> None:
        try:
            function(session, *args, **kwargs)
        except PotstillError as error:
            session.error(str(error))

    return run


def requirements(extras: Iterable[str] = (), groups: Iterable[str] = ()) -> list[str]:
    """The requirements of pyproject.toml's extras and dependency groups, sorted, each once."""
    data = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = {line for extra in extras for line in data["project"]["optional-dependencies"][extra]}
    wanted |= {line for group in groups for line in data["dependency-groups"][group]}
    return sorted(wanted)


def local_torch(pip_config: str, python_tag: str) -> bool:
    """Whether a folder of pip's find-links holds a CPU build of PyTorch for `python_tag` ("cp311").

    Args:
        pip_config: what ``pip config list`` prints.
    """
    for line in pip_config.splitlines():
        name, _, value = line.partition("=")
        if not name.endswith(".find-links"):
            continue
        for place in value.strip("'\"").replace("\\n", " ").split():
            if place and any(Path(place).glob(f"torch-*+cpu-{python_tag}-*.whl")):
                return True
    return False


def torch_index(environment: Mapping[str, str], pip_config: str, python_tag: str) -> str | None:
    """The extra index to take PyTorch from, or None: POTSTILL_TORCH_INDEX, else PyTorch's own where it is needed."""
    if own := environment.get("POTSTILL_TORCH_INDEX"):
        return own
    needed = sys.platform == "linux" and platform.machine() == "x86_64"
    return TORCH_INDEX if needed and not local_torch(pip_config, python_tag) else None


def _stamp(session: Any, name: str) -> Path:
    return Path(session.virtualenv.location) / f".potstill-{name}"


def _current(stamp: Path, state: str) -> bool:
    return stamp.is_file() and stamp.read_text(encoding="utf-8") == state


def _state(*parts: str) -> str:
    return hashlib.sha256("\0".join([sys.version, *parts]).encode()).hexdigest()


def install(session: Any, wanted: Sequence[str], *, torch: bool = False) -> None:
    """Install `wanted` (requirement lines) into the session's environment, unless the same list is there already.

    Raises:
        BuildError: B012 when no CPU build of PyTorch can be had.
    """
    stamp = _stamp(session, "requirements")
    state = _state(*wanted, TORCH_CONSTRAINT.read_text(encoding="utf-8") if torch else "")
    if _current(stamp, state):
        return
    stamp.unlink(missing_ok=True)
    if torch:
        _install_torch(session)
        session.install("-q", "--constraint", str(TORCH_CONSTRAINT), *wanted)
    else:
        session.install("-q", *wanted)
    stamp.write_text(state, encoding="utf-8")


def install_optional(session: Any, wanted: Sequence[str]) -> list[str]:
    """Install each requirement that can be had, one by one, after `install`; PyTorch stays the CPU build it is.

    Returns:
        The requirements that could not be installed; they are tried again next time.
    """
    missing = []
    for requirement in wanted:
        stamp = _stamp(session, f"optional-{hashlib.sha256(requirement.encode()).hexdigest()[:12]}")
        state = _state(requirement, TORCH_CONSTRAINT.read_text(encoding="utf-8"))
        if _current(stamp, state):
            continue
        try:
            session.install("-q", "--constraint", str(TORCH_CONSTRAINT), requirement)
        except Exception:  # nox's CommandFailed, whose class lives in nox; pip has said why
            missing.append(requirement)
            session.log(f"{requirement} cannot be installed here: it is left out")
            continue
        stamp.write_text(state, encoding="utf-8")
    return missing


def _install_torch(session: Any) -> None:
    """First and alone, so that the extra index can bring nothing else."""
    config = session.run("python", "-m", "pip", "config", "list", silent=True, log=False) or ""
    tag = f"cp{sys.version_info[0]}{sys.version_info[1]}"
    index = torch_index(os.environ, config, tag)
    extra = ["--extra-index-url", index] if index else []
    try:
        session.install("-q", "--constraint", str(TORCH_CONSTRAINT), *extra, "torch")
    except Exception as error:  # nox's CommandFailed, whose class lives in nox
        raise BuildError(
            "B012",
            f"no CPU build of PyTorch for {tag} could be installed",
            index or "the configured package index",
            "check the network; or set POTSTILL_TORCH_INDEX to an index with CPU builds; or put the wheel into a "
            "folder and name it in PIP_FIND_LINKS",
        ) from error


def install_wheel(session: Any, wheel: Path) -> None:
    """Install Potstill's own wheel without its extras' packages, unless this very file is installed."""
    stamp = _stamp(session, "wheel")
    state = _state(hashlib.sha256(wheel.read_bytes()).hexdigest())
    if _current(stamp, state):
        return
    stamp.unlink(missing_ok=True)
    session.install("-q", "--no-deps", "--no-index", "--force-reinstall", str(wheel))
    stamp.write_text(state, encoding="utf-8")


def has_wheel(folder: Path, wheel: Path) -> bool:
    """Whether the environment in `folder` has exactly this wheel of Potstill installed."""
    return _current(folder / ".potstill-wheel", _state(hashlib.sha256(wheel.read_bytes()).hexdigest()))


def run_replacing(session: Any, command: Sequence[str], variables: Mapping[str, str]) -> None:
    """``session.run`` with `variables` as the whole environment."""
    cleared: dict[str, str | None] = dict.fromkeys(os.environ)
    session.run(*command, external=True, env={**cleared, **variables})


def pure_packages(session: Any, names: Sequence[str], python: str) -> Path:
    """A folder with pure Python packages for another machine's Python, filled on this host by the session's pip."""
    folder = PROJECT / ".cache" / "site" / hashlib.sha256(" ".join([*names, python]).encode()).hexdigest()[:12]
    if not (folder / ".complete").is_file():
        selection = ["--only-binary", ":all:", "--platform", "any", "--implementation", "py", "--abi", "none"]
        target = ["--upgrade", "--target", str(folder), "--python-version", python]
        session.run("python", "-m", "pip", "install", "-q", "--no-compile", *selection, *target, *names)
        (folder / ".complete").touch()
    return folder


def split_options(words: Sequence[str], names: Iterable[str]) -> tuple[dict[str, str], list[str]]:
    """Take ``--name value`` and ``--name=value`` for the given names out of a session's arguments.

    Returns:
        The options found, and the remaining words.
    """
    known, options, rest = set(names), dict[str, str](), list[str]()
    pending = ""
    for word in words:
        name, has_value, value = word.removeprefix("--").partition("=")
        if pending:
            options[pending], pending = word, ""
        elif word.startswith("--") and name in known and has_value:
            options[name] = value
        elif word.startswith("--") and name in known:
            pending = name
        else:
            rest.append(word)
    if pending:
        raise BuildError("B016", "an option has no value", f"--{pending}", f"give --{pending} VALUE after --")
    return options, rest


def build_arguments(words: Sequence[str]) -> tuple[list[str], Path]:
    """The arguments of ``potstill build`` and its output folder, from what follows ``--`` of ``nox -s pipeline``.

    The recipe defaults to ``sentiment``, the folder to build/<recipe name>.
    """
    recipe, settings, out = "sentiment", list[str](), ""
    position = 0
    while position < len(words):
        word = words[position]
        if word in ("--set", "--out") and position + 1 < len(words):
            position += 1
            if word == "--out":
                out = words[position]
            else:
                settings += [word, words[position]]
        elif word.startswith("--out="):
            out = word.removeprefix("--out=")
        elif word.startswith("-"):
            settings.append(word)
        else:
            recipe = word
        position += 1
    folder = Path(out) if out else Path("build") / Path(recipe).stem
    return ["build", recipe, *settings, "--out", str(folder)], folder
