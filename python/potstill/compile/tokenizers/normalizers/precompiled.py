"""Precompiled: SentencePiece's map of characters."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import numpy as np

from potstill.compile.tokenizers.base import Step, TokenizerFile
from potstill.compile.tokenizers.charsmap import problem


def read(component: Mapping[str, Any], file: TokenizerFile) -> Step:
    """The step of a component. Raises CompileError C053: a map that the core does not take."""
    charsmap = base64.b64decode(component["precompiled_charsmap"])
    wrong = problem(charsmap)
    if wrong is not None:
        file.refuse("C053", f"the map of the normalizer Precompiled {wrong}")
    return Step("Precompiled", tables={"mapT": ("u8", np.frombuffer(charsmap, np.uint8))})
