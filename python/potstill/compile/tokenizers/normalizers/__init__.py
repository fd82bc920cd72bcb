"""What changes the characters of a text before it is cut into words. One file a step; see ../README.md."""

from __future__ import annotations

from potstill.compile.tokenizers.base import Reader, Step, TokenizerFile, read_steps
from potstill.compile.tokenizers.normalizers import bert, plain, precompiled, prepend, replace, strip, unicode_form

__all__ = ["KINDS", "read_normalizers"]

# Readers by the type in a tokenizer.json.
KINDS: dict[str, Reader] = {
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
    return read_steps(file, "normalizer", KINDS, "C053")
