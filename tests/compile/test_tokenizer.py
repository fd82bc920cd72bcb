"""The core's ids equal those of Hugging Face tokenizers, on text of every kind."""

from __future__ import annotations

import copy
import dataclasses
import random
import unicodedata
from typing import Any

import pytest

from bert import SPECIAL
from native_tokenizer import native
from potstill.compile.tokenizers import tables_from_json
from potstill.compile.tokenizers.base import Added, Step
from potstill.compile.tokenizers.vocabulary import fnv1a, hash_slots
from potstill.errors import FormatError
from same_tokens import both, differences, random_text
from wordpiece import wordpiece

tokenizers = pytest.importorskip("tokenizers", reason="the build extra is not installed: tokenizers is the oracle")
pytest.importorskip("potstill._core", reason="the native module is not built")

WORDS = ["the", "turn", "light", "##s", "##ing", "running", "un", "##known", "cafe", "café", "[", "]", "##]", "CLS"]

VARIANTS: list[dict[str, bool | None]] = [
    {},
    {"lowercase": True, "strip_accents": False},
    {"lowercase": False},
    {"lowercase": False, "strip_accents": False, "clean_text": False},
    {"lowercase": False, "strip_accents": True},
    {"handle_chinese_chars": False},
    {"clean_text": False, "handle_chinese_chars": False},
]


def _name(flags: dict[str, bool | None]) -> str:
    return ",".join(f"{k}={v}" for k, v in flags.items()) or "uncased"


def _telling_characters() -> list[str]:
    """Characters by which ids show what normalization did: each is a piece, alone and continuing."""
    found = {chr(p) for p in range(0x21, 0x3000)} | {chr(p) for p in range(0x1D100, 0x1D200)}
    for point in range(0x110000):
        char = chr(point)
        if 0xAC00 <= point < 0xD7A4 or 0xD800 <= point < 0xE000:
            continue
        parts = unicodedata.normalize("NFD", char)
        if parts != char or unicodedata.combining(char) or unicodedata.category(char)[0] in "MP":
            found |= {*parts, *parts.lower(), *char.lower(), char}
        elif char.lower() != char:
            found |= {char, *char.lower()}
    return sorted(c for c in found if not c.isspace())


