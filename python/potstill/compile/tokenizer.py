"""The tokenizer of a model directory as the tables the C++ core reads (schema table ``WordPiece``).

The core reproduces one family exactly: BertNormalizer, BertPreTokenizer, WordPiece and [CLS] A [SEP] (of pairs
[CLS] A [SEP] B [SEP], with token type 1 from B on), with added tokens matched in the raw text. Everything else is
refused here, by name, so that a packed model never tokenizes differently from the model that was trained.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NoReturn

from potstill.compile.casing import are_many, described, is_stated, some, unreachable_pieces
from potstill.errors import CompileError, missing_package

# The limits of cpp/src/tokenizer/wordpiece.h.
MAX_VOCABULARY = 1 << 24
MAX_ADDED_TOKENS = 256
MAX_PROBE_RUN = 256
MAX_CHARS_PER_WORD = 1000
MAX_PREFIX_BYTES = 64

# transformers writes 10^30 for "no limit"; no BERT has a position table this long.
_NO_LIMIT = 100_000
_OTHER_BACKEND = "keep this model on the onnxruntime backend, which uses its own tokenizer, or choose a BERT tokenizer"


@dataclass(frozen=True)
class WordPieceTables:
    """What the core needs to tokenize.

    Attributes:
        blob: UTF-8 text of all pieces in id order.
        offsets: ``vocabulary + 1`` byte offsets into `blob`, int32; an id that no piece has is an empty text.
        slots: hash table over FNV-1a-32 of a piece's bytes, int32 ids or -1; a power of two, at least twice the
            vocabulary. It holds the model's vocabulary only: an added token outside of it is in `blob` alone.
        added_ids: ids of the pieces that are cut out of the raw text before normalization.
        pad_id: the tokenizer's padding token, the unknown token when it has none (the core never pads).
        max_tokens: ``model_max_length``, specials included; None when the tokenizer sets no limit.
        pairs_problem: why the core would encode a pair of texts differently; None: it encodes pairs exactly.
        notes: what the user should know about the vocabulary.
    """

    blob: bytes
    offsets: list[int]
    slots: list[int]
    lowercase: bool
    strip_accents: bool
    clean_text: bool
    handle_chinese_chars: bool
    unk_id: int
    cls_id: int
    sep_id: int
    pad_id: int
    continuing_prefix: str
    max_chars_per_word: int
    max_tokens: int | None
    added_ids: list[int] = field(default_factory=list)
    pairs_problem: str | None = None
    notes: tuple[str, ...] = field(default=(), compare=False)

    def piece_in_text(self, token_id: int) -> str | None:
        """The piece with this id where ordinary texts give it; None for padding, unused entries and ids without one."""
        if not 0 <= token_id < len(self.offsets) - 1:
            return None
        text = self.blob[self.offsets[token_id] : self.offsets[token_id + 1]].decode("utf-8", "replace")
        if token_id in (self.cls_id, self.sep_id, self.unk_id):
            return text
        if token_id == self.pad_id or not text:
            return None
        word = text.removeprefix(self.continuing_prefix)
        # A word is cut at punctuation: "[unused5]" is one piece of no text, unless it is cut out before that.
        whole = len(word) == 1 or word.isalnum() or any(ord(c) > 127 for c in word)
        return text if whole or token_id in self.added_ids else None


def wordpiece_tables(tokenizer_dir: Path, *, lowercase: bool | None = None) -> WordPieceTables:
    """Read the tokenizer in `tokenizer_dir` (``tokenizer.json``, or ``vocab.txt`` with its configuration).

    It is loaded the way training loads it (``AutoTokenizer``), because ``tokenizer_config.json`` may change what
    ``tokenizer.json`` says. Truncation and padding stored in the file do not matter: the runtime does neither.

    Args:
        tokenizer_dir: the folder.
        lowercase: whether text is lower-cased (and stripped of accents, as for BERT's uncased models), for a folder
            that does not say so; None: if it does not, it is, unless the vocabulary has pieces that contradict it.

    Raises:
        CompileError: no tokenizer there; it cannot be loaded or is not a `tokenizers` one; model,
            normalizer; pre-tokenizer; post-processor; added token; vocabulary,
            a limit of the core; truncation on the left; nothing says whether text is lower-cased and the
            vocabulary speaks against it; `lowercase` is not what the folder says.
        SystemFailure: transformers is not installed.
    """
    stated = is_stated(tokenizer_dir)
    tokenizer = _load(tokenizer_dir, None if stated else lowercase)
    where = str(tokenizer_dir)
    if getattr(tokenizer, "truncation_side", "right") != "right":
        _refuse("C059", "the tokenizer truncates on the left, the runtime on the right", where)
    if getattr(tokenizer, "split_special_tokens", False):
        _refuse("C056", "split_special_tokens is on: special tokens in text would be cut into pieces", where)
    limit = getattr(tokenizer, "model_max_length", None)
    content = json.loads(tokenizer.backend_tokenizer.to_str())
    tables = tables_from_json(
        content,
        where=where,
        pad_token=getattr(tokenizer, "pad_token", None),
        max_tokens=int(limit) if limit is not None and 0 < limit < _NO_LIMIT else None,
    )
    if lowercase is not None and tables.lowercase is not lowercase:
        _refuse(
            "C148", f"by the tokenizer's own files text is {described(tables.lowercase, tables.strip_accents)}", where,
            "leave --cased and --lowercase out, or mend the tokenizer's files",
        )  # fmt: skip
    return tables if stated or lowercase is not None else _with_guess(tables, content, where)


def _with_guess(tables: WordPieceTables, content: Mapping[str, Any], where: str) -> WordPieceTables:
    """The tables of a folder that leaves open whether text is lower-cased, with a note, if the guess can be right."""
    unreachable, pieces = _unreachable(content, where)
    guess = f"text is {described(tables.lowercase, tables.strip_accents)}"
    if are_many(len(unreachable), pieces):
        _refuse(
            "C147",
            f"nothing says whether text is lower-cased, and if {guess}, {len(unreachable)} of {pieces} pieces "
            f"cannot occur ({some(unreachable)})", where,
            "say --cased or --lowercase, or write do_lower_case and strip_accents into tokenizer_config.json",
        )  # fmt: skip
    note = f"the tokenizer's files do not say whether text is lower-cased; taken: {guess} (or say --cased)"
    return replace(tables, notes=(note, *tables.notes))


def _unreachable(content: Mapping[str, Any], where: str) -> tuple[list[str], int]:
    flags = _normalizer(_single(content.get("normalizer"), "normalizers"), where)
    added = {str(token["content"]) for token in content.get("added_tokens") or []}
    return unreachable_pieces(
        content["model"]["vocab"], added, str(content["model"]["continuing_subword_prefix"]),
        lowercase=flags["lowercase"], strip_accents=flags["strip_accents"],
    )  # fmt: skip


def _notes(content: Mapping[str, Any], where: str) -> tuple[str, ...]:
    """What normalization leaves of the vocabulary, where that is telling."""
    unreachable, pieces = _unreachable(content, where)
    if not are_many(len(unreachable), pieces):
        return ()
    return (
        f"{len(unreachable)} of {pieces} pieces of the tokenizer's vocabulary cannot occur ({some(unreachable)}): "
        "its case folding seems to be another than the vocabulary was made for",
    )


def tables_from_json(
    content: Mapping[str, Any], *, where: str, pad_token: str | None = None, max_tokens: int | None = None
) -> WordPieceTables:
    """The tables of a parsed ``tokenizer.json``; `where` names it in errors. Raises like `wordpiece_tables`."""
    model = content.get("model") or {}
    if model.get("type") != "WordPiece":
        _refuse("C052", f"the tokenizer's model is {model.get('type')}, the core has WordPiece only", where)
    vocabulary: dict[str, int] = model["vocab"]
    added = _added_tokens(content.get("added_tokens") or [], vocabulary, where)
    blob, offsets = _blob({**vocabulary, **added}, where)

    def id_of(token: str | None, what: str) -> int:
        found = added.get(token, vocabulary.get(token)) if token is not None else None
        if found is None:
            _refuse("C057", f"the {what} {token!r} is not in the vocabulary", where, "add it to the vocabulary")
        return found

    unk_id = vocabulary.get(model["unk_token"])
    if unk_id is None:
        what = f"the unknown token {model['unk_token']!r} is not in the vocabulary"
        _refuse("C057", what, where, "add it to the vocabulary")
    prefix = str(model["continuing_subword_prefix"])
    if len(prefix.encode()) > MAX_PREFIX_BYTES:
        _refuse("C058", f"the prefix of continuing pieces is longer than {MAX_PREFIX_BYTES} bytes", where)
    max_chars = int(model["max_input_chars_per_word"])
    if not 1 <= max_chars <= MAX_CHARS_PER_WORD:
        _refuse("C058", f"max_input_chars_per_word is {max_chars}, the core takes 1 to {MAX_CHARS_PER_WORD}", where)
    pre_tokenizer = _single(content.get("pre_tokenizer"), "pretokenizers")
    if pre_tokenizer.get("type") != "BertPreTokenizer":
        _refuse("C054", f"the pre-tokenizer is {_name(pre_tokenizer)}, the core has BertPreTokenizer only", where)
    post_processor = _single(content.get("post_processor"), "processors")
    cls_id, sep_id = _template(post_processor, where)
    for token_id in (cls_id, sep_id):
        if token_id >= len(offsets) - 1:
            _refuse("C055", f"the post-processor adds id {token_id}, which no piece has", where)
    return WordPieceTables(
        blob=blob,
        offsets=offsets,
        slots=hash_slots({piece.encode(): i for piece, i in vocabulary.items()}),
        **_normalizer(_single(content.get("normalizer"), "normalizers"), where),
        unk_id=unk_id,
        cls_id=cls_id,
        sep_id=sep_id,
        pad_id=unk_id if pad_token is None else id_of(pad_token, "padding token"),
        continuing_prefix=prefix,
        max_chars_per_word=max_chars,
        max_tokens=max_tokens,
        added_ids=sorted(added.values()),
        pairs_problem=_pairs_problem(post_processor, cls_id, sep_id),
        notes=_notes(content, where),
    )


def fnv1a(text: bytes) -> int:
    """FNV-1a, 32 bits (Fowler, Noll, Vo): the hash of the core's vocabulary table."""
    state = 2166136261
    for byte in text:
        state = ((state ^ byte) * 16777619) & 0xFFFFFFFF
    return state


def hash_slots(pieces: Mapping[bytes, int]) -> list[int]:
    """Open-addressing table of ids with linear probing, -1 = empty.

    The size is the smallest power of two that is at least twice the number of pieces and leaves no more than
    `MAX_PROBE_RUN` used slots in a row (the core refuses longer runs: they bound the time of a failed lookup).
    """
    hashes = [(fnv1a(piece), i) for piece, i in pieces.items()]
    size = 2
    while size < 2 * len(hashes):
        size *= 2
    while True:
        slots = [-1] * size
        for state, i in hashes:
            slot = state & (size - 1)
            while slots[slot] != -1:
                slot = (slot + 1) & (size - 1)
            slots[slot] = i
        if _longest_run(slots) <= MAX_PROBE_RUN:
            return slots
        size *= 2


def _longest_run(slots: list[int]) -> int:
    empty = slots.index(-1)
    longest = run = 0
    for i in range(1, len(slots) + 1):  # once around, from an empty slot to itself
        run = 0 if slots[(empty + i) % len(slots)] == -1 else run + 1
        longest = max(longest, run)
    return longest


def _load(tokenizer_dir: Path, lowercase: bool | None) -> Any:
    if not any((tokenizer_dir / name).is_file() for name in ("tokenizer.json", "vocab.txt")):
        raise CompileError(
            "C050",
            "there is neither tokenizer.json nor vocab.txt",
            str(tokenizer_dir),
            "name the folder the tokenizer was saved in (--tokenizer DIR)",
        )
    try:
        from transformers import AutoTokenizer, BertTokenizer, PreTrainedTokenizerFast
    except ImportError as error:
        raise missing_package("transformers", "build", "reading a tokenizer") from error
    configured = any((tokenizer_dir / name).is_file() for name in ("tokenizer_config.json", "config.json"))
    options = {"local_files_only": True, **({} if lowercase is None else {"do_lower_case": lowercase})}
    try:
        if configured:
            tokenizer = AutoTokenizer.from_pretrained(str(tokenizer_dir), **options)
        elif (tokenizer_dir / "tokenizer.json").is_file():
            tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(tokenizer_dir / "tokenizer.json"))
        else:
            tokenizer = BertTokenizer.from_pretrained(str(tokenizer_dir), **options)
    except Exception as error:  # `tokenizers` raises plain Exception for a file it cannot parse
        reason = " ".join(str(error).split())[:300]
        raise CompileError(
            "C051",
            f"the tokenizer cannot be loaded ({type(error).__name__}: {reason})",
            str(tokenizer_dir),
            "save it again with tokenizer.save_pretrained(DIR)",
        ) from error
    if not hasattr(tokenizer, "backend_tokenizer"):
        _refuse("C051", f"{type(tokenizer).__name__} is not backed by the tokenizers library", str(tokenizer_dir))
    return tokenizer


