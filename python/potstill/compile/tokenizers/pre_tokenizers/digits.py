"""Digits: numbers are words of their own, whole or digit by digit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from potstill.compile.tokenizers.base import Step, TokenizerFile


def read(component: Mapping[str, Any], file: TokenizerFile) -> Step:
    """The step of a component."""
    return Step("Digits", {"individual": component["individual_digits"]})
