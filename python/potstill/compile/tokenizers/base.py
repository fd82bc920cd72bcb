"""What every tokenizer shares: the file as it was read, the steps and tables made of it, and how it is refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from potstill.compile.tokenizers.casing import Unreachable
from potstill.errors import CompileError
from potstill.still.schema import fb, made

if TYPE_CHECKING:
    from potstill.compile.lower import Lowering

OTHER_BACKEND = "keep this model on the onnxruntime backend, which uses its own tokenizer, or choose another tokenizer"

# What a Sequence calls its list.
_PARTS = {"normalizer": "normalizers", "pre_tokenizer": "pretokenizers", "post_processor": "processors"}


@dataclass(frozen=True)
class TokenizerFile:
    """A parsed ``tokenizer.json`` and what the configuration beside it adds.

    Attributes:
        content: the parsed file.
        where: names it in errors.
        pad_token: text of the padding token, or None.
        max_tokens: ``model_max_length``, specials included; None when the tokenizer sets no limit.
        truncate_left: a text that is too long loses its beginning.
    """

    content: Mapping[str, Any]
    where: str
    pad_token: str | None = None
    max_tokens: int | None = None
    truncate_left: bool = False

    def steps(self, name: str) -> list[Mapping[str, Any]]:
        """The components under that name in order, those of Sequences one by one."""

        def flat(component: Mapping[str, Any] | None) -> list[Mapping[str, Any]]:
            if component is None:
                return []
            if component.get("type") != "Sequence":
                return [component]
            return [step for part in component.get(_PARTS[name]) or [] for step in flat(part)]

        return flat(self.content.get(name))

    def refuse(self, code: str, what: str, next_step: str = OTHER_BACKEND) -> NoReturn:
        """Raise the CompileError of this file."""
        raise CompileError(code, what, self.where, next_step)


@dataclass(frozen=True)
class Step:
    """A normalizer, a pre-tokenizer, a model, or a part of one, as the schema has it.

    Attributes:
        table: the schema's name for it.
        fields: of the table; a `Step` is a table in it.
        tables: fields that name a table of the file: dtype and values.
    """

    table: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    tables: Mapping[str, tuple[str, np.ndarray]] = field(default_factory=dict, compare=False)

    def lower(self, to: Lowering) -> Any:
        """The schema's object, its tables added to `to`."""
        found = {name: value.lower(to) if isinstance(value, Step) else value for name, value in self.fields.items()}
        for name, (dtype, values) in self.tables.items():
            found[name] = to.tensor(f"tokenizer.{name.removesuffix('T')}", dtype, values)
        return made(getattr(fb, f"{self.table}T"), **found)


Reader = Callable[[Mapping[str, Any], TokenizerFile], Step]


def read_steps(file: TokenizerFile, name: str, kinds: Mapping[str, Reader], code: str) -> tuple[Step, ...]:
    """The components under that name in order, each read by its kind; CompileError `code`: one of no kind here."""
    found = []
    for component in file.steps(name):
        kind = str(component.get("type"))
        if kind not in kinds:
            whole = name_of(file.content[name])
            file.refuse(code, f"the {name.replace('_', '-')} is {whole}, the core has no {kind}")
        found.append(kinds[kind](component, file))
    return tuple(found)


@dataclass(frozen=True)
class ModelTables:
    """What makes ids of words.

    Attributes:
        vocabulary: the model's pieces and their ids, added tokens apart.
        step: the schema's table.
        unk_id: of what stands for the unknown; -1: nothing does.
        prefix: begins the pieces that do not begin a word.
    """

    vocabulary: Mapping[str, int]
    step: Step
    unk_id: int
    prefix: str = ""

    def occurs(self, piece: str) -> bool:
        """Whether ordinary texts may give the piece, as far as it shows: any piece, if a kind says nothing else."""
        del piece
        return True


@dataclass(frozen=True)
class Part:
    """A part of a template: ``Id``, ``First`` or ``Second`` of the schema, the id of the first, and the token type."""

    kind: str
    id: int = 0
    type: int = 0

    def lower(self) -> Any:
        """The schema's object."""
        return made(fb.TemplatePartT, part=getattr(fb.Part, self.kind), id=self.id, type=self.type)


@dataclass(frozen=True)
class Template:
    """What stands around one text and around a pair, and what the post-processor does to the places of tokens.

    Attributes:
        single, pair: parts in order; no pair: pairs cannot be encoded.
        pairs_problem: why not.
        trim_offsets, trim_prefix_space: the schema's.
    """

    single: tuple[Part, ...]
    pair: tuple[Part, ...]
    pairs_problem: str | None
    trim_offsets: bool = False
    trim_prefix_space: bool = False


