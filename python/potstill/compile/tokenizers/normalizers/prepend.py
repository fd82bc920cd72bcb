"""Prepend: a text is put before what is not empty."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from potstill.compile.tokenizers.base import Step, TokenizerFile

_MAX_BYTES = 64  # the limit of the core


def read(component: Mapping[str, Any], file: TokenizerFile) -> Step:
    """The step of a component. Raises CompileError C053: nothing or too much is put there."""
    text = str(component["prepend"])
    if not 0 < len(text.encode()) <= _MAX_BYTES:
        file.refuse(
            "C053", f"the normalizer Prepend puts {len(text.encode())} bytes before a text, not 1 to {_MAX_BYTES}"
        )
    return Step("Prepend", {"text": text})
