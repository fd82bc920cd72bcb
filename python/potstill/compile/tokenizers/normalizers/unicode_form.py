"""NFC, NFD, NFKC and NFKD."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from potstill.compile.tokenizers.base import Step, TokenizerFile
from potstill.still.schema import fb


def read(component: Mapping[str, Any], file: TokenizerFile) -> Step:
    """The step of a component."""
    return Step("Unicode", {"form": getattr(fb.UnicodeForm, component["type"].capitalize())})
