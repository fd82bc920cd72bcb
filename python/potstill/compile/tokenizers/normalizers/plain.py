"""Normalizers without options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from potstill.compile.tokenizers.base import Step, TokenizerFile


def read(component: Mapping[str, Any], file: TokenizerFile) -> Step:
    """The step of a component; the schema has it under the same name."""
    return Step(component["type"])
