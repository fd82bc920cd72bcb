"""What nox sessions share: installing only what changed, the CPU build of PyTorch, options, errors as one line.

`session` is nox's Session everywhere; nox itself is not imported, so that tests need none.
"""

from __future__ import annotations

import argparse
import functools
import os
import platform
import re
import sys
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from potstill.boards import System, glibc_version
from potstill.errors import BuildError, PotstillError
from toolchains import PROJECT
from toolchains.digests import digest

TORCH_CONSTRAINT = PROJECT / "toolchains" / "torch-cpu.txt"
# PyTorch's own index: the only public place of "+cpu" builds. Used on x86-64 Linux when no such wheel is on disk.
TORCH_INDEX = "https://download.pytorch.org/whl/cpu"
SITES = PROJECT / ".cache" / "site"


def friendly(function: Callable[..., None]) -> Callable[..., None]:
    """A session whose `PotstillError` ends it with that error's line instead of a traceback."""

    @functools.wraps(function)
    def run(session: Any, *args: Any, **kwargs: Any) -> None:
        try:
            function(session, *args, **kwargs)
        except PotstillError as error:
            session.error(str(error))

    return run


def requirements(names: Iterable[str]) -> list[str]:
    """The requirements of pyproject.toml's extras and dependency groups called `names`, sorted, each once."""
    data = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
    known = {**data["project"]["optional-dependencies"], **data["dependency-groups"]}
    return sorted({line for name in names for line in known[name]})


def install(session: Any, *names: str, wheel: Path | None = None) -> None:
    """Install extras and dependency groups of pyproject.toml into the session's environment, then Potstill's `wheel`.

    What is there already, by the same lines or the same bytes, is not installed again.

    Raises:
        BuildError: when no CPU build of PyTorch can be had.
    """
    install_lines(session, requirements(names))
    if wheel is not None:
        stamp = _Stamp(session, "wheel", wheel)
        if stamp.outdated():
            session.install("-q", "--no-deps", "--no-index", "--force-reinstall", str(wheel))
            stamp.write()


def install_lines(session: Any, wanted: Sequence[str]) -> None:
    """Install requirement lines, PyTorch as a CPU build and before the others. Raises as `install`."""
    torch = any(re.match(r"torch\b(?!-)", line) for line in wanted)
    stamp = _Stamp(session, "requirements", *wanted, *([TORCH_CONSTRAINT] if torch else []))
    if not stamp.outdated():
        return
    if torch:
        _install_torch(session)
    session.install("-q", *(["--constraint", str(TORCH_CONSTRAINT)] if torch else []), *wanted)
    stamp.write()


def install_optional(session: Any, wanted: Sequence[str]) -> list[str]:
    """Install each requirement that can be had, one by one, after `install`; PyTorch stays the CPU build it is.

    Returns:
        The requirements that could not be installed; they are tried again next time.
    """
    missing = []
    for requirement in wanted:
        stamp = _Stamp(session, f"optional-{re.sub('[^a-z0-9]+', '-', requirement)}", requirement, TORCH_CONSTRAINT)
        if not stamp.outdated():
            continue
        try:
            session.install("-q", "--constraint", str(TORCH_CONSTRAINT), requirement)
        except Exception:  # nox's CommandFailed, whose class lives in nox; pip has said why
            missing.append(requirement)
            session.log(f"{requirement} cannot be installed here: it is left out")
        else:
            stamp.write()
    return missing


class _Stamp:
    """A file in the session's environment that says what was installed there last."""

    def __init__(self, session: Any, name: str, *parts: str | Path) -> None:
        self.path = Path(session.virtualenv.location) / f".potstill-{name}"
        self.state = digest(sys.version, *parts)

    def outdated(self) -> bool:
        """Whether something else, or nothing, is installed; the stamp is then gone until `write`."""
        if self.path.is_file() and self.path.read_text(encoding="utf-8") == self.state:
            return False
        self.path.unlink(missing_ok=True)
        return True

    def write(self) -> None:
        """After a successful installation."""
        self.path.write_text(self.state, encoding="utf-8")


def _install_torch(session: Any) -> None:
    """First and alone, so that the extra index can bring nothing else."""
    config = session.run("python", "-m", "pip", "config", "list", silent=True, log=False) or ""
    tag = f"cp{sys.version_info[0]}{sys.version_info[1]}"
    index = torch_index(os.environ, config, tag)
    extra = ["--extra-index-url", index] if index else []
    try:
        session.install("-q", "--constraint", str(TORCH_CONSTRAINT), *extra, "torch")
    except Exception as error:  # nox's CommandFailed, whose class lives in nox
        what = f"no CPU build of PyTorch for {tag} could be installed"
        next_step = (
            "check the network; or set POTSTILL_TORCH_INDEX to an index with CPU builds; or put the wheel into a "
            "folder and name it in PIP_FIND_LINKS"
        )
        raise BuildError("B012", what, index or "the configured package index", next_step) from error


