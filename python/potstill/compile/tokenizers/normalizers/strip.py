"""Strip: white space at the ends of a text goes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from potstill.compile.tokenizers.base import Step, TokenizerFile


def read(component: Mapping[str, Any], file: TokenizerFile) -> Step:
    """The step of a component."""
    return Step("Strip", {"left": bool(component["strip_left"]), "right": bool(component["strip_right"])})
