"""What every kind of tokenizer shares: the file as it was read, the tables made of it, and how it is refused."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from potstill.compile.tokenizers.casing import Unreachable
from potstill.errors import CompileError
from potstill.still.schema import fb, made

if TYPE_CHECKING:
    from potstill.compile.lower import Lowering

OTHER_BACKEND = "keep this model on the onnxruntime backend, which uses its own tokenizer, or choose a BERT tokenizer"


@dataclass(frozen=True)
class TokenizerFile:
    """A parsed ``tokenizer.json`` and what the configuration beside it adds.

    Attributes:
        content: the parsed file.
        where: names it in errors.
        pad_token: text of the padding token, or None.
        max_tokens: ``model_max_length``, specials included; None when the tokenizer sets no limit.
    """

    content: Mapping[str, Any]
    where: str
    pad_token: str | None = None
    max_tokens: int | None = None

    def part(self, name: str, parts: str) -> Mapping[str, Any]:
        """The component of that name, out of Sequences of one (their list is called `parts`); {} when there is none."""
        component = self.content.get(name)
        while component is not None and component.get("type") == "Sequence" and len(component.get(parts) or []) == 1:
            component = component[parts][0]
        return component or {}

    def refuse(self, code: str, what: str, next_step: str = OTHER_BACKEND) -> NoReturn:
        """Raise the CompileError of this file."""
        raise CompileError(code, what, self.where, next_step)


@dataclass(frozen=True)
class Tables(ABC):
    """What the core needs to tokenize, whatever the model.

    Attributes:
        blob: UTF-8 text of all pieces in id order.
        offsets: ``vocabulary + 1`` byte offsets into `blob`, int32; an id that no piece has is an empty text.
        slots: hash table over FNV-1a-32 of a piece's bytes, int32 ids or -1; a power of two, at least twice the
            vocabulary. It holds the model's vocabulary only: an added token outside of it is in `blob` alone.
        lowercase, strip_accents: what becomes of a text before it is cut into words.
        cls_id, sep_id: around a text.
        added_ids: ids of the pieces that are cut out of the raw text before normalization.
        pad_id: the tokenizer's padding token, the unknown token when it has none (the core never pads).
        max_tokens: ``model_max_length``, specials included; None when the tokenizer sets no limit.
        pairs_problem: why the core would encode a pair of texts differently; None: it encodes pairs exactly.
        unreachable: the pieces that no text can hold, as far as that was looked into.
        notes: what the user should know.
    """

    blob: bytes
    offsets: list[int]
    slots: list[int]
    lowercase: bool
    strip_accents: bool
    cls_id: int
    sep_id: int
    pad_id: int
    max_tokens: int | None
    added_ids: list[int]
    pairs_problem: str | None
    unreachable: Unreachable = field(default=Unreachable([], 0), compare=False, kw_only=True)
    notes: tuple[str, ...] = field(default=(), compare=False, kw_only=True)

    @property
    def pieces(self) -> int:
        """Ids from 0 on that the tokenizer may give."""
        return len(self.offsets) - 1

    def text(self, token_id: int) -> str:
        """The piece with this id."""
        return self.blob[self.offsets[token_id] : self.offsets[token_id + 1]].decode("utf-8", "replace")

    @abstractmethod
    def piece_in_text(self, token_id: int) -> str | None:
        """The piece with this id where ordinary texts give it; None for padding, unused entries and ids without one."""

    @abstractmethod
    def lower(self, to: Lowering) -> Any:
        """The schema's table Tokenizer (an object of `fb`), its tensors added to `to`."""

    def lower_vocabulary(self, to: Lowering) -> Any:
        """The schema's table Vocabulary."""
        text = to.tensor("tokenizer.text", "u8", np.frombuffer(self.blob, np.uint8))
        offsets = to.tensor("tokenizer.offsets", "i32", np.asarray(self.offsets, np.int32))
        slots = to.tensor("tokenizer.slots", "i32", np.asarray(self.slots, np.int32))
        return made(fb.VocabularyT, textT=text, offsetsT=offsets, slotsT=slots)

    def lower_templates(self) -> dict[str, Any]:
        """[CLS] A [SEP] and, of a tokenizer that encodes pairs so, [CLS] A [SEP] B [SEP], with token types."""
        cls = made(fb.TemplatePartT, part=fb.Part.Id, id=self.cls_id)

        def ended(part: int, token_type: int) -> list[Any]:
            sep = made(fb.TemplatePartT, part=fb.Part.Id, id=self.sep_id, type=token_type)
            return [made(fb.TemplatePartT, part=part, type=token_type), sep]

        single = [cls, *ended(fb.Part.First, 0)]
        return {"single": single, "pair": None if self.pairs_problem is not None else single + ended(fb.Part.Second, 1)}


def name_of(component: Mapping[str, Any]) -> str:
    """A component's type, with its parts when it is a sequence."""
    parts = component.get("normalizers") or component.get("pretokenizers") or component.get("processors")
    kind = str(component.get("type"))
    return f"{kind}[{', '.join(name_of(part) for part in parts)}]" if parts else kind
