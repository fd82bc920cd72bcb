"""ByteLevel: GPT-2's words, their bytes written as 256 characters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from potstill.compile.tokenizers.base import Step, TokenizerFile


def read(component: Mapping[str, Any], file: TokenizerFile) -> Step:
    """The step of a component; its ``trim_offsets`` counts for post-processors alone."""
    fields = {"addPrefixSpace": component["add_prefix_space"], "useRegex": component.get("use_regex", True)}
    return Step("ByteLevel", fields)
