"""Potstill: distil a Hugging Face encoder, compile it into one file, run it on a Raspberry Pi.

    import potstill
    model = potstill.load("model.still")
    model.classify(["turn the light on"])       # [Prediction(label="light_on", score=0.98, scores={...})]

Importing this package imports no numpy, no torch and no native code; that happens on first use.
"""

from __future__ import annotations

from importlib import import_module

from potstill.errors import (
    BuildError,
    CompileError,
    CpuError,
    DataError,
    ExportError,
    FormatError,
    InputError,
    PotstillError,
    RecipeError,
    SystemFailure,
    TrainError,
)

TYPE_CHECKING = False  # type checkers read it as true; importing `typing` for it would cost 1.7 MB on the board
if TYPE_CHECKING:
    from typing import Any

    from potstill.pipeline.api import build
    from potstill.runtime.answers import Prediction, Token
    from potstill.runtime.model import Model, load
    from potstill.runtime.spans import Span

__version__ = "0.1.0"
__all__ = [
    "BuildError",
    "CompileError",
    "CpuError",
    "DataError",
    "ExportError",
    "FormatError",
    "InputError",
    "Model",
    "PotstillError",
    "Prediction",
    "RecipeError",
    "Span",
    "SystemFailure",
    "Token",
    "TrainError",
    "__version__",
    "build",
    "load",
]

_LAZY = {
    "build": "potstill.pipeline.api",
    "load": "potstill.runtime.model",
    "Model": "potstill.runtime.model",
    "Prediction": "potstill.runtime.answers",
    "Span": "potstill.runtime.spans",
    "Token": "potstill.runtime.answers",
}


def __getattr__(name: str) -> Any:
    """Import a public name the first time it is used (PEP 562)."""
    module = _LAZY.get(name)
    if module is None:
        raise AttributeError(f"module 'potstill' has no attribute {name!r}")
    try:
        value = getattr(import_module(module), name)
    except ModuleNotFoundError as error:
        if error.name is None or not module.startswith(error.name):
            raise
        value = _not_here(f"potstill.{name}")
    globals()[name] = value
    return value


def _not_here(name: str) -> Any:
    """In place of a function that a board's wheel lacks, so that only calling it fails."""

    def absent(*_: object, **__: object) -> None:
        from potstill.errors import not_in_this_wheel

        raise not_in_this_wheel(name, "this installation")

    return absent


def __dir__() -> list[str]:
    return sorted(__all__)
