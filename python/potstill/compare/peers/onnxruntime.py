"""onnxruntime on its CPU provider, with all its graph optimizations.

Its threads spin for a while after a call, which is part of its best latency and stays on; the benchmark waits until
they are quiet before another engine's turn.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from potstill.bench.engine import AnyLength
from potstill.runtime.backends.onnxruntime import OnnxRuntimeBackend
from potstill.runtime.rows import TokenRows


class OnnxRunner(AnyLength):
    """An ONNX file; a batch is padded to its longest sentence, and the arrays are made before the clock starts."""

    def __init__(self, path: Path, threads: int) -> None:
        self._backend = OnnxRuntimeBackend(path, threads)

    def prepare(self, batch: Sequence[Sequence[int]]) -> Callable[[], Any]:
        """See `Runner`."""
        call = self._backend.prepared(TokenRows(batch))
        return lambda: call()[0]


def open_peer(path: Path, threads: int) -> OnnxRunner:
    """Load an ONNX file. Raises as `OnnxRuntimeBackend`."""
    return OnnxRunner(path, threads)


def version() -> str:
    """Package and version."""
    from potstill.compare.peers import package_version

    return package_version("onnxruntime")
