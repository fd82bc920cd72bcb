"""Tokenizers made of a recipe's texts: exact when saved and read again, the same in every process, in any script."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from tokenizers import normalizers

import lettered
from potstill.distil.vocabulary.own import SPECIAL, Folding, own_tokenizer, words_of
from potstill.distil.vocabulary.own import unigram as unigram_kind
from potstill.errors import TrainError
from potstill.models.tokens import load_tokenizer
from potstill.models.words import encode_words
from potstill.recipe.schema import Student

KINDS = ["wordpiece", "bpe", "unigram"]
CHINESE = ["\u8fd9\u5bb6\u9152\u5e97\u5f88\u597d\uff0c\u670d\u52a1\u5f88\u597d\u3002", "\u9152\u5e97\u4e0d\u597d"]
JAPANESE = ["\u3053\u306e\u30db\u30c6\u30eb\u306f\u3068\u3066\u3082\u826f\u3044\u3067\u3059\u3002"]
THAI = ["\u0e42\u0e23\u0e07\u0e41\u0e23\u0e21\u0e19\u0e35\u0e49\u0e14\u0e35\u0e21\u0e32\u0e01"]
TEXTS = [*lettered.texts(60), *CHINESE * 4, *JAPANESE * 4, *THAI * 4]
ODD = [
    "",
    "  ",
    "Good FILM",
    "caf\u00e9 cafe\u0301 \ufb01ne",
    "\U0001f600 x",
    "[CLS] the [PAD]",
    "a" * 300,
    "\x00 \u200b",
]


class Cased:
    """A teacher's tokenizer that folds nothing and takes texts of any length."""

    model_max_length = int(1e30)


def splits(texts: list[Any], unlabelled: list[Any] | None = None, **more: list[str]) -> Any:
    from datasets import Dataset

    extra = None if unlabelled is None else Dataset.from_dict({"text": unlabelled})
    return SimpleNamespace(train=Dataset.from_dict({"text": texts, **more}), unlabelled=extra)


def made(kind: str | None, size: int | None = 400, texts: list[Any] | None = None, teacher: Any = None) -> Any:
    settings = Student(tokenizer="own", tokenizer_model=kind, tokenizer_size=size)
    return own_tokenizer(settings, splits(texts or TEXTS), teacher or Cased())


@pytest.mark.parametrize("kind", KINDS)
def test_saved_and_read_again_it_is_the_same(kind: str, tmp_path: Path) -> None:
    tokenizer = made(kind)
    # As `write_model` leaves it: beside the configuration of a model.
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}), encoding="utf-8")
    tokenizer.save_pretrained(tmp_path)
    again = load_tokenizer(tmp_path)
    first, second = (json.loads(one.backend_tokenizer.to_str()) for one in (tokenizer, again))
    assert first == second
    for text in [*TEXTS, *ODD]:
        assert again(text)["input_ids"] == tokenizer(text)["input_ids"], ascii(text)
    assert (again.pad_token_id, again.unk_token_id, again.cls_token_id, again.sep_token_id) == (0, 1, 2, 3)
    assert sorted(again.get_vocab().values()) == list(range(len(again))) and len(again) <= 400
    assert again.padding_side == again.truncation_side == "right"


@pytest.mark.parametrize("kind", KINDS)
def test_special_tokens_around_one_text_and_two(kind: str) -> None:
    tokenizer = made(kind)
    one = tokenizer("good film")["input_ids"]
    assert one[0] == 2 and one[-1] == 3
    both = tokenizer("good", "film", return_token_type_ids=True)
    ids, types = both["input_ids"], both["token_type_ids"]
    middle = ids.index(3)
    assert ids[-1] == 3 and types == [0] * (middle + 1) + [1] * (len(ids) - middle - 1)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("text", [CHINESE[0], JAPANESE[0], THAI[0]])
def test_scripts_without_spaces_are_cut_into_known_pieces(kind: str, text: str) -> None:
    """Of Unigram and BPE into fewer than there are characters; WordPiece cuts between all Chinese ones."""
    found = made(kind)(text, add_special_tokens=False, return_offsets_mapping=True)
    assert 1 not in found["input_ids"]
    covered = {place for start, end in found["offset_mapping"] for place in range(start, end)}
    assert covered == set(range(len(text)))
    if kind == "unigram":
        assert len(found["input_ids"]) < len(text) / 2


@pytest.mark.parametrize("kind", KINDS)
def test_white_space_that_is_none_everywhere(kind: str) -> None:
    """Python splits at these, BERT's normalizer drops them: "ab" is a word of the text."""
    for mark in "\x1c\x1f\x85\u00a0\u2028\u3000":
        text = f"a{mark}b\tc\r\nd"
        tokenizer = made(kind, 300, [text])
        assert tokenizer.unk_token_id not in tokenizer(text)["input_ids"], ascii(text)


def test_no_text_is_unknown_to_bytes() -> None:
    tokenizer = made("bpe")
    text = "\u0e42\u0e23\u0e07 \U0001f600 \u05d0"
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert 1 not in ids and tokenizer.decode(ids).strip() == text


