"""BPE, Unigram and WordLevel of the core beside Hugging Face tokenizers: ids and places, every switch of the model.

Texts go to the model as BERT's words or whole; other steps have tests of their own.
"""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from potstill.compile.tokenizers import tables_from_json
from potstill.compile.tokenizers.models.double_array import MAX_PIECE_BYTES, double_array
from potstill.errors import CompileError
from same_tokens import differences, random_text

pytest.importorskip("tokenizers", reason="the build extra is not installed: tokenizers is the oracle")
pytest.importorskip("potstill._core", reason="the native module is not built")

import trained

WORDS = [None, {"type": "BertPreTokenizer"}]
BYTES = [f"<0x{value:02X}>" for value in range(256)]


@pytest.fixture(scope="module")
def corpus() -> list[str]:
    return trained.Texts(15).make(1500)


@pytest.fixture(scope="module")
def texts(corpus: list[str]) -> list[str]:
    """Some of the corpus, random ones, words of any length, unknown characters side by side and pieces in pieces."""
    r = random.Random(15)
    found = [*corpus[:100], *(random_text(r) for _ in range(150))]
    found += [r.choice(["a", "ab", "é", "的", "zz", "\U0001f600x"]) * n for n in (1, 31, 32, 33, 34, 64, 65, 300, 2000)]
    found += ["".join(r.choices(corpus, k=40)).replace(" ", "") for _ in range(10)]
    odd = ["<unk>", "<0x41>", "##", "</w>", "\u0301", "\U0010ffff", "的\u3400", "ab", "é"]
    return found + ["".join(r.choices(odd, k=6)) for _ in range(100)]


_made: dict[str, str] = {}  # trained once


def model_of(kind: str, corpus: list[str]) -> dict[str, Any]:
    """A trained tokenizer.json without steps around its model."""
    if kind not in _made:
        _made[kind] = trained.KINDS[kind](corpus, 900).to_str()
    content: dict[str, Any] = json.loads(_made[kind])
    return {**content, "normalizer": None, "pre_tokenizer": None, "post_processor": None}


def in_all_words(content: dict[str, Any], texts: list[str]) -> list[Any]:
    """The first differences, of words and of whole texts."""
    found: list[Any] = []
    for words in WORDS:
        found += differences({**content, "pre_tokenizer": words}, texts)[:2]
    return found


def switched(content: dict[str, Any], **switches: Any) -> dict[str, Any]:
    changed = copy.deepcopy(content)
    changed["model"].update(switches)
    return changed


@pytest.mark.parametrize("kind", ["byte-level", "byte-fallback", "prefix", "suffix"])
def test_bpe(kind: str, corpus: list[str], texts: list[str]) -> None:
    content = model_of(kind, corpus)
    for switches in range(8):
        fuse, ignore, unknown = (bool(switches >> bit & 1) for bit in range(3))
        case = switched(
            content, fuse_unk=fuse, ignore_merges=ignore, unk_token="<unk>" if unknown else None, byte_fallback=False
        )
        assert in_all_words(case, texts) == [], switches


@pytest.mark.parametrize("missing", [0, 100])
@pytest.mark.parametrize("unknown", ["<unk>", None])
def test_bpe_that_falls_back_to_bytes(missing: int, unknown: str | None, corpus: list[str], texts: list[str]) -> None:
    """Of a character that lacks a byte, none is used; an unknown token may come behind the bytes of later ones."""
    content = model_of("byte-fallback", corpus)
    kept = [piece for piece in content["model"]["vocab"] if piece not in BYTES[156 : 156 + missing]]
    content["model"]["vocab"] = {piece: i for i, piece in enumerate(kept)}
    content["added_tokens"] = content["added_tokens"][:5]
    for fuse in (True, False):
        assert in_all_words(switched(content, fuse_unk=fuse, unk_token=unknown), texts) == []


def test_bpe_of_marks_on_both_sides(corpus: list[str], texts: list[str]) -> None:
    both = trained.marked(corpus, 900, continuing_subword_prefix="@@", end_of_word_suffix="</w>")
    content = {**json.loads(both.to_str()), "post_processor": None}
    assert in_all_words(content, texts) == []


def test_bpe_without_merges_and_with_one_listed_twice(corpus: list[str], texts: list[str]) -> None:
    content = model_of("byte-level", corpus)
    merges = content["model"]["merges"]
    assert in_all_words(switched(content, merges=[]), texts) == []
    assert in_all_words(switched(content, merges=[*merges, *merges[:50]]), texts) == []

    def table(merges: list[Any]) -> list[int]:
        read = tables_from_json(switched(content, merges=merges), where="test", pad_token="<pad>")
        return read.model.step.tables["mergesT"][1].tolist()

    assert table([*merges, merges[0]])[-3:] == table(merges)[:3]  # the second place counts
    assert table([" ".join(pair) for pair in merges]) == table(merges)


