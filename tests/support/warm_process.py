"""Processes that begin with the heavy libraries imported, forked off one that did it: 5 s of CPU less each.

They share a hash seed with each other, and with nothing else in the run: what must not depend on it is compared with a
process of its own. So is what a process imports.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Sequence
from pathlib import Path

_CONTEXT = multiprocessing.get_context("forkserver")
# Nothing of this runs anything or starts a thread before the fork.
_CONTEXT.set_forkserver_preload(
    ["torch", "datasets", "onnx", "onnxsim", "onnxscript", "potstill.distil.train.trainer", "potstill.export.plain"]
)


def _run(code: str, arguments: Sequence[str], folder: str, variables: dict[str, str]) -> None:
    for descriptor, name in ((1, "output"), (2, "errors")):
        file = os.open(Path(folder) / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, descriptor)
        os.close(file)
    os.environ.update(variables)
    sys.argv = ["-c", *arguments]
    exec(compile(code, "<test>", "exec"), {"__name__": "__main__"})


class WarmProcess:
    """``python -c CODE ARGUMENTS``, with what these tests use of `subprocess.Popen`.

    Args:
        code: the program.
        arguments: its arguments.
        folder: for what it prints; made if need be.
        variables: added to the environment, which is that of the first of these processes.
    """

    def __init__(self, code: str, arguments: Sequence[str], folder: Path, variables: dict[str, str]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        # A daemon: one that a failed test leaves behind ends with the tests.
        self._process = _CONTEXT.Process(target=_run, args=(code, arguments, str(folder), variables), daemon=True)
        self._process.start()

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self._process.exitcode

    def kill(self) -> None:
        self._process.kill()

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """What it has printed, once it has ended."""
        self._process.join(timeout)
        assert self._process.exitcode is not None, "the process did not end in time"
        output, errors = ((self._folder / name).read_text(encoding="utf-8") for name in ("output", "errors"))
        return output, errors