def torch_index(environment: Mapping[str, str], pip_config: str, python_tag: str) -> str | None:
    """The extra index to take PyTorch from, or None: POTSTILL_TORCH_INDEX, else PyTorch's own where it is needed."""
    if own := environment.get("POTSTILL_TORCH_INDEX"):
        return own
    needed = sys.platform == "linux" and platform.machine() == "x86_64"
    return TORCH_INDEX if needed and not local_torch(pip_config, python_tag) else None


def workers() -> list[str]:
    """Arguments for pytest on all cores: the tests of a file stay together, since they share what its fixtures make."""
    return ["-q", "-n", str(os.cpu_count() or 1), "--dist", "loadscope", "--no-loadscope-reorder"]


def pytest_arguments(words: Sequence[str]) -> list[str]:
    """What pytest gets for the words after ``--``: a whole or a ``fast`` run takes all cores, a chosen part one."""
    if words[:1] == ["fast"]:
        return [*workers(), "--fast", *words[1:]]
    return list(words) or workers()


def local_torch(pip_config: str, python_tag: str) -> bool:
    """Whether a folder of pip's find-links holds a CPU build of PyTorch for `python_tag` ("cp311").

    Args:
        pip_config: what ``pip config list`` prints.
    """
    settings = (line.partition("=") for line in pip_config.splitlines())
    places = " ".join(value.strip("'\"") for name, _, value in settings if name.endswith(".find-links"))
    wheel = f"torch-*+cpu-{python_tag}-*.whl"
    return any(any(Path(place).glob(wheel)) for place in places.replace("\\n", " ").split())


def site(session: Any, names: Sequence[str], system: System, machine: str = "") -> Path:
    """A folder with packages for a board's Python, filled once by the session's pip.

    Args:
        names: requirements, their dependencies come along.
        system: the board's.
        machine: its machine type in wheel tags; by default pure Python only.
    """
    folder = SITES / digest(*sorted(names), system.python, system.glibc, machine)[:12]
    if not (folder / ".complete").is_file():
        session.log(f"fetching for the board: {' '.join(names)}")
        abis = [f"cp{system.python.replace('.', '')}", "abi3", "none"] if machine else ["none"]
        tags = platforms(system, machine) if machine else ["any"]
        selection = ["--only-binary=:all:", f"--implementation={'cp' if machine else 'py'}"]
        selection += [f"--python-version={system.python}", *(f"--abi={abi}" for abi in abis)]
        selection += [f"--platform={tag}" for tag in tags]
        pip = ["python", "-m", "pip", "install", "-q", "--no-compile", "--upgrade", f"--target={folder}"]
        session.run(*pip, *selection, *names, silent=True, log=False)
        (folder / ".complete").touch()
    return folder


def platforms(system: System, machine: str) -> list[str]:
    """The wheel tags that run on a system, newest first."""
    newest = glibc_version(system.glibc)[1]
    return [*(f"manylinux_2_{minor}_{machine}" for minor in range(newest, 16, -1)), f"manylinux2014_{machine}"]


def split_options(words: Sequence[str], names: Iterable[str]) -> tuple[dict[str, str], list[str]]:
    """Take ``--name value`` and ``--name=value`` for the given names out of a session's arguments.

    Returns:
        The options found, and the remaining words.

    Raises:
        BuildError: for an option without its value.
    """
    parser = _parser()
    for name in names:
        parser.add_argument(f"--{name}", default=argparse.SUPPRESS)
    options, rest = _parsed(parser, words)
    return vars(options), rest


def _parser() -> argparse.ArgumentParser:
    return argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)


def _parsed(parser: argparse.ArgumentParser, words: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    try:
        return parser.parse_known_args(words)
    except argparse.ArgumentError as error:
        option = str(error.argument_name)
        raise BuildError("B016", "an option has no value", option, f"give {option} VALUE after --") from error


def build_arguments(words: Sequence[str]) -> tuple[list[str], Path]:
    """The arguments of ``potstill build`` and its output folder, from what follows ``--`` of ``nox -s pipeline``.

    The recipe defaults to ``sentiment``, the folder to build/<recipe name>. Raises as `split_options`.
    """
    parser = _parser()
    parser.add_argument("--out", type=Path)
    parser.add_argument("--set", action="append", default=[])
    options, rest = _parsed(parser, words)
    recipe = next((word for word in rest if not word.startswith("-")), "sentiment")
    settings = [word for value in options.set for word in ("--set", value)]
    folder = options.out or Path("build") / Path(recipe).stem
    return ["build", recipe, *settings, *(word for word in rest if word.startswith("-")), "--out", str(folder)], folder