def tokenizer_json(pieces: list[str], **flags: bool | None) -> dict[str, Any]:
    """A BERT tokenizer.json over the special tokens and `pieces`."""
    template = [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]
    template.append({"SpecialToken": {"id": "[SEP]", "type_id": 0}})
    processor = {
        "type": "TemplateProcessing",
        "single": template,
        "pair": [*template, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {t: {"id": t, "ids": [SPECIAL.index(t)], "tokens": [t]} for t in ("[CLS]", "[SEP]")},
    }
    return {**wordpiece([*SPECIAL, *pieces], **flags), "post_processor": processor}


@pytest.fixture(scope="module")
def pieces() -> list[str]:
    chars = _telling_characters()
    return [*WORDS, *chars, *(f"##{c}" for c in chars)]


@pytest.mark.parametrize("flags", VARIANTS, ids=_name)
def test_random_text(flags: dict[str, bool | None], pieces: list[str]) -> None:
    r = random.Random(f"potstill {_name(flags)}")
    assert differences(tokenizer_json(pieces, **flags), [random_text(r) for _ in range(2500)])[:3] == []


@pytest.mark.parametrize("flags", VARIANTS[:5], ids=_name)
def test_every_code_point_that_normalization_changes(flags: dict[str, bool | None], pieces: list[str]) -> None:
    texts = [f"a{p}b {p}" for p in pieces if not p.startswith("##")]
    texts += [f"a{chr(p)}b" for p in range(0xAC00, 0xD7A4, 7)]
    assert differences(tokenizer_json(pieces, **flags), texts)[:3] == []


def test_every_code_point(pieces: list[str]) -> None:
    content = tokenizer_json(["a", "b", "ab", "##b", "##ab"])
    texts = [f"a{chr(p)}b" for p in range(0x110000) if not 0xD800 <= p < 0xE000]
    oracle, ours = both(content)
    # Batches of one text per 64 code points: a space keeps them apart.
    joined = [" ".join(texts[i : i + 64]) for i in range(0, len(texts), 64)]
    wrong = [t for t, e in zip(joined, oracle.encode_batch(joined), strict=True) if ours.encode(t) != e.ids]
    assert [ascii(t) for t in wrong[:2]] == []


def test_long_words_and_long_text(pieces: list[str]) -> None:
    texts = [char * n for char in ("a", "é", "e\u0301", "中") for n in (99, 100, 101, 2000)]
    texts += ["x" * 100 + " " + "y" * 101, "the running light " * 500, "\u0130" * 60, "[MASK]" * 500, "[" * 3000]
    for flags in VARIANTS:
        assert differences(tokenizer_json(pieces, **flags), texts) == []


@pytest.mark.parametrize("strip", [{}, {"lstrip": True}, {"rstrip": True}, {"lstrip": True, "rstrip": True}], ids=str)
def test_added_tokens(pieces: list[str], strip: dict[str, bool]) -> None:
    """Outside the vocabulary, one a prefix of another, not special, stripping white space."""
    content = tokenizer_json(pieces)
    last = len(content["model"]["vocab"])
    new = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": False, **strip}
    for i, text in enumerate(("<e1>", "<e1>s", "Ünï", "the")):
        content["added_tokens"].append({"id": last + i, "content": text, **new})
    content["added_tokens"][-1]["id"] = content["model"]["vocab"]["the"]
    r = random.Random(9)
    words = ["<e1>", "<e1>s", "<e1", "Ünï", "ünï", "the", "The", "breathe", "é", "[SEP]"]
    words += [" ", "  ", "\u3000", "\u0301", "\x85"]
    texts = ["".join(r.choice(words) for _ in range(12)) for _ in range(1500)]
    assert differences(content, texts)[:3] == []


FLAGS = ("single_word", "lstrip", "rstrip", "normalized", "special")
# What is beside a token: all classes of characters of \w and their neighbours.
BESIDE = [*" \t\u3000\x85.-_a9Zé中¼²\u0301\u0903\u200c\u200d\u203f\u20dd\u24b6Ⅷ\u0e33\u00aa🎉\ufffd", "\U0001d7d8", ""]


@pytest.mark.parametrize("normalizer", [{}, {"lowercase": False, "strip_accents": False}], ids=["uncased", "cased"])
@pytest.mark.parametrize("seed", range(6))
def test_single_words(pieces: list[str], normalizer: dict[str, bool | None], seed: int) -> None:
    """Tokens that overlap, with all flags in all combinations, at the ends of a text, beside characters of any kind."""
    r = random.Random(seed)
    content = tokenizer_json(pieces, **normalizer)
    last = len(content["model"]["vocab"])
    tokens = ["the", "THEN", "he", "<e>", "<e>s", "e>", "Ünï", "ï", "中", "_x", "-", "x\u0301", "x.", "[MASK"]
    for i, text in enumerate(r.sample(tokens, 9)):
        flags = {flag: r.random() < 0.5 for flag in FLAGS} | {"single_word": r.random() < 0.8}
        content["added_tokens"].append({"id": content["model"]["vocab"].get(text, last + i), "content": text, **flags})
    texts = ["".join(r.choice(r.choice((tokens, BESIDE))) for _ in range(r.randrange(1, 9))) for _ in range(1200)]
    texts += [f"{r.choice(tokens)}{random_text(r)}{r.choice(tokens)}" for _ in range(100)]
    assert differences(content, texts)[:3] == []


def test_single_words_beside_every_code_point(pieces: list[str]) -> None:
    content = tokenizer_json(pieces)
    flags = dict.fromkeys(FLAGS, False) | {"single_word": True}
    content["added_tokens"].append({"id": len(content["model"]["vocab"]), "content": "<e>", **flags})
    points = [chr(p) for p in range(0x30000) if not 0xD800 <= p < 0xE000]
    texts = ["".join(f"<e>{c} {c}<e>." for c in points[i : i + 128]) for i in range(0, len(points), 128)]
    assert differences(content, texts)[:2] == []


def test_other_prefix_and_limit(pieces: list[str]) -> None:
    content = tokenizer_json([p.replace("##", "\u2581") for p in pieces])
    content["model"].update(continuing_subword_prefix="\u2581", max_input_chars_per_word=7)
    r = random.Random(3)
    assert differences(content, [random_text(r) for _ in range(1000)])[:3] == []
    content["model"].update(continuing_subword_prefix="")
    assert differences(content, [random_text(r) for _ in range(1000)])[:3] == []


def test_invalid_utf8_reads_like_python_replace(pieces: list[str]) -> None:
    oracle, ours = both(tokenizer_json([*pieces, "\ufffd", "##\ufffd"], clean_text=False))
    r = random.Random(4)
    edges = bytes.fromhex("41 20 80 8F 90 9F A0 BF C0 C1 C2 DF E0 E1 ED EE EF F0 F1 F3 F4 F5 FF")
    for _ in range(10_000):
        raw = bytes(r.choice(edges) if r.random() < 0.9 else r.randrange(256) for _ in range(r.choice([1, 2, 3, 4, 8])))
        assert ours.encode(raw) == oracle.encode(raw.decode("utf-8", "replace")).ids, raw


def test_every_piece_is_found_and_nothing_else(pieces: list[str]) -> None:
    content = tokenizer_json(pieces)
    _, ours = both(content)
    assert [p for p, i in content["model"]["vocab"].items() if ours.find(p) != i] == []
    assert [ours.find(p) for p in ("", "xyz", "##", "th", "thee", "\U0010ffff")] == [-1] * 6


def test_slots_are_a_power_of_two_half_empty_and_without_long_runs() -> None:
    assert fnv1a(b"") == 2166136261 and fnv1a(b"a") == 0xE40C292C and fnv1a(b"foobar") == 0xBF9CF968  # published values
    slots = hash_slots({f"p{i}".encode(): i for i in range(5000)})
    assert len(slots) == 16384 and slots.count(-1) == 16384 - 5000
    assert sorted(i for i in slots if i >= 0) == list(range(5000))


def test_slots_grow_when_hashes_collide() -> None:
    """400 pieces whose hashes share the low 10 bits would lie in one run of 1,024 slots."""
    pieces: dict[bytes, int] = {}
    n = 0
    while len(pieces) < 400:
        text = str(n).encode()
        if fnv1a(text) & 1023 == 5:
            pieces[text] = len(pieces)
        n += 1
    slots = hash_slots(pieces)
    assert len(slots) > 1024
    content = tokenizer_json([piece.decode() for piece in pieces])
    assert differences(content, [" ".join(piece.decode() for piece in pieces)]) == []


def test_unsound_tables_are_refused() -> None:
    tables = tables_from_json(tokenizer_json(WORDS), where="test")
    model = tables.model

    def changed(**fields: Any) -> dict[str, Any]:
        return {"model": dataclasses.replace(model, step=Step("WordPiece", {**model.step.fields, **fields}))}

    changes: list[dict[str, Any]] = [
        changed(unkId=10_000),
        changed(maxCharsPerWord=0),
        {"slots": tables.slots[:-1]},
        {"offsets": tables.offsets[:-1]},
        {"added": (Added(10_000),)},
        {"pad_id": 10_000},
    ]
    for change in changes:
        with pytest.raises(FormatError, match=r"vocabulary|power of two|do not end|1\.\.1000") as error:
            native(dataclasses.replace(tables, **change))
        assert error.value.code == "F040"


def test_comparison_notices_a_wrong_flag() -> None:
    """The comparison itself can fail: the core with another flag than the oracle's gives other ids."""
    content = tokenizer_json(WORDS)
    changed = copy.deepcopy(content)
    changed["normalizer"]["lowercase"] = False
    oracle, _ = both(content)
    _, ours = both(changed)
    assert oracle.encode("TURN").ids != ours.encode("TURN")
