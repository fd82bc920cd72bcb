"""Our own core on a `.still` file. The list of ids is converted inside the measured call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from potstill.bench.engine import AnyLength
from potstill.runtime.backends import open_backend
from potstill.runtime.rows import TokenRows


class PotstillRunner(AnyLength):
    """A `.still` file through the public backend; a batch stays ragged."""

    def __init__(self, path: Path, threads: int) -> None:
        self._backend = open_backend("native", path, threads)

    def prepare(self, batch: Sequence[Sequence[int]]) -> Callable[[], Any]:
        """See `Runner`."""
        backend, rows = self._backend, TokenRows([list(ids) for ids in batch])

        def call() -> Any:
            found = backend.run(rows)
            return found.embedding if found.logits is None else found.logits

        return call


def open_peer(path: Path, threads: int) -> PotstillRunner:
    """Load a `.still` file. Raises FormatError, InputError and CpuError as `potstill.load`."""
    return PotstillRunner(path, threads)


def version() -> str:
    """Package and version."""
    import potstill

    return f"potstill {potstill.__version__}"
