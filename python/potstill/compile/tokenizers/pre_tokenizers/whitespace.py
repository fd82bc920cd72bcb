"""Whitespace (words of letters and digits, words of other characters) and WhitespaceSplit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from potstill.compile.tokenizers.base import Step, TokenizerFile


def read(component: Mapping[str, Any], file: TokenizerFile) -> Step:
    """The step of a component of either kind."""
    return Step(str(component["type"]))