@dataclass(frozen=True)
class Added:
    """An added token, as the schema's; ``normalized`` is its text behind the normalizers, None: found in raw text."""

    id: int
    normalized: str | None = None
    left_strip: bool = False
    right_strip: bool = False
    single_word: bool = False

    def lower(self) -> Any:
        """The schema's object."""
        return made(
            fb.AddedTokenT, id=self.id, normalized=self.normalized, leftStrip=self.left_strip,
            rightStrip=self.right_strip, singleWord=self.single_word,
        )  # fmt: skip


@dataclass(frozen=True)
class Tables:
    """What the core needs to tokenize.

    Attributes:
        blob: UTF-8 text of all pieces in id order.
        offsets: ``vocabulary + 1`` byte offsets into `blob`, int32; an id that no piece has is an empty text.
        slots: hash table over FNV-1a-32 of a piece's bytes, int32 ids or -1; a power of two, at least twice the
            vocabulary. It holds the model's vocabulary only: an added token outside of it is in `blob` alone.
        added: tokens that are cut out of a text before it is cut into words.
        normalizers, pre_tokenizers: in order.
        model, template: as they are.
        pad_id: the tokenizer's padding token, -1 when it has none (the core never pads).
        max_tokens: ``model_max_length``, specials included; None when the tokenizer sets no limit.
        truncate_left: a text that is too long loses its beginning.
        unreachable: the pieces that no text can hold, as far as that was looked into.
        notes: what the user should know.
    """

    blob: bytes
    offsets: list[int]
    slots: list[int]
    added: tuple[Added, ...]
    normalizers: tuple[Step, ...]
    pre_tokenizers: tuple[Step, ...]
    model: ModelTables
    template: Template
    pad_id: int
    max_tokens: int | None
    truncate_left: bool = False
    unreachable: Unreachable = field(default=Unreachable([], 0), compare=False, kw_only=True)
    notes: tuple[str, ...] = field(default=(), compare=False, kw_only=True)

    @property
    def pieces(self) -> int:
        """Ids from 0 on that the tokenizer may give."""
        return len(self.offsets) - 1

    def text(self, token_id: int) -> str:
        """The piece with this id."""
        return self.blob[self.offsets[token_id] : self.offsets[token_id + 1]].decode("utf-8", "replace")

    @property
    def special_ids(self) -> set[int]:
        """Ids around one text or two."""
        return {part.id for part in (*self.template.single, *self.template.pair) if part.kind == "Id"}

    def piece_in_text(self, token_id: int) -> str | None:
        """The piece with this id where ordinary texts give it; None for padding, unused entries and ids without one."""
        if not 0 <= token_id < self.pieces:
            return None
        text = self.text(token_id)
        if token_id in self.special_ids or token_id == self.model.unk_id:
            return text
        if token_id == self.pad_id or not text:
            return None
        return text if token_id in {token.id for token in self.added} or self.model.occurs(text) else None

    @property
    def bert_flags(self) -> Mapping[str, bool] | None:
        """The switches of the one normalizer, a BertNormalizer; None for others, all off where there is none."""
        if not self.normalizers:
            return dict.fromkeys(("lowercase", "stripAccents", "cleanText", "handleChineseChars"), False)
        only = self.normalizers[0]
        return only.fields if len(self.normalizers) == 1 and only.table == "BertNormalizer" else None

    def lower(self, to: Lowering) -> Any:
        """The schema's table Tokenizer (an object of `fb`), its tensors added to `to`."""
        text = to.tensor("tokenizer.text", "u8", np.frombuffer(self.blob, np.uint8))
        offsets = to.tensor("tokenizer.offsets", "i32", np.asarray(self.offsets, np.int32))
        slots = to.tensor("tokenizer.slots", "i32", np.asarray(self.slots, np.int32))

        def steps(of: tuple[Step, ...], holder: Any, union: Any) -> list[Any]:
            return [made(holder, bodyType=getattr(union, step.table), body=step.lower(to)) for step in of]

        template = self.template
        return made(
            fb.TokenizerT,
            vocabulary=made(fb.VocabularyT, textT=text, offsetsT=offsets, slotsT=slots),
            added=[token.lower() for token in self.added],
            normalizers=steps(self.normalizers, fb.NormalizerT, fb.NormalizerBody),
            preTokenizers=steps(self.pre_tokenizers, fb.PreTokenizerT, fb.PreTokenizerBody),
            modelType=getattr(fb.TokenizerModel, self.model.step.table),
            model=self.model.step.lower(to),
            single=[part.lower() for part in template.single],
            pair=[part.lower() for part in template.pair] or None,
            padId=self.pad_id,
            truncateLeft=self.truncate_left,
            trimOffsets=template.trim_offsets,
            trimPrefixSpace=template.trim_prefix_space,
        )


def name_of(component: Mapping[str, Any]) -> str:
    """A component's type, with its parts when it is a sequence."""
    parts = next((component[name] for name in _PARTS.values() if component.get(name)), None)
    kind = str(component.get("type"))
    return f"{kind}[{', '.join(name_of(part) for part in parts)}]" if parts else kind