def _refuse(code: str, what: str, where: str, next_step: str = _OTHER_BACKEND) -> NoReturn:
    raise CompileError(code, what, where, next_step)


def _name(component: Mapping[str, Any]) -> str:
    """A component's type, with its parts when it is a sequence."""
    parts = component.get("normalizers") or component.get("pretokenizers") or component.get("processors")
    kind = str(component.get("type"))
    return f"{kind}[{', '.join(_name(part) for part in parts)}]" if parts else kind


def _single(component: Mapping[str, Any] | None, parts: str) -> Mapping[str, Any]:
    """The component itself, out of Sequences of one; {} when there is none."""
    while component is not None and component.get("type") == "Sequence" and len(component.get(parts) or []) == 1:
        component = component[parts][0]
    return component or {}


def _normalizer(component: Mapping[str, Any], where: str) -> dict[str, bool]:
    names = ("lowercase", "strip_accents", "clean_text", "handle_chinese_chars")
    if not component:  # no normalizer is a BertNormalizer with everything off
        return dict.fromkeys(names, False)
    if component.get("type") != "BertNormalizer":
        _refuse("C053", f"the normalizer is {_name(component)}, the core has BertNormalizer only", where)
    flags = {name: component[name] for name in names}
    if flags["strip_accents"] is None:  # follows lowercase, as in the original BERT
        flags["strip_accents"] = flags["lowercase"]
    return {name: bool(value) for name, value in flags.items()}


