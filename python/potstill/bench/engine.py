"""An engine that can be measured: how it is named, opened and timed.

Its module has ``open_peer(path, threads)``, which returns a `Runner`, ``version()``, and if need be
``environment(option)``. Preparing an input is outside the measured time: what counts is the call an application makes
once its token ids are in the engine's own form.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

OWN = "potstill.bench.own"


class Runner(Protocol):
    """A loaded model, ready to be timed."""

    def prepare(self, batch: Sequence[Sequence[int]]) -> Callable[[], Any]:
        """A call without arguments that runs one batch and gives its logits, ``[sequences, labels]`` in given order."""

    def padded(self, tokens: int) -> int:
        """The length the engine computes for a sentence of `tokens` tokens, batch 1."""


class AnyLength:
    """The part of a `Runner` that takes sentences of any length as they are."""

    def padded(self, tokens: int) -> int:
        """See `Runner`."""
        return tokens


@dataclass(frozen=True)
class Peer:
    """One line of the table.

    Attributes:
        engine: name shown.
        precision: ``fp32``, ``bf16`` or ``int8``: numbers of the linear layers.
        export: key of the file it loads, as in `potstill.compare.exports`; ``"pytorch"`` is the model folder.
        module: dotted name of the module that opens it.
        option: passed to ``open_peer`` when not empty.
        settings: what was set for it, in words, beside the thread count.
    """

    engine: str
    precision: str
    export: str
    module: str
    option: str = ""
    settings: str = "its defaults"

    @property
    def name(self) -> str:
        """Engine and precision."""
        return f"{self.engine} {self.precision}"

    def open(self, path: Path, threads: int) -> Runner:
        """Load the model.

        Raises:
            PotstillError: the package is missing or the file is refused.
        """
        module = import_module(self.module)
        runner: Runner = (
            module.open_peer(path, threads, self.option) if self.option else module.open_peer(path, threads)
        )
        return runner

    def environment(self) -> dict[str, str]:
        """Variables the engine's process gets beside the usual ones: settings it reads when it is loaded."""
        wanted = getattr(import_module(self.module), "environment", None)
        return dict(wanted(self.option)) if wanted is not None else {}

    def version(self) -> str:
        """Package and version of the engine; it has been loaded before."""
        return str(import_module(self.module).version())
