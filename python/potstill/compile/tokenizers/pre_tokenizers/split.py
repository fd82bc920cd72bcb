"""Split, which cuts at the matches of a pattern, and CharDelimiterSplit, which does so at one character."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from potstill.compile.tokenizers.base import Step, TokenizerFile
from potstill.compile.tokenizers.patterns import read_pattern
from potstill.still.schema import fb


def read(component: Mapping[str, Any], file: TokenizerFile) -> Step:
    """The step of a component.

    Raises:
        CompileError: C054, a pattern that the core does not know.
    """
    pattern = read_pattern(component["pattern"], file, "C054")
    behavior = getattr(fb.Behavior, component["behavior"])
    return Step("Split", {"pattern": pattern, "behavior": behavior, "invert": component["invert"]})


def read_delimiter(component: Mapping[str, Any], file: TokenizerFile) -> Step:
    """The step of a CharDelimiterSplit."""
    pattern = read_pattern({"String": component["delimiter"]}, file, "C054")
    return Step("Split", {"pattern": pattern, "behavior": fb.Behavior.Removed, "invert": False})