def unigrams(content: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The trained one, and others with its pieces: scores that f32 holds, that are equal, that are odd."""
    r = random.Random(3)
    pieces = content["model"]["vocab"]
    scores: dict[str, Callable[[float], float]] = {
        "trained": lambda score: score,
        "f32": lambda score: float(np.float32(score)),
        "rounded": lambda score: float(round(score)),
        "equal": lambda score: -1.0,
        "above zero": lambda score: 30.0 + 5 * r.random(),
    }
    for name, score in scores.items():
        yield name, switched(content, vocab=[[piece, score(old)] for piece, old in pieces])
    yield "twice", switched(content, vocab=[*pieces, *([piece, 1.5 * old] for piece, old in pieces[5:100])])
    yield "unknown first", switched(content, vocab=[["\u3400\u3400", 30.0], *([piece, 35.0] for piece, _ in pieces)])


@pytest.mark.parametrize("missing", [256, 0, 100])
def test_unigram(missing: int, corpus: list[str], texts: list[str]) -> None:
    content = model_of("unigram", corpus)
    content["model"]["byte_fallback"] = missing < 256
    content["model"]["vocab"] += [[piece, 0.0] for piece in BYTES[missing:]]
    content["added_tokens"] = []
    for name, case in unigrams(content):
        assert in_all_words(case, [*texts, "\u3400\u3400", "a\u3400\u3400", "\u3400\u3400\u3400"]) == [], name


def test_unigram_of_long_pieces() -> None:
    pieces = [["<unk>", 0.0], *(["a" * n, -float(n % 7)] for n in (1, 2, 5, 300, MAX_PIECE_BYTES)), ["aab", -2.0]]
    content = {"model": {"type": "Unigram", "unk_id": 0, "vocab": pieces, "byte_fallback": False}}
    assert in_all_words(content, ["a" * n + end for n in (1, 4, 299, 1023, 1024, 2500) for end in ("", "b", "é")]) == []


def test_wordlevel(corpus: list[str], texts: list[str]) -> None:
    content = model_of("wordlevel", corpus)
    assert in_all_words(content, [*texts, *content["model"]["vocab"]]) == []


def test_scores_are_f32_where_that_is_exact(corpus: list[str]) -> None:
    content = model_of("unigram", corpus)
    wide = tables_from_json(content, where="test").model.step.tables
    narrow = tables_from_json(dict(unigrams(content))["f32"], where="test").model.step.tables
    assert set(wide) == {"wideScoresT", "trieT"} and set(narrow) == {"scoresT", "trieT"}


def test_a_trie_is_small_and_takes_no_two_units_for_one() -> None:
    r = random.Random(4)
    pieces = {"".join(r.choices("abcdefgh的了是я", k=r.randint(1, 6))).encode(): i for i in range(20_000)}
    units = double_array(pieces).view(np.uint32)
    values = units[(units & 0x1FF) == 0xFF] >> 10
    leaves = units[(units & 0x100) != 0] >> 10
    assert sorted([*values.tolist(), *leaves.tolist()]) == sorted(pieces.values())
    places = units[((units & 0x100) == 0) & ((units & 0xFF) < 0xFE)]
    assert len(set((places >> 10).tolist())) == len(places)
    assert ((units & 0xFF) == 0xFE).mean() < 0.05


REFUSED: dict[str, tuple[str, str, dict[str, Any]]] = {
    "dropout": ("byte-level", "C052", {"dropout": 0.1}),
    "unknown merge": ("byte-level", "C057", {"merges": [["a", "的"]]}),
    "unknown product": ("byte-level", "C057", {"merges": [["<", "<"]]}),
    "empty merge": ("prefix", "C057", {"merges": [["a", "#"]]}),
    "unknown token of BPE": ("byte-level", "C057", {"unk_token": "none"}),
    "bytes and prefix": ("prefix", "C052", {"byte_fallback": True}),
    "long prefix": ("prefix", "C058", {"continuing_subword_prefix": "#" * 65}),
    "no unknown token": ("unigram", "C052", {"unk_id": None}),
    "no pieces": ("unigram", "C057", {"vocab": [["", 0.0]]}),
    "long piece": ("unigram", "C058", {"vocab": [["a" * (MAX_PIECE_BYTES + 1), 0.0]]}),
    "unknown token of WordLevel": ("wordlevel", "C057", {"unk_token": "none"}),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str, corpus: list[str]) -> None:
    kind, code, switches = REFUSED[case]
    with pytest.raises(CompileError) as refusal:
        tables_from_json(switched(model_of(kind, corpus), **switches), where="test")
    assert refusal.value.code == code
