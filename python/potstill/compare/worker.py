"""One engine in a process of its own, driven over a pipe: ``python -m potstill.compare.worker``.

So the engines' thread pools, OpenMP runtimes, memory and crashes stay apart; an instruction the CPU lacks ends the
worker and not the benchmark. Each request is one JSON object a
line on standard input, each answer one on standard output; the end of the input ends the worker.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from potstill.bench.engine import Peer
from potstill.bench.memory import peak_rss_bytes
from potstill.bench.race import Engine
from potstill.errors import PotstillError, SystemFailure, missing_module

if TYPE_CHECKING:
    from potstill.compare.exports import Source

MAKE_LIMIT = 1800.0


class Worker:
    """The parent's side. Every failure is a `SystemFailure` whose text is the engine's last message."""

    def __init__(self, peer: Peer, threads: int) -> None:
        import potstill

        source = str(Path(str(potstill.__file__)).parent.parent)
        paths = [source, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
        self.peer = peer
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the worker
        self._buffer = b""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "potstill.compare.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(paths),
                "HF_HUB_OFFLINE": "1",
                "OMP_NUM_THREADS": str(threads),
                # NumPy computes a head at most.
                "OPENBLAS_NUM_THREADS": "1",
                **peer.environment(),
            },
            # Ctrl-C in the terminal is the parent's to handle.
            start_new_session=True,
        )

    def ask(self, limit: float, **job: Any) -> dict[str, Any]:
        """Send one request and wait for its answer.

        Raises:
            SystemFailure: the engine refused, died or did not answer within `limit` seconds.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(job).encode() + b"\n")
            self._process.stdin.flush()
            answer: dict[str, Any] = json.loads(self._line(limit))
        except (OSError, EOFError) as error:
            raise self._failed(self._last_word()) from error
        if "error" in answer:
            raise self._failed(str(answer["error"]))
        return answer

    def close(self) -> None:
        """End the process."""
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        try:
            self._process.wait(1.0)
        except subprocess.TimeoutExpired:
            self._kill()
        self._said.close()

    def _kill(self) -> None:
        """The worker and what it has started (converters have processes of their own)."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _line(self, limit: float) -> bytes:
        assert self._process.stdout is not None
        file, end = self._process.stdout.fileno(), time.monotonic() + limit
        while b"\n" not in self._buffer:
            left = end - time.monotonic()
            if left <= 0 or not select.select([file], [], [], left)[0]:
                self._kill()
                raise self._failed(f"no answer within {limit:.0f} s")
            read = os.read(file, 1 << 20)
            if not read:
                raise EOFError
            self._buffer += read
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line

    def _last_word(self) -> str:
        code = self._process.wait()
        if code < 0:
            return f"ended by {signal.Signals(-code).name}"
        self._said.seek(0)
        lines = [line.strip() for line in self._said.read().decode(errors="replace").splitlines() if line.strip()]
        return lines[-1][:300] if lines else f"exit code {code}"

    def _failed(self, reason: str) -> SystemFailure:
        return SystemFailure("S062", reason, self.peer.name, "see the message")


class _Engine(Engine):
    """The worker's side."""

    def make(self, source: Mapping[str, Any], key: str) -> dict[str, Any]:
        from potstill.compare.exports import Source, make

        paths = {name: Path(source[name]) if source[name] else None for name in ("still", "onnx", "student", "cache")}
        whole: Any = {**source, **paths, "lengths": tuple(source["lengths"])}
        return {"path": str(make(Source(**whole), key))}

    def warm(self, case: str, batches: Sequence[Sequence[Sequence[int]]], least: int) -> dict[str, Any]:
        """Also gives the peak memory: of Python, the engine and the model."""
        return {**super().warm(case, batches, least), "peak_rss_bytes": peak_rss_bytes()}


def source_as_json(source: Source) -> dict[str, Any]:
    """A `potstill.compare.exports.Source` for the request ``make``."""
    return {key: str(value) if isinstance(value, Path) else value for key, value in asdict(source).items()}


def main() -> int:
    """Answer requests until the input ends."""
    # Engines print to standard output: it becomes standard error, and answers go to a descriptor of their own.
    answers = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8")
    os.dup2(2, 1)
    engine = _Engine()
    for line in sys.stdin:
        job = json.loads(line)
        try:
            answer = getattr(engine, job.pop("do"))(**job)
        except PotstillError as error:
            answer = {"error": str(error)}
        except ModuleNotFoundError as error:
            answer = {"error": missing_module(error, "peers", "this engine").what}
        except Exception as error:  # whatever an engine raises is the reason shown for it
            lines = [text.strip() for text in str(error).splitlines() if text.strip()]
            answer = {"error": f"{type(error).__name__}: {lines[0][:300] if lines else ''}"}
        answers.write(json.dumps(answer) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