def test_every_process_makes_the_same_files() -> None:
    """Hash tables are another in every process; threads share the work otherwise."""
    code = "import test_own_tokenizer as own; print(own.digests())"
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    threads = {"PYTHONPATH": path, "RAYON_NUM_THREADS": "3", "TOKENIZERS_PARALLELISM": "true"}
    found = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, env={**os.environ, **threads}
    )
    assert found.stdout.strip() == digests()


def digests() -> str:
    """Of the file of each kind."""
    files = [made(kind, 330).backend_tokenizer.to_str() for kind in KINDS]
    return " ".join(hashlib.sha256(file.encode()).hexdigest() for file in files)


def test_the_order_of_the_texts_does_not_matter() -> None:
    for kind in KINDS:
        forth, back = made(kind), made(kind, texts=TEXTS[::-1])
        assert forth.backend_tokenizer.to_str() == back.backend_tokenizer.to_str(), kind


def test_unigram_scores_are_numbers_of_a_file() -> None:
    vocabulary = json.loads(made("unigram").backend_tokenizer.to_str())["model"]["vocab"]
    scores = [score for _, score in vocabulary]
    assert scores == [float(np.float32(score)) for score in scores]
    assert scores[:4] == [0.0] * 4 and scores[4:] == sorted(scores[4:], reverse=True) and scores[4] < 0


def test_unigram_keeps_what_is_missed_most() -> None:
    """By hand: over `abab` and `cd`, the pair that occurs 12 times beats the one that occurs 2 times."""
    words = Counter({"abab": 6, "cd": 2})
    found = json.loads(_text(unigram_kind.model(words, list("abcd"), len(SPECIAL) + 5)))
    pieces = [piece for piece, _ in found["vocab"]][len(SPECIAL) :]
    assert len(pieces) == 5 and "cd" not in pieces
    assert sorted(set(pieces) - set("abcd")) in (["ab"], ["abab"])


def _text(model: Any) -> str:
    from tokenizers import Tokenizer

    return json.dumps(json.loads(Tokenizer(model).to_str())["model"])


def test_what_the_teacher_folds_is_folded() -> None:
    assert Folding.of(lettered.tokenizer()) == Folding(True, True)
    assert Folding.of(lettered.tokenizer(lower=False)).case is False
    assert Folding.of(Cased()) == Folding(False, False)
    accents = SimpleNamespace(
        backend_tokenizer=SimpleNamespace(normalizer=normalizers.BertNormalizer(True, True, True, False))
    )
    assert Folding.of(accents) == Folding(False, True)
    for kind in KINDS:
        tokenizer = made(kind, teacher=lettered.tokenizer())
        assert tokenizer("GOOD film")["input_ids"] == tokenizer("good FILM")["input_ids"], kind
        assert tokenizer.model_max_length == 48
    assert made("wordpiece")("GOOD")["input_ids"] != made("wordpiece")("good")["input_ids"]


def test_too_few_tokens_are_refused_with_the_number_that_will_do() -> None:
    least = {"wordpiece": None, "bpe": 260, "unigram": None}
    for kind, known in least.items():
        with pytest.raises(TrainError) as error:
            made(kind, 20)
        assert error.value.code == "T131" and ("bpe" in error.value.next_step) == (kind != "bpe")
        number = int(str(error.value).split("give ")[1].split()[0])
        assert known in (None, number)
        assert len(made(kind, number)) == number
        with pytest.raises(TrainError):
            made(kind, number - 1)


def test_without_more_keys_it_is_a_unigram_of_8000_at_most() -> None:
    tokenizer = made(None, None)
    assert json.loads(tokenizer.backend_tokenizer.to_str())["model"]["type"] == "Unigram" and len(tokenizer) < 8000


def test_it_reads_both_texts_of_a_pair_unlabelled_ones_and_words() -> None:
    data = splits(["one"], ["three four"], text_pair=["two"])
    assert list(words_of(_kind("wordpiece"), Folding(True, True), data)) == ["four", "one", "three", "two"]
    tagged = splits([["New", "York"], ["a.b"]])
    assert words_of(_kind("wordpiece"), Folding(False, False), tagged) == {"New": 1, "York": 1, "a": 1, ".": 1, "b": 1}


def _kind(name: str) -> Any:
    import importlib

    return importlib.import_module(f"potstill.distil.vocabulary.own.{name}")


@pytest.mark.parametrize("kind", KINDS)
def test_words_of_a_tagger_are_cut_as_in_a_text(kind: str) -> None:
    tokenizer = made(kind)
    ids, places = encode_words(tokenizer, [["good", "film", "was"]], 32)
    assert ids[0].tolist() == tokenizer("good film was")["input_ids"]
    assert (places[0] > 0).all()


def test_the_core_reads_it(tmp_path: Path) -> None:
    pytest.importorskip("potstill._core", reason="the native module is not built")
    from native_tokenizer import native
    from potstill.compile.tokenizers import read_tokenizer

    tokenizer = made("wordpiece")
    tokenizer.save_pretrained(tmp_path)
    core = native(read_tokenizer(tmp_path))
    for text in [*TEXTS, *ODD]:
        assert core.encode(text) == tokenizer(text)["input_ids"], ascii(text)
