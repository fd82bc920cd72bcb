"""Pruned vocabularies: what is kept, the smaller tokenizer in every place that reads it, ids mapped back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bert
import lettered
from potstill.distil.vocabulary.choice import (
    aligned_ids,
    choose_vocabulary,
    kept_pieces,
    piece_counts,
    vocabulary_facts,
)
from potstill.distil.vocabulary.prune.tokenizer import Prunable
from potstill.errors import TrainError
from potstill.models.tokens import encode
from potstill.recipe.schema import Student

# Texts unlike those that chose the vocabulary.
ODD = [
    "",
    "   ",
    "unseen words",
    "brightness, darkly-ing!",
    "GOOD Films WERE \u00c9l\u00e9gant",
    "caf\u00e9 cafe\u0301 \u4e2d\u6587\u4e2d \u65e5\u672c",
    "\U0001f600 great \U0001f468\u200d\U0001f469",
    "[CLS] the [MASK] film [SEP] [PAD]",
    "a" * 120,
    "\u0130stanbul \ufb01ne \u00df \u200b \ufffd \x00 \x07",
    "##ing #hash",
    "x1y2 3.14 don't",
    "good" * 9,
]


def settings(**changes: Any) -> Student:
    base: dict[str, Any] = {
        "vocabulary": "seen",
        "vocabulary_min_count": 1,
        "vocabulary_size": None,
        "vocabulary_unlabelled_weight": 1.0,
        "vocabulary_characters": "all",
    }
    return Student.model_construct(**{**base, **changes})


def seen(**changes: Any) -> tuple[Any, list[np.ndarray]]:
    tokenizer = lettered.tokenizer()
    rows = encode(tokenizer, lettered.texts(60), 32)
    return choose_vocabulary(settings(**changes), tokenizer, rows), rows


def test_full_changes_nothing() -> None:
    tokenizer = lettered.tokenizer()
    found = choose_vocabulary(settings(vocabulary="full"), tokenizer, [])
    assert found.tokenizer is tokenizer and found.kept is None
    assert found.size == found.teacher_size == len(lettered.VOCABULARY)
    row = np.array([1, 5])
    assert aligned_ids([row], None)[0] is row


def test_kept_are_specials_characters_and_what_occurs() -> None:
    found, _ = seen()
    kept = set(found.tokenizer.get_vocab())
    assert kept >= {*bert.SPECIAL, *lettered.LETTERS, *(f"##{letter}" for letter in lettered.LETTERS)}
    assert kept >= {"film", "good", "##ed"}
    assert not kept & {"[unused0]", "[unused1]", "unseen", "word", "##ness", "bright"}
    assert found.size == len(kept) == len(found.kept)


def test_kept_in_the_teachers_order_and_mapped_back() -> None:
    found, _ = seen()
    theirs, ours = lettered.tokenizer().get_vocab(), found.tokenizer.get_vocab()
    assert sorted(ours.values()) == list(range(found.size))
    assert all(found.kept[index] == theirs[piece] for piece, index in ours.items())
    assert (np.diff(found.kept) > 0).all()
    for name in ("pad", "unk", "cls", "sep", "mask"):
        token = getattr(found.tokenizer, f"{name}_token")
        assert getattr(found.tokenizer, f"{name}_token_id") == ours[token]
    assert found.pad_id == ours["[PAD]"]
    own = encode(found.tokenizer, ODD, 32)
    back = aligned_ids(own, found.kept)
    assert [len(row) for row in back] == [len(row) for row in own]
    convert = lettered.tokenizer().convert_ids_to_tokens
    assert convert(back[3].tolist()) == found.tokenizer.convert_ids_to_tokens(own[3].tolist())


def test_seen_characters_are_those_of_pieces_that_occur_and_ascii() -> None:
    tokenizer = lettered.tokenizer()
    rows = encode(tokenizer, ["the light"], 32)
    of_all = choose_vocabulary(settings(vocabulary_characters="all"), tokenizer, rows)
    of_seen = choose_vocabulary(settings(vocabulary_characters="seen"), tokenizer, rows)
    wide = {letter for letter in lettered.LETTERS if not letter.isascii()}
    gone = set(of_all.tokenizer.get_vocab()) - set(of_seen.tokenizer.get_vocab())
    assert wide and gone == wide | {f"##{letter}" for letter in wide} & set(tokenizer.get_vocab())
    letter = "\u4e2d"
    assert of_all.tokenizer.tokenize(f"the {letter}") == ["the", letter]
    assert of_seen.tokenizer.tokenize(f"the {letter}") == ["the", "[UNK]"]
    # A character of a text that counts nothing for the ranking still counts as seen.
    more = encode(tokenizer, [letter], 32)
    wanted = settings(vocabulary_characters="seen", vocabulary_unlabelled_weight=0.0)
    assert letter in choose_vocabulary(wanted, tokenizer, rows, more).tokenizer.get_vocab()


def test_texts_that_chose_the_vocabulary_are_cut_the_same() -> None:
    found, rows = seen()
    own = encode(found.tokenizer, lettered.texts(60), 32)
    assert all((a == b).all() for a, b in zip(aligned_ids(own, found.kept), rows, strict=True))


def test_removed_pieces_are_spelt() -> None:
    found, _ = seen()
    assert found.tokenizer.tokenize("word") == ["w", "##o", "##r", "##d"]
    assert found.tokenizer.tokenize("goodness") == ["good", "##n", "##e", "##s", "##s"]
    assert found.tokenizer.tokenize("\u65e5") == ["[UNK]"], "a character the teacher does not know either"


@pytest.mark.parametrize("lower", [True, False])
def test_the_saved_tokenizer_and_the_packed_one_are_exact(tmp_path: Path, lower: bool) -> None:
    """HF in memory, HF from the folder, and the core over the packed tables: the same ids on every text."""
    pytest.importorskip("potstill._core", reason="the native module is not built")
    from transformers import AutoTokenizer

    from native_tokenizer import native
    from potstill.compile.tokenizers import read_tokenizer

    tokenizer = lettered.tokenizer(lower)
    found = choose_vocabulary(settings(), tokenizer, encode(tokenizer, lettered.texts(60), 32))
    found.tokenizer.save_pretrained(tmp_path)
    assert len(json.loads((tmp_path / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"]) == found.size
    again = AutoTokenizer.from_pretrained(str(tmp_path))
    tables = read_tokenizer(tmp_path)
    assert tables.max_tokens == 48
    assert tables.pad_id == found.pad_id
    assert tables.template.pairs_problem is None
    core = native(tables)
    for text in [*ODD, *lettered.texts(200, seed=9)]:
        expected = found.tokenizer(text)["input_ids"]
        assert again(text)["input_ids"] == expected, ascii(text)
        assert core.encode(text) == expected, ascii(text)


def test_min_count_size_and_ties() -> None:
    fallback = np.array([0, 1])
    counts = np.array([9.0, 0.0, 3.0, 1.0, 0.0, 3.0, 2.0])
    assert kept_pieces(counts, fallback).tolist() == [0, 1, 2, 3, 5, 6]
    assert kept_pieces(counts, fallback, min_count=2).tolist() == [0, 1, 2, 5, 6]
    assert kept_pieces(counts, fallback, size=3).tolist() == [0, 1, 2], "of equally frequent ones the lower id"
    assert kept_pieces(counts, fallback, size=2).tolist() == [0, 1]


@pytest.mark.parametrize("characters", ["all", "seen"])
def test_a_size_that_cannot_hold_what_stays_is_refused(characters: str) -> None:
    least = seen(vocabulary_characters=characters, vocabulary_min_count=999)[0].size
    with pytest.raises(TrainError) as error:
        seen(vocabulary_characters=characters, vocabulary_size=least - 1)
    assert error.value.code == "T061" and f"{least} or more" in str(error.value)
    assert ("vocabulary_characters" in str(error.value)) == (characters == "all")


def test_unlabelled_text_counts_by_its_weight() -> None:
    train, more = [np.array([1, 2])], [np.array([2, 3])] * 10
    assert piece_counts(train, more, 5).tolist() == [0, 1, 11, 10, 0]
    tenth = piece_counts(train, more, 5, 0.1)
    assert kept_pieces(tenth, np.array([0])).tolist() == [0, 1, 2, 3], "ten times a tenth is one"
    assert kept_pieces(piece_counts(train, more, 5, 0.0), np.array([0])).tolist() == [0, 1, 2]
    assert piece_counts([], [], 3).tolist() == [0, 0, 0]


def test_facts() -> None:
    found, _ = seen()
    theirs = encode(lettered.tokenizer(), ["unseen film", "\u65e5"], 32)
    ours = encode(found.tokenizer, ["unseen film", "\u65e5"], 32)
    facts = vocabulary_facts(found, theirs, ours)
    # [CLS] unseen film [SEP] [CLS] [UNK] [SEP], and "unseen" in six letters.
    assert facts["test_recut"] == pytest.approx(1 / 7)
    assert facts["test_unknown_teacher"] == pytest.approx(1 / 7) and facts["test_unknown"] == pytest.approx(1 / 12)
    assert facts["test_length"] == pytest.approx(12 / 7)
    assert facts["size"] == found.size and facts["kept"] == pytest.approx(found.size / facts["teacher_size"])
    assert vocabulary_facts(found, [], [])["test_recut"] == 0.0


def test_pruning_leaves_the_teachers_tokenizer_alone() -> None:
    tokenizer = lettered.tokenizer()
    before = tokenizer.backend_tokenizer.to_str()
    source = Prunable(tokenizer)
    kept = source.fallback_ids()
    smaller = source.pruned(kept)
    assert tokenizer.backend_tokenizer.to_str() == before
    assert len(smaller) == len(kept) and type(smaller) is type(tokenizer)
    assert smaller.model_max_length == 48 and "tmp" not in str(smaller.name_or_path)
