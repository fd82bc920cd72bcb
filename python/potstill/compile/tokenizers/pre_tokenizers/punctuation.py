"""Punctuation: each punctuation character is cut out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from potstill.compile.tokenizers.base import Step, TokenizerFile
from potstill.still.schema import fb


def read(component: Mapping[str, Any], file: TokenizerFile) -> Step:
    """The step of a component."""
    return Step("Punctuation", {"behavior": getattr(fb.Behavior, component.get("behavior", "Isolated"))})
