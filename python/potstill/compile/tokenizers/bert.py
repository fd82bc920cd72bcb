"""What BERT has around a model: BertNormalizer, BertPreTokenizer and [CLS] A [SEP], with added tokens matched in the
raw text. Of pairs it is [CLS] A [SEP] B [SEP], with token type 1 from B on.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from potstill.compile.tokenizers.base import Tables, TokenizerFile, name_of
from potstill.compile.tokenizers.casing import Unreachable, unreachable_pieces
from potstill.compile.tokenizers.template import pairs_problem, single_template
from potstill.compile.tokenizers.vocabulary import added_tokens, hash_slots, texts
from potstill.still.schema import fb, made

if TYPE_CHECKING:
    from potstill.compile.lower import Lowering


@dataclass(frozen=True)
class BertTables(Tables):
    """`Tables`, and what of BERT's steps the core needs."""

    clean_text: bool
    handle_chinese_chars: bool
    unk_id: int

    @abstractmethod
    def model(self) -> tuple[int, Any]:
        """The model's place in the schema's union TokenizerModel, and its table."""

    def lower(self, to: Lowering) -> Any:
        normalizer = made(
            fb.BertNormalizerT, lowercase=self.lowercase, stripAccents=self.strip_accents,
            cleanText=self.clean_text, handleChineseChars=self.handle_chinese_chars,
        )  # fmt: skip
        pre_tokenizer = made(
            fb.PreTokenizerT, bodyType=fb.PreTokenizerBody.BertPreTokenizer, body=fb.BertPreTokenizerT()
        )
        kind, model = self.model()
        return made(
            fb.TokenizerT,
            vocabulary=self.lower_vocabulary(to),
            added=[made(fb.AddedTokenT, id=number) for number in self.added_ids],
            normalizers=[made(fb.NormalizerT, bodyType=fb.NormalizerBody.BertNormalizer, body=normalizer)],
            preTokenizers=[pre_tokenizer],
            modelType=kind,
            model=model,
            **self.lower_templates(),
            padId=self.pad_id,
        )


def fields(file: TokenizerFile, continuing_prefix: str = "") -> dict[str, Any]:
    """All of `BertTables`, for a model with a ``vocab`` and an ``unk_token``.

    Args:
        file: what is read.
        continuing_prefix: begins the pieces that do not begin a word.

    Raises:
        CompileError: something that the core would do differently.
    """
    vocabulary: dict[str, int] = file.content["model"]["vocab"]
    unk_token: str = file.content["model"]["unk_token"]
    added = added_tokens(file, vocabulary)
    blob, offsets = texts(file, {**vocabulary, **added})
    unk_id = vocabulary.get(unk_token)
    if unk_id is None:
        _lacking(file, f"unknown token {unk_token!r}")
    _check_pre_tokenizer(file)
    cls_id, sep_id = single_template(file)
    for token_id in (cls_id, sep_id):
        if token_id >= len(offsets) - 1:
            file.refuse("C055", f"the post-processor adds id {token_id}, which no piece has")
    flags = _normalizer(file)
    pad_id = unk_id if file.pad_token is None else added.get(file.pad_token, vocabulary.get(file.pad_token))
    if pad_id is None:
        _lacking(file, f"padding token {file.pad_token!r}")
    unreachable = unreachable_pieces(
        vocabulary, added, continuing_prefix, lowercase=flags["lowercase"], strip_accents=flags["strip_accents"]
    )
    return {
        "blob": blob,
        "offsets": offsets,
        "slots": hash_slots({piece.encode(): i for piece, i in vocabulary.items()}),
        **flags,
        "unk_id": unk_id,
        "cls_id": cls_id,
        "sep_id": sep_id,
        "pad_id": pad_id,
        "max_tokens": file.max_tokens,
        "added_ids": sorted(added.values()),
        "pairs_problem": pairs_problem(file, cls_id, sep_id),
        "unreachable": unreachable,
        "notes": _notes(unreachable),
    }


def _notes(unreachable: Unreachable) -> tuple[str, ...]:
    """What normalization leaves of the vocabulary, where that is telling."""
    if not unreachable.are_many:
        return ()
    return (
        f"{len(unreachable.pieces)} of {unreachable.of} pieces of the tokenizer's vocabulary cannot occur "
        f"({unreachable.examples}): the vocabulary seems to have been made for different case folding",
    )


def _lacking(file: TokenizerFile, token: str) -> NoReturn:
    file.refuse("C057", f"the {token} is not in the vocabulary", "add it to the vocabulary")


def _check_pre_tokenizer(file: TokenizerFile) -> None:
    found = file.part("pre_tokenizer", "pretokenizers")
    if found.get("type") != "BertPreTokenizer":
        file.refuse("C054", f"the pre-tokenizer is {name_of(found)}, the core has BertPreTokenizer only")


def _normalizer(file: TokenizerFile) -> dict[str, bool]:
    """BertNormalizer's four switches."""
    found = file.part("normalizer", "normalizers")
    names = ("lowercase", "strip_accents", "clean_text", "handle_chinese_chars")
    if not found:  # no normalizer is a BertNormalizer with everything off
        return dict.fromkeys(names, False)
    if found.get("type") != "BertNormalizer":
        file.refuse("C053", f"the normalizer is {name_of(found)}, the core has BertNormalizer only")
    flags = {name: found[name] for name in names}
    if flags["strip_accents"] is None:  # follows lowercase, as in the original BERT
        flags["strip_accents"] = flags["lowercase"]
    return {name: bool(value) for name, value in flags.items()}
