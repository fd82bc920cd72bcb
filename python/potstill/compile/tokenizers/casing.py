"""Whether a vocabulary fits its tokenizer's case folding: pieces that no text can give tell that it does not."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import NamedTuple

# Marks such as [unused7], [E1] and <mask> are no words; they are cut out of the raw text, or never occur.
_MARK = re.compile(r"\[[^\[\]]*\]|<[^<>]*>")
# Uncased vocabularies hold a few odd pieces; of a cased one a third of the pieces begins with a capital.
_FEW = 200


class Unreachable(NamedTuple):
    """The `pieces` that normalization would change, so that no text can hold them, `of` so many words and parts."""

    pieces: list[str]
    of: int

    @property
    def are_many(self) -> bool:
        """Whether so many of them say that the vocabulary was made for another case folding."""
        return len(self.pieces) * _FEW > self.of

    @property
    def examples(self) -> str:
        """The first few, for a message."""
        return ", ".join(repr(piece) for piece in self.pieces[:3]) + (", ..." if len(self.pieces) > 3 else "")


def unreachable_pieces(
    vocabulary: Mapping[str, int], added: Collection[str], prefix: str, *, lowercase: bool, strip_accents: bool
) -> Unreachable:
    """The pieces that normalization would change.

    `added` tokens are matched in the raw text and are left out, as all marks are; `prefix` begins continuing pieces.
    """
    from tokenizers.normalizers import BertNormalizer

    normalizer = BertNormalizer(
        clean_text=False, handle_chinese_chars=False, strip_accents=strip_accents, lowercase=lowercase
    )
    bare = {piece: piece.removeprefix(prefix) for piece in vocabulary if piece not in added}
    words = {piece: text for piece, text in bare.items() if text and not _MARK.fullmatch(text)}
    return Unreachable([piece for piece, text in words.items() if normalizer.normalize_str(text) != text], len(words))


def is_stated(folder: Path) -> bool:
    """Whether the tokenizer's files say if text is lower-cased; where they do not, Hugging Face guesses that it is."""
    if (folder / "tokenizer.json").is_file():
        return True
    try:
        stated = json.loads((folder / "tokenizer_config.json").read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(stated, dict) and isinstance(stated.get("do_lower_case"), bool)


def described(lowercase: bool, strip_accents: bool) -> str:
    """What normalization does, in words."""
    done = [name for name, on in (("lower-cased", lowercase), ("stripped of accents", strip_accents)) if on]
    return " and ".join(done) or "kept as it is"
