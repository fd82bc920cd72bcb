"""The engines we measure against, and our own. One module a peer; to add one, write it and add its lines here.

A peer module has ``open_peer(path, threads)`` and returns a `Runner`. Preparing an input is outside the measured
time: what counts is the call an application makes once its token ids are in the engine's own form.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Protocol


class Runner(Protocol):
    """A loaded model, ready to be timed."""

    def prepare(self, ids: Sequence[int]) -> Callable[[], object]:
        """A call without arguments that runs one sentence, batch 1."""

    def padded(self, tokens: int) -> int:
        """The length the engine computes for a sentence of so many tokens."""


@dataclass(frozen=True)
class Peer:
    """One line of the table.

    Attributes:
        engine: name shown.
        precision: ``fp32`` or ``int8``.
        export: key of the file it loads, as in `potstill.export.parity`; ``"pytorch"`` is the model folder.
        module: module name in this package.
        option: passed to ``open_peer`` when not empty.
    """

    engine: str
    precision: str
    export: str
    module: str
    option: str = ""

    def open(self, path: Path, threads: int) -> Runner:
        """Load the model.

        Raises:
            PotstillError: the package is missing or the file is refused.
        """
        module = import_module(f"{__name__}.{self.module}")
        runner: Runner = (
            module.open_peer(path, threads, self.option) if self.option else module.open_peer(path, threads)
        )
        return runner


PEERS: tuple[Peer, ...] = (
    Peer("PyTorch", "fp32", "pytorch", "pytorch"),
    Peer("onnxruntime", "fp32", "onnx", "onnxruntime"),
    Peer("onnxruntime", "int8", "onnx_int8", "onnxruntime"),
    Peer("LiteRT", "fp32", "tflite", "litert"),
    Peer("LiteRT", "int8", "tflite_int8", "litert"),
    # What an owner of a file with one fixed length pays: every sentence costs the longest.
    Peer("LiteRT, padded", "int8", "tflite_int8", "litert", "longest"),
    Peer("Potstill", "fp32", "still_fp32", "potstill"),
    Peer("Potstill", "int8", "still", "potstill"),
)
