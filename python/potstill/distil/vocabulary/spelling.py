"""What the tokens of one tokenizer are in those of another: by their text, with where words begin kept.

Tokenizers mark words in three ways: WordPiece marks tokens that go on (``##ing``), byte-level BPE and Metaspace those
that begin one, by the space before them (a byte, written as a letter; the sign U+2581). Others mark nothing: each token
is a word.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from potstill.models.byte_level import is_byte_level, text_of

# Names that a special token of the student may have in its teacher, the first that there is.
_ROLES = {
    "pad": ("pad",), "unk": ("unk",), "cls": ("cls", "bos"), "sep": ("sep", "eos"), "bos": ("bos", "cls"),
    "eos": ("eos", "sep"), "mask": ("mask", "unk"),
}  # fmt: skip
_SPACE = "\u2581"


class Surface(NamedTuple):
    """What a token stands for: its text, None if it is no text of its own (part of a character); begins it a word?"""

    text: str | None
    begins: bool


class Spelling:
    """How a tokenizer writes words and parts of words as tokens.

    Args:
        tokenizer: of transformers; of one that is not backed by `tokenizers` little is known but how it cuts texts.
    """

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        self.vocabulary: dict[str, int] = tokenizer.get_vocab()
        self._backend = getattr(tokenizer, "backend_tokenizer", None)
        content = {} if self._backend is None else json.loads(self._backend.to_str())
        model = content.get("model") or {}
        around = json.dumps([content.get(part) for part in ("normalizer", "pre_tokenizer")], ensure_ascii=False)
        self._prefix = str(model.get("continuing_subword_prefix") or "") if model.get("type") == "WordPiece" else ""
        self._bytes = is_byte_level(content)
        self._mark = "\u0120" if self._bytes else _SPACE if _SPACE in around else ""

    @property
    def family(self) -> tuple[str, str]:
        """Tokenizers of one family write the same word the same way."""
        return self._prefix, self._mark

    def surface(self, token: str) -> Surface:
        """What a token stands for."""
        if self._prefix:
            return Surface(token.removeprefix(self._prefix), not token.startswith(self._prefix))
        begins = not self._mark or token.startswith(self._mark)
        text = token.removeprefix(self._mark)
        return Surface(text_of(text) if self._bytes else text, begins)

    def tokens(self, surface: Surface) -> list[int]:
        """Ids that spell a text, unknown tokens left out; none where the tokenizer has none for it."""
        if surface.text is None:
            return []
        if self._backend is None:
            ids = list(self.tokenizer.encode(surface.text, add_special_tokens=False))
        else:
            ids = [token for word in self._words(surface) for token in word]
        return [token for token in ids if token != self.tokenizer.unk_token_id]

    def _words(self, surface: Surface) -> list[list[int]]:
        assert self._backend is not None and surface.text is not None
        text, model = surface.text, self._backend.model
        if (normalizer := self._backend.normalizer) is not None:
            text = normalizer.normalize_str(text)
        words = [text]
        if (pre_tokenizer := self._backend.pre_tokenizer) is not None:
            words = [word for word, _ in pre_tokenizer.pre_tokenize_str(text)]
        # At the start of a text a tokenizer marks the beginning of a word, or not; here it is known.
        if self._mark and (first := "".join(words[:1]).removeprefix(self._mark)) + self._mark * surface.begins:
            words = [self._mark * surface.begins + first, *words[1:]]
        found = [[token.id for token in model.tokenize(word)] for word in words if word]
        if self._prefix and words and not surface.begins:
            found[0] = self._continued(words[0])
        return found

    def _continued(self, text: str) -> list[int]:
        """WordPiece's cut of what goes on a word; nothing where a part is unknown."""
        found, start = [], 0
        while start < len(text):
            ends = range(len(text), start, -1)
            end = next((end for end in ends if self._prefix + text[start:end] in self.vocabulary), None)
            if end is None:
                return []
            found.append(self.vocabulary[self._prefix + text[start:end]])
            start = end
        return found


def spelt(student: Any, teacher: Any) -> list[list[int]]:
    """For each id of the student's tokenizer the teacher's ids of its text; special tokens by what they are for.

    Where both write words the same way, a token that the teacher has is itself.
    """
    ours, theirs = Spelling(student), Spelling(teacher)
    same = theirs.vocabulary if ours.family == theirs.family else {}
    special = _special(student, teacher)
    found: list[list[int]] = [[] for _ in range(max(ours.vocabulary.values()) + 1)]
    for token, number in ours.vocabulary.items():
        if number in special:
            found[number] = special[number]
        elif token in same:
            found[number] = [same[token]]
        else:
            found[number] = theirs.tokens(ours.surface(token))
    return found


def _special(student: Any, teacher: Any) -> Mapping[int, list[int]]:
    """The teacher's id of each special token of the student's; none where it has nothing of the kind."""
    found: dict[int, list[int]] = {int(number): [] for number in student.all_special_ids}
    for role, names in _ROLES.items():
        number = getattr(student, f"{role}_token_id", None)
        theirs = [getattr(teacher, f"{name}_token_id", None) for name in names]
        if number is not None and not found.get(int(number)):
            found[int(number)] = [int(one) for one in theirs if one is not None][:1]
    return found
