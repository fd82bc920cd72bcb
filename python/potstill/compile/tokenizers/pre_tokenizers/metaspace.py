"""Metaspace: SentencePiece's words, spaces written as a character that can be seen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from potstill.compile.tokenizers.base import Step, TokenizerFile
from potstill.still.schema import fb


def read(component: Mapping[str, Any], file: TokenizerFile) -> Step:
    """The step of a component. Older files say ``add_prefix_space`` for the schemes always and never."""
    scheme = "never" if component.get("add_prefix_space") is False else component.get("prepend_scheme", "always")
    fields = {
        "replacement": component["replacement"],
        "prefix": getattr(fb.Prefix, scheme.capitalize()),
        "split": component.get("split", True),
    }
    return Step("Metaspace", fields)