def _template(component: Mapping[str, Any], where: str) -> tuple[int, int]:
    """Ids of the first and the last token of exactly [CLS] A [SEP]."""
    kind = component.get("type")
    if kind in ("BertProcessing", "RobertaProcessing"):  # of one text both add the two tokens, all types 0
        return int(component["cls"][1]), int(component["sep"][1])
    if kind != "TemplateProcessing":
        _refuse("C055", f"the post-processor is {_name(component)}, the core adds [CLS] and [SEP] only", where)
    single = component["single"]
    if _shape(single) != ["SpecialToken", "A", "SpecialToken"]:
        _refuse("C055", f"the template of one text is {_spelled(single)}, not [CLS] A [SEP]", where)
    if any(_type_ids(single)):
        _refuse("C055", "the template gives token type ids other than 0", where)
    ids = []
    for part in (single[0], single[2]):
        token = component["special_tokens"][part["SpecialToken"]["id"]]
        if len(token["ids"]) != 1:
            _refuse("C055", f"the template's token {token['id']!r} stands for {len(token['ids'])} ids", where)
        ids.append(int(token["ids"][0]))
    return ids[0], ids[1]


def _pairs_problem(component: Mapping[str, Any], cls_id: int, sep_id: int) -> str | None:
    """Why pairs are not encoded as exactly [CLS] A [SEP] B [SEP] with the types 0 0 0 1 1; None when they are."""
    kind = component.get("type")
    if kind == "BertProcessing":
        return None
    if kind == "RobertaProcessing":
        return "the post-processor is RobertaProcessing, which puts two separators between the texts, all types 0"
    pair = component.get("pair") or []
    if not pair:
        return "the tokenizer has no template for pairs"
    if _shape(pair) != ["SpecialToken", "A", "SpecialToken", "B", "SpecialToken"]:
        return f"the template of pairs is {_spelled(pair)}, not [CLS] A [SEP] B [SEP]"
    if _type_ids(pair) != [0, 0, 0, 1, 1]:
        types = " ".join(map(str, _type_ids(pair)))
        return f"the template of pairs gives the token types {types}, not 0 0 0 1 1"
    ids = [component["special_tokens"][part["SpecialToken"]["id"]]["ids"] for part in pair[::2]]
    if ids != [[cls_id], [sep_id], [sep_id]]:
        return f"the template of pairs is {_spelled(pair)}, with other special tokens than the template of one text"
    return None


