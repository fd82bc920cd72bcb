"""One interface over the things that can run a model: our core, onnxruntime, LiteRT.

A backend is a module here with `open_backend(source, threads)`. To add one: a module with that function and a line in
`_MODULES`. Nothing is imported before it is asked for, and nothing here imports `typing`, `dataclasses` or `pathlib`:
they would take 4 MB, as much as a small model's weights.
"""

from __future__ import annotations

import importlib

from potstill.errors import InputError

TYPE_CHECKING = False  # see potstill/__init__.py
if TYPE_CHECKING:
    import os
    from typing import Any

    from potstill.runtime.backends.interface import Backend as Backend

    # Where a model comes from: the path of its file, or the bytes of one.
    Source = str | os.PathLike[str] | bytes | bytearray | memoryview

_MODULES = {
    "native": "potstill.runtime.backends.native",
    "onnxruntime": "potstill.runtime.backends.onnxruntime",
    "litert": "potstill.runtime.backends.litert",
}


class Output:
    """What one run gives; both are float32 with the buffer protocol (`memoryview(x)`, `numpy.asarray(x)`).

    Attributes:
        logits: [sequences, labels], or None when the model has no classification head; of a model that labels words
            [tokens, labels], the tokens of the sequences one after another.
        embedding: [sequences, hidden] pooled vectors, or None when the model does not give them.
    """

    __slots__ = ("embedding", "logits")

    def __init__(self, logits: Any, embedding: Any) -> None:
        self.logits = logits
        self.embedding = embedding


def open_backend(name: str, source: Source, threads: int | None, mapped: bool = False) -> Backend:
    """Load `source` with the backend called `name`; bytes and `mapped` are for the native one.

    Raises:
        InputError: there is no such backend; bytes for another engine; `mapped` without a file to map.
        SystemFailure: the backend's package is not installed.
    """
    module = _MODULES.get(name) if isinstance(name, str) else None
    if module is None:
        given = ascii(name)[:40] if isinstance(name, str) else f"of the type {type(name).__name__}"
        raise InputError("I006", f"there is no backend {given}", "backend", "use one of " + ", ".join(_MODULES))
    in_memory = isinstance(source, (bytes, bytearray, memoryview))
    if in_memory and name != "native":
        raise InputError("I100", f"{name} loads a file by its path, not bytes", "load", "give the path of the file")
    if mapped and (in_memory or name != "native"):
        what = "bytes are in memory already" if in_memory else f"{name} has no such choice"
        raise InputError("I101", f"only a .still file can be mapped: {what}", "mapped=True", "leave mapped out")
    options = {"mapped": True} if mapped else {}
    loaded: Backend = importlib.import_module(module).open_backend(source, threads, **options)
    return loaded


def word_ranges(text: str, units: str) -> list[tuple[int, int]]:
    """First character (code point) of each word of a text, and the one behind it.

    The core finds them, for all backends.

    Args:
        text: white space is in no word; control characters belong to the word they stand in.
        units: "words" are what white space parts; punctuation, as BERT's pre-tokenization knows it, and characters of
            scripts without spaces (Chinese, Japanese, Thai, Lao, Khmer, Burmese) are words of their own. "characters"
            takes every character by itself. A character is what readers take for one: its marks, joined emoji and the
            parts of a Korean syllable stay together.

    Raises:
        InputError: `units` is "given": no rule finds the words.
    """
    ends: list[int] = importlib.import_module(_MODULES["native"]).word_ends(text, units)
    return list(zip(ends[::2], ends[1::2], strict=True))


def sigmoid(logit: float) -> float:
    """The sigmoid of a score's logit, by the core, for all backends."""
    found: float = importlib.import_module(_MODULES["native"]).sigmoid(logit)
    return found


def __getattr__(name: str) -> Any:
    """Import the protocol `Backend` the first time it is used (PEP 562)."""
    if name != "Backend":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return importlib.import_module("potstill.runtime.backends.interface").Backend
