"""What changes the characters of a text before it is cut into words. One file a step; see ../README.md."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from potstill.compile.tokenizers.base import Step, TokenizerFile, name_of
from potstill.compile.tokenizers.normalizers import bert, plain, precompiled, prepend, replace, strip, unicode_form

__all__ = ["KINDS", "read_normalizers"]

# Readers by the type in a tokenizer.json.
KINDS: dict[str, Callable[[Mapping[str, Any], TokenizerFile], Step]] = {
    "BertNormalizer": bert.read,
    "Lowercase": plain.read,
    "NFC": unicode_form.read,
    "NFD": unicode_form.read,
    "NFKC": unicode_form.read,
    "NFKD": unicode_form.read,
    "Nmt": plain.read,
    "Precompiled": precompiled.read,
    "Prepend": prepend.read,
    "Replace": replace.read,
    "Strip": strip.read,
    "StripAccents": plain.read,
}


def read_normalizers(file: TokenizerFile) -> tuple[Step, ...]:
    """The normalizers in order.

    Raises:
        CompileError: one that the core does not have.
    """
    found = []
    for component in file.steps("normalizer", "normalizers"):
        kind = str(component.get("type"))
        if kind not in KINDS:
            file.refuse("C053", f"the normalizer is {name_of(file.content['normalizer'])}, the core has no {kind}")
        found.append(KINDS[kind](component, file))
    return tuple(found)
