"""LiteRT (ai-edge-litert, else tflite-runtime) with its default XNNPACK delegate; lengths are fixed, so it pads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from potstill.runtime.backends.litert import LiteRtBackend


class LiteRtRunner:
    """A TFLite file; by default the shortest signature that holds the sentence, or always the longest."""

    def __init__(self, path: Path, threads: int, option: str) -> None:
        self._backend = LiteRtBackend(path, threads)
        self._longest = option == "longest"

    def prepare(self, ids: Sequence[int]) -> Callable[[], object]:
        """See `Runner`."""
        return self._backend.prepared(ids, self.padded(len(ids)))

    def padded(self, tokens: int) -> int:
        """The fixed length used."""
        return self._backend.padded_length(self._backend.max_tokens if self._longest else tokens)


def open_peer(path: Path, threads: int, option: str = "") -> LiteRtRunner:
    """Load a TFLite file; `option` ``"longest"`` forces its longest signature. Raises as `LiteRtBackend`."""
    return LiteRtRunner(path, threads, option)
