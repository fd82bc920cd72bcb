"""onnxruntime on its CPU provider, with its default graph optimizations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from potstill.runtime.backends.onnxruntime import OnnxRuntimeBackend


class OnnxRunner:
    """An ONNX file; the arrays are made before the clock starts."""

    def __init__(self, path: Path, threads: int) -> None:
        self._backend = OnnxRuntimeBackend(path, threads)

    def prepare(self, ids: Sequence[int]) -> Callable[[], object]:
        """See `Runner`."""
        return self._backend.prepared(ids)

    def padded(self, tokens: int) -> int:
        """The graph has a dynamic length."""
        return tokens


def open_peer(path: Path, threads: int) -> OnnxRunner:
    """Load an ONNX file. Raises as `OnnxRuntimeBackend`."""
    return OnnxRunner(path, threads)
