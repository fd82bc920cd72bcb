"""Precompiled: SentencePiece's map of characters."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import numpy as np

from potstill.compile.tokenizers.base import Step, TokenizerFile

_MAX_TEXT = 255  # bytes, the limit of the core


def read(component: Mapping[str, Any], file: TokenizerFile) -> Step:
    """The step of a component. Raises CompileError C053: a map that the core does not take."""
    charsmap = base64.b64decode(component["precompiled_charsmap"])
    wrong = _problem(charsmap)
    if wrong is not None:
        file.refuse("C053", f"the map of the normalizer Precompiled {wrong}")
    return Step("Precompiled", tables={"mapT": ("u8", np.frombuffer(charsmap, np.uint8))})


def _problem(charsmap: bytes) -> str | None:
    """What the core would refuse of a map; None: nothing."""
    size = int.from_bytes(charsmap[:4], "little") // 4 * 4
    texts = charsmap[4 + size :]
    if not 4 <= size <= len(charsmap) - 4:
        return "has no double array"
    try:
        texts.decode()
    except UnicodeDecodeError:
        return "has texts that are not UTF-8"
    longest = max(map(len, texts.split(b"\0")))
    return None if longest <= _MAX_TEXT else f"has a text of {longest} bytes, above {_MAX_TEXT}"
