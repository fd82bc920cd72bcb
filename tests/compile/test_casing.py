"""A folder that does not say whether text is lower-cased: the vocabulary decides, or the user is asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from potstill.compile.tokenizers import Tables, read_tokenizer
from potstill.compile.tokenizers.casing import unreachable_pieces
from potstill.errors import CompileError

transformers = pytest.importorskip("transformers", reason="the build extra is not installed")

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[unused0]", "[E1]", "<URL>"]
LOWER = ["le", "film", "##s", "est", "bon", "!", "caf", "##e", "ß", "и", "中"]
CASED = [*LOWER, "Le", "Film"]
ACCENTS = [*LOWER, "café", "##é"]
BERT = {"config.json": {"model_type": "bert"}}
NO_WORD_ON_CASE: list[dict[str, Any]] = [{}, BERT, {**BERT, "tokenizer_config.json": {"model_max_length": 64}}]


def folds(tables: Tables) -> tuple[bool, bool]:
    flags = tables.bert_flags or {}
    return flags["lowercase"], flags["stripAccents"]


def folder(path: Path, pieces: list[str], files: dict[str, Any]) -> Path:
    (path / "vocab.txt").write_text("\n".join([*SPECIAL, *pieces]) + "\n", "utf-8")
    for name, content in files.items():
        (path / name).write_text(json.dumps(content), "utf-8")
    return path


@pytest.mark.parametrize("files", NO_WORD_ON_CASE, ids=lambda files: "+".join(files) or "bare")
@pytest.mark.parametrize("pieces", [CASED, ACCENTS], ids=["cased", "accents"])
def test_a_vocabulary_that_contradicts_the_guess(tmp_path: Path, pieces: list[str], files: dict[str, Any]) -> None:
    with pytest.raises(CompileError, match="2 of 13 pieces") as caught:
        read_tokenizer(folder(tmp_path, pieces, files))
    assert caught.value.code == "C147" and "--cased" in caught.value.next_step


@pytest.mark.parametrize("files", NO_WORD_ON_CASE, ids=lambda files: "+".join(files) or "bare")
def test_the_user_says_it(tmp_path: Path, files: dict[str, Any]) -> None:
    path = folder(tmp_path, CASED, files)
    cased, uncased = (read_tokenizer(path, lowercase=lowercase) for lowercase in (False, True))
    assert (folds(cased), cased.notes) == ((False, False), ())
    assert folds(uncased) == (True, True)
    assert "'Le', 'Film'" in uncased.notes[0]


@pytest.mark.parametrize("files", NO_WORD_ON_CASE, ids=lambda files: "+".join(files) or "bare")
def test_a_guess_that_can_be_right_is_noted(tmp_path: Path, files: dict[str, Any]) -> None:
    tables = read_tokenizer(folder(tmp_path, LOWER, files))
    assert folds(tables)[0] and "lower-cased and stripped of accents" in tables.notes[0]


def test_what_the_files_say_counts(tmp_path: Path) -> None:
    """Hugging Face does so too; that the vocabulary does not fit is a note."""
    path = folder(tmp_path, CASED, {**BERT, "tokenizer_config.json": {"do_lower_case": True}})
    tables = read_tokenizer(path)
    assert folds(tables)[0] and "cannot occur ('Le', 'Film')" in tables.notes[0]
    with pytest.raises(CompileError, match="the tokenizer's own files say that text is lower-cased") as caught:
        read_tokenizer(path, lowercase=False)
    assert caught.value.code == "C148"
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": False}), "utf-8")
    tables = read_tokenizer(path)
    assert not folds(tables)[0] and tables.notes == ()


def test_unreachable_pieces_are_those_that_no_text_gives() -> None:
    """By the tokenizer itself: a reachable word is its own piece."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

    words = list("aAéeİǅßẞ한中όйñđΣς")
    vocabulary = {piece: i for i, piece in enumerate(["[UNK]", *words])}
    for lowercase in (True, False):
        for strip in (True, False):
            tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
            tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase, strip_accents=strip)
            tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
            reached = {token for word in words for token in tokenizer.encode(word).tokens}
            found, count = unreachable_pieces(vocabulary, {"[UNK]"}, "##", lowercase=lowercase, strip_accents=strip)
            assert count == len(words)
            assert set(found) == set(words) - reached
