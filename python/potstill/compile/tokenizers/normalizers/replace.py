"""Replace: a text for each match of a pattern."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from potstill.compile.tokenizers.base import Step, TokenizerFile
from potstill.compile.tokenizers.patterns import read_pattern

_MAX_BYTES = 64  # the limit of the core


def read(component: Mapping[str, Any], file: TokenizerFile) -> Step:
    """The step of a component. Raises CompileError C053: a pattern that the core does not know, or a long text."""
    text = str(component["content"])
    if len(text.encode()) > _MAX_BYTES:
        file.refuse("C053", f"the normalizer Replace puts in {len(text.encode())} bytes, the core up to {_MAX_BYTES}")
    return Step("Replace", {"pattern": read_pattern(component["pattern"], file, "C053"), "text": text})