def _shape(template: list[dict[str, Any]]) -> list[str]:
    """Of each part of a template: "A", "B" or "SpecialToken"."""
    return [str(part["Sequence"]["id"]) if "Sequence" in part else next(iter(part)) for part in template]


def _spelled(template: list[dict[str, Any]]) -> str:
    """A template as `tokenizers` writes it: ``[CLS] A [SEP]``."""
    return " ".join(str(next(iter(part.values()))["id"]) for part in template) or "empty"


def _type_ids(template: list[dict[str, Any]]) -> list[int]:
    return [int(next(iter(part.values()))["type_id"]) for part in template]


def _added_tokens(listed: list[Mapping[str, Any]], vocabulary: Mapping[str, int], where: str) -> dict[str, int]:
    """Text to id of the added tokens, each one checked.

    lstrip and rstrip take white space along with a match; BertPreTokenizer drops it anyway, so the ids are the same,
    unless a token itself holds white space.
    """
    added: dict[str, int] = {}
    for token in listed:
        text, i = str(token["content"]), int(token["id"])
        if text == "":
            continue  # never matched
        if token["normalized"]:
            _refuse("C056", f"the added token {text!r} is matched after normalization (normalized=true)", where)
        if token["single_word"]:
            _refuse("C056", f"the added token {text!r} is matched as a whole word only (single_word=true)", where)
        if vocabulary.get(text, i) != i:
            _refuse("C056", f"the added token {text!r} has id {i}, the vocabulary says {vocabulary[text]}", where)
        added[text] = i
    if len(added) > MAX_ADDED_TOKENS:
        _refuse("C058", f"{len(added)} added tokens, the core takes {MAX_ADDED_TOKENS}", where)
    strips = any(token["lstrip"] or token["rstrip"] for token in listed)
    spaced = next((text for text in added if any(c.isspace() for c in text)), None)
    if strips and spaced is not None:
        _refuse("C056", f"the added token {spaced!r} holds white space while another strips it", where)
    return added


def _blob(pieces: Mapping[str, int], where: str) -> tuple[bytes, list[int]]:
    """All pieces as one text in id order, and where each begins; an unused id is an empty piece."""
    by_id: dict[int, str] = {}
    for piece, i in pieces.items():
        if i < 0 or by_id.setdefault(i, piece) != piece:
            what = f"id {i} is given to {piece!r} and to {by_id.get(i)!r}"
            _refuse("C057", what, where, "give each piece its own id")
    count = max(by_id, default=-1) + 1
    if count > MAX_VOCABULARY:
        _refuse("C058", f"the highest id is {count - 1}, the core takes ids below {MAX_VOCABULARY}", where)
    if not by_id:
        _refuse("C057", "the vocabulary is empty", where, "save the tokenizer again with its vocabulary")
    texts = [by_id.get(i, "").encode() for i in range(count)]
    offsets = [0]
    for text in texts:
        offsets.append(offsets[-1] + len(text))
    return b"".join(texts), offsets
