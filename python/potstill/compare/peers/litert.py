"""LiteRT (ai-edge-litert, else tflite-runtime) with its default XNNPACK delegate; lengths are fixed, so it pads.

Its graphs have batch 1: a batch is a loop, each sentence padded to the shortest length that holds it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from potstill.runtime.backends.litert import LiteRtBackend
from potstill.runtime.rows import TokenRows

# The one length people deploy: long enough for nearly every sentence.
DEPLOYED = 64


class LiteRtRunner:
    """A TFLite file.

    Args:
        path: the file, with a signature for each length.
        threads: threads of the interpreter.
        option: empty for the shortest signature that holds the sentence, ``"longest"`` for always the longest,
            ``"deployed"`` for 64 tokens, or the next longer signature when the sentence is longer.
    """

    def __init__(self, path: Path, threads: int, option: str) -> None:
        self._backend = LiteRtBackend(path, threads)
        longest = self._backend.card.max_tokens
        self._least = {"": 1, "longest": longest, "deployed": min(DEPLOYED, longest)}[option]

    def prepare(self, batch: Sequence[Sequence[int]]) -> Callable[[], Any]:
        """See `Runner`."""
        import numpy as np

        calls = [self._backend.prepared(TokenRows([ids]), self.padded(len(ids))) for ids in batch]
        if len(calls) == 1:
            only = calls[0]
            return lambda: _answer(only())
        return lambda: np.concatenate([_answer(call()) for call in calls])

    def padded(self, tokens: int) -> int:
        """The fixed length used."""
        return self._backend.padded_length(max(tokens, self._least))


def _answer(found: Any) -> Any:
    """The logits; of a model without head the vectors."""
    return found["logits"] if "logits" in found else found["embedding"]


def open_peer(path: Path, threads: int, option: str = "") -> LiteRtRunner:
    """Load a TFLite file. Raises as `LiteRtBackend`."""
    return LiteRtRunner(path, threads, option)


def version() -> str:
    """Package and version."""
    from importlib.metadata import PackageNotFoundError

    from potstill.compare.peers import package_version

    try:
        return package_version("ai-edge-litert")
    except PackageNotFoundError:
        return package_version("tflite-runtime")
