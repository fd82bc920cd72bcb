"""Programs of the host, run to their end with what they print kept, and CMake builds of this project."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from potstill.boards import Target
from potstill.errors import BuildError
from toolchains import PROJECT

Run = Callable[..., object]  # nox's Session.run, or one like it


def output(
    command: Sequence[str],
    code: str,
    where: str,
    next_step: str,
    *,
    env: Mapping[str, str] | None = None,
    input: str = "",
    timeout: float | None = None,
    show: Callable[[str], object] = lambda text: None,
) -> str:
    """Standard output of a program that succeeds.

    Args:
        command: what to run.
        code, where, next_step: of the error when it does not.
        env: the whole environment; by default this process's.
        input: its standard input.
        timeout: seconds.
        show: gets all it printed when it fails; the error has the last three lines.

    Raises:
        BuildError: `code` for a status other than 0, or no end within `timeout`.
    """
    try:
        done = subprocess.run(
            command, env=env, input=input, capture_output=True, text=True, check=False, timeout=timeout
        )
    except subprocess.TimeoutExpired as error:
        raise BuildError(code, f"no end after {timeout:.0f} s", where, "check whether the host is busy") from error
    if done.returncode:
        show(done.stdout + done.stderr)
        raise BuildError(code, failure(done), where, next_step)
    return done.stdout


def failure(done: subprocess.CompletedProcess[str]) -> str:
    """How a program failed: its status and the last lines it printed."""
    illegal = " (illegal instruction)" if done.returncode in (132, -4) else ""
    last = " ".join((done.stderr or done.stdout).strip().splitlines()[-3:])
    return f"status {done.returncode}{illegal}: {last}"


def toolchain_file(target: Target) -> Path:
    """CMake's toolchain file of a machine type.

    Raises:
        BuildError: when it is not in toolchains/cmake/.
    """
    path = PROJECT / "toolchains" / "cmake" / target.toolchain
    if not path.is_file():
        what = f"no file {target.toolchain} in toolchains/cmake/"
        raise BuildError("B003", what, f"targets.{target.name}.toolchain", "name one that is there")
    return path


def configure(
    run: Run,
    folder: Path,
    settings: Mapping[str, str],
    target: Target | None = None,
    *,
    source: Path = PROJECT,
    env: Mapping[str, str] | None = None,
) -> None:
    """Configure a release build in `folder`.

    Args:
        run: runs a command.
        folder: of the build.
        settings: CMake's variables.
        target: machine type of a cross build.
        source: folder of the CMakeLists.txt.
        env: further environment variables.
    """
    cross = {"CMAKE_TOOLCHAIN_FILE": str(toolchain_file(target))} if target is not None else {}
    every = {"CMAKE_BUILD_TYPE": "Release", **cross, **settings}
    definitions = [f"-D{name}={value}" for name, value in every.items()]
    run("cmake", "-S", str(source), "-B", str(folder), "-G", "Ninja", *definitions, external=True, silent=True, env=env)


def build(run: Run, folder: Path, *targets: str, env: Mapping[str, str] | None = None, silent: bool = True) -> None:
    """Build `targets`, by default all, in a configured folder."""
    asked = ["--target", *targets] if targets else []
    jobs = ["-j", str(os.cpu_count() or 1)]
    run("cmake", "--build", str(folder), *asked, *jobs, external=True, silent=silent, env=env)
