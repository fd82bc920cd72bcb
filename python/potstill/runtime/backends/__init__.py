"""One interface over the things that can run a model: our core, onnxruntime, LiteRT.

A backend is a module here with `open_backend(path, threads)`. To add one: a module with that function and a line in
`_MODULES`. Nothing is imported before it is asked for.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from potstill.errors import InputError

_MODULES = {
    "native": "potstill.runtime.backends.native",
    "onnxruntime": "potstill.runtime.backends.onnxruntime",
    "litert": "potstill.runtime.backends.litert",
}


@dataclass(frozen=True, slots=True)
class Output:
    """What one run gives; both are float32 with the buffer protocol (`memoryview(x)`, `numpy.asarray(x)`).

    Attributes:
        logits: [sequences, labels], or None when the model has no classification head.
        embedding: [sequences, hidden] pooled vectors, or None when the model does not give them.
    """

    logits: Any
    embedding: Any


@runtime_checkable
class Backend(Protocol):
    """A loaded model. Safe to call from several threads at once."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Class names in logit order; empty when the file has none."""

    @property
    def max_tokens(self) -> int:
        """Longest sequence accepted, [CLS] and [SEP] included."""

    @property
    def info(self) -> Mapping[str, Any]:
        """Facts for people: name, scheme, bytes, threads and what else the backend knows."""

    def tokenize(self, texts: Sequence[str], truncate: bool) -> list[list[int]]:
        """Token ids with [CLS] and [SEP].

        Raises:
            InputError: I001 a text without any token; I002 longer than `max_tokens` and not `truncate`.
        """

    def run(self, ids: Sequence[Sequence[int]]) -> Output:
        """Run one ragged batch of token ids, specials included.

        Raises:
            InputError: I001 an empty sequence; I002 longer than `max_tokens`; I003 an id outside the vocabulary.
        """


def open_backend(name: str, path: Path, threads: int | None) -> Backend:
    """Load `path` with the backend called `name`.

    Raises:
        InputError: I006 there is no such backend.
        SystemFailure: S010 the backend's package is not installed.
    """
    module = _MODULES.get(name)
    if module is None:
        raise InputError(
            "I006", f"there is no backend {name!r}", f"backend={name!r}", "use one of " + ", ".join(_MODULES)
        )
    loaded: Backend = importlib.import_module(module).open_backend(path, threads)
    return loaded
