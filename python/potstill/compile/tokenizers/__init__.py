"""The tokenizer of a model's folder as the tables that the C++ core reads. One file a kind of model; see README.md.

The core reproduces a few kinds exactly. Everything else is refused here, by name, so that a packed model never
tokenizes differently from the model that was trained.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from potstill.compile.tokenizers.base import OTHER_BACKEND, Step, Tables, TokenizerFile
from potstill.compile.tokenizers.casing import Unreachable, described, is_stated, unreachable_pieces
from potstill.compile.tokenizers.models import read_model
from potstill.compile.tokenizers.normalizers import read_normalizers
from potstill.compile.tokenizers.pre_tokenizers import read_pre_tokenizers
from potstill.compile.tokenizers.template import read_template
from potstill.compile.tokenizers.vocabulary import added_tokens, hash_slots, texts
from potstill.errors import CompileError, missing_package
from potstill.models.sentence_folder import SentenceModel

__all__ = ["Tables", "read_tokenizer", "tables_from_json"]

# transformers writes 10^30 for "no limit"; no BERT has a position table this long.
_NO_LIMIT = 100_000


def read_tokenizer(folder: Path, *, lowercase: bool | None = None) -> Tables:
    """Read the tokenizer in `folder` (``tokenizer.json``, or ``vocab.txt`` with its configuration).

    It is loaded the way training loads it (``AutoTokenizer``), because ``tokenizer_config.json`` may change what
    ``tokenizer.json`` says. Truncation and padding stored in the file do not matter: the runtime does neither.

    Args:
        folder: the folder.
        lowercase: whether text is lower-cased (and stripped of accents, as for BERT's uncased models), for a folder
            that does not say so; None: if it does not, it is, unless the vocabulary has pieces that contradict it.

    Raises:
        CompileError: there is no tokenizer, or it does something that the core does not.
        SystemFailure: transformers is not installed.
    """
    stated = is_stated(folder)
    tokenizer = _load(folder, None if stated else lowercase)
    limit, pad_token = getattr(tokenizer, "model_max_length", None), getattr(tokenizer, "pad_token", None)
    max_tokens = int(limit) if limit is not None and 0 < limit < _NO_LIMIT else None
    left = getattr(tokenizer, "truncation_side", "right") == "left"
    content = json.loads(tokenizer.backend_tokenizer.to_str())
    file = TokenizerFile(content, str(folder), pad_token, max_tokens, truncate_left=left)
    if getattr(tokenizer, "split_special_tokens", False):
        file.refuse("C056", "split_special_tokens is on: special tokens in text would be cut into pieces")
    tables = _tables(file)
    flags = tables.bert_flags
    if lowercase is not None and (flags is None or flags["lowercase"] is not lowercase):
        said = "normalized in other steps" if flags is None else _cased(flags)
        file.refuse(
            "C148", f"the tokenizer's own files say that text is {said}",
            "leave --cased and --lowercase out, or fix the tokenizer's files",
        )  # fmt: skip
    return tables if stated or lowercase is not None else _with_guess(tables, file)


def tables_from_json(
    content: Mapping[str, Any], *, where: str, pad_token: str | None = None, max_tokens: int | None = None
) -> Tables:
    """The tables of a parsed ``tokenizer.json``; `where` names it in errors. Raises like `read_tokenizer`."""
    return _tables(TokenizerFile(content, where, pad_token, max_tokens))


def lowercased_by(tables: Tables, sentence: SentenceModel | None) -> Tables:
    """The tables with what the sentence-transformers folder does to texts before the tokenizer sees them."""
    flags = tables.bert_flags
    if sentence is None or not sentence.lowercase or (flags is not None and flags["lowercase"]):
        return tables
    note = "texts are lower-cased before the tokenizer, as the sentence-transformers folder says"
    if flags is not None and tables.normalizers:
        normalizers: tuple[Step, ...] = (Step("BertNormalizer", {**flags, "lowercase": True}),)
    else:
        normalizers = (Step("Lowercase"), *tables.normalizers)
    return replace(tables, normalizers=normalizers, notes=(*tables.notes, note))


def _tables(file: TokenizerFile) -> Tables:
    model = read_model(file)
    ids, added = added_tokens(file, model.vocabulary)
    blob, offsets = texts(file, {**model.vocabulary, **ids})
    template = read_template(file)
    for part in (*template.single, *template.pair):
        if part.id >= len(offsets) - 1:
            file.refuse("C055", f"the post-processor adds id {part.id}, which no piece has")
    pad_id = -1 if file.pad_token is None else ids.get(file.pad_token, model.vocabulary.get(file.pad_token))
    if pad_id is None:
        lacking = f"the padding token {file.pad_token!r} is not in the vocabulary"
        file.refuse("C057", lacking, "add it to the vocabulary")
    tables = Tables(
        blob=blob,
        offsets=offsets,
        slots=hash_slots({piece.encode(): i for piece, i in model.vocabulary.items()}),
        added=added,
        normalizers=read_normalizers(file),
        pre_tokenizers=read_pre_tokenizers(file),
        model=model,
        template=template,
        pad_id=pad_id,
        max_tokens=file.max_tokens,
        truncate_left=file.truncate_left,
    )
    unreachable = _unreachable(tables, ids)
    return replace(tables, unreachable=unreachable, notes=_notes(unreachable))


def _unreachable(tables: Tables, added: Mapping[str, int]) -> Unreachable:
    """The pieces that BERT's normalizer would change; of others it is not looked into."""
    flags, model = tables.bert_flags, tables.model
    if flags is None or model.step.table != "WordPiece":
        return Unreachable([], 0)
    return unreachable_pieces(
        model.vocabulary, added, model.prefix, lowercase=flags["lowercase"], strip_accents=flags["stripAccents"]
    )


def _notes(unreachable: Unreachable) -> tuple[str, ...]:
    """What normalization leaves of the vocabulary, where that is telling."""
    if not unreachable.are_many:
        return ()
    return (
        f"{len(unreachable.pieces)} of {unreachable.of} pieces of the tokenizer's vocabulary cannot occur "
        f"({unreachable.examples}): the vocabulary seems to have been made for different case folding",
    )


def _cased(flags: Mapping[str, bool]) -> str:
    return described(flags["lowercase"], flags["stripAccents"])


def _with_guess(tables: Tables, file: TokenizerFile) -> Tables:
    """The tables of a folder that leaves open whether text is lower-cased, with a note, if the guess can be right."""
    flags = tables.bert_flags
    if flags is None:
        return tables
    guess, unreachable = f"text is {_cased(flags)}", tables.unreachable
    if unreachable.are_many:
        file.refuse(
            "C147",
            f"nothing says whether text is lower-cased, and if {guess}, {len(unreachable.pieces)} of {unreachable.of} "
            f"pieces cannot occur ({unreachable.examples})",
            "say --cased or --lowercase, or write do_lower_case and strip_accents into tokenizer_config.json",
        )  # fmt: skip
    note = f"the tokenizer's files do not say whether text is lower-cased; taken: {guess} (or say --cased)"
    return replace(tables, notes=(note, *tables.notes))


def _load(folder: Path, lowercase: bool | None) -> Any:
    if not any((folder / name).is_file() for name in ("tokenizer.json", "vocab.txt")):
        raise CompileError(
            "C050",
            "there is neither tokenizer.json nor vocab.txt",
            str(folder),
            "name the folder the tokenizer was saved in (--tokenizer DIR)",
        )
    try:
        from transformers import AutoTokenizer, BertTokenizer, PreTrainedTokenizerFast
    except ImportError as error:
        raise missing_package("transformers", "build", "reading a tokenizer") from error
    configured = any((folder / name).is_file() for name in ("tokenizer_config.json", "config.json"))
    options = {"local_files_only": True, **({} if lowercase is None else {"do_lower_case": lowercase})}
    try:
        if configured:
            tokenizer = AutoTokenizer.from_pretrained(str(folder), **options)
        elif (folder / "tokenizer.json").is_file():
            tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"))
        else:
            tokenizer = BertTokenizer.from_pretrained(str(folder), **options)
    except Exception as error:  # `tokenizers` raises plain Exception for a file it cannot parse
        reason = " ".join(str(error).split())[:300]
        raise CompileError(
            "C051",
            f"the tokenizer cannot be loaded ({type(error).__name__}: {reason})",
            str(folder),
            "save it again with tokenizer.save_pretrained(DIR)",
        ) from error
    if not hasattr(tokenizer, "backend_tokenizer"):
        raise CompileError(
            "C051", f"{type(tokenizer).__name__} is not backed by the tokenizers library", str(folder), OTHER_BACKEND
        )
    return tokenizer
