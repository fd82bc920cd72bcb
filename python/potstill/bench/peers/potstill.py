"""Our own core on a `.still` file. The list of ids is converted inside the measured call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from potstill.runtime.backends import open_backend


class PotstillRunner:
    """A `.still` file through the public backend."""

    def __init__(self, path: Path, threads: int) -> None:
        self._backend = open_backend("native", path, threads)

    def prepare(self, ids: Sequence[int]) -> Callable[[], object]:
        """See `Runner`."""
        backend, batch = self._backend, [list(ids)]

        def call() -> Any:
            return backend.run(batch)

        return call

    def padded(self, tokens: int) -> int:
        """The core takes any length."""
        return tokens


def open_peer(path: Path, threads: int) -> PotstillRunner:
    """Load a `.still` file. Raises FormatError, InputError and CpuError as `potstill.load`."""
    return PotstillRunner(path, threads)
