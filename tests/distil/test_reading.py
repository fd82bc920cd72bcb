"""Marks of the beginning of a word: before words, not before characters."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import AutoTokenizer, PreTrainedTokenizerFast

import families
import teachers
from potstill.distil.teacher.reading import reading_units
from potstill.models.words import encode_words

TEXT = list("\u4e2d\u56fda\u96e8")


def unigram(pre_tokenizer: Any) -> Any:
    """With pieces of three characters, of which one also has the mark."""
    pieces = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("\u2581", -3.0), ("\u2581\u4e2d", -3.5)]
    pieces += [(letter, -4.0) for letter in "\u4e2d\u56fda\u96e8bcdefghilnostuwy"]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=3))
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", unk_token="<unk>", pad_token="<pad>"
    )


@pytest.mark.parametrize("nested", [False, True])
def test_one_token_a_character(nested: bool, tmp_path: Path) -> None:
    metaspace = pre_tokenizers.Metaspace()
    whole = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), metaspace]) if nested else metaspace
    given = unigram(whole)
    marked, places = encode_words(given, [TEXT], 32)
    assert given.convert_ids_to_tokens(marked[0]) == ["<s>", "\u2581\u4e2d", *"\u2581\u56fd\u2581a\u2581\u96e8", "</s>"]
    assert places[0].tolist() == [1, 2, 4, 6]
    found = reading_units(given, "characters")
    found.save_pretrained(tmp_path)
    for tokenizer in (found, AutoTokenizer.from_pretrained(str(tmp_path))):
        ids, places = encode_words(tokenizer, [TEXT], 32)
        assert tokenizer.convert_ids_to_tokens(ids[0]) == ["<s>", *TEXT, "</s>"]
        assert places[0].tolist() == [1, 2, 3, 4]
        assert tokenizer.pad_token == "<pad>" and tokenizer.get_vocab() == given.get_vocab()
    # It is not changed in place, and once is enough.
    assert encode_words(given, [TEXT], 32)[0][0].tolist() == marked[0].tolist()
    assert reading_units(found, "characters") is found and reading_units(given, "words") is given


def test_tokenizers_without_marks_stay() -> None:
    words = teachers.words()
    for units in ("words", "characters"):
        assert reading_units(words, units) is words
        assert reading_units(object(), units).__class__ is object
    given = families.roberta_bpe()
    assert reading_units(given, "given") is reading_units(given, "") is reading_units(given, "characters") is given


@pytest.mark.parametrize("kind", ["TokenizersBackend", "RobertaTokenizer", "GPT2Tokenizer"])
def test_bytes_of_words_that_stand_between_spaces(kind: str, tmp_path: Path) -> None:
    """As in a text, whatever class of transformers makes the tokenizer of its files."""
    families.roberta_bpe().save_pretrained(tmp_path / "given")
    config = tmp_path / "given" / "tokenizer_config.json"
    config.write_text(json.dumps(json.loads(config.read_text("utf-8")) | {"tokenizer_class": kind}), "utf-8")
    given = AutoTokenizer.from_pretrained(str(tmp_path / "given"))
    found = reading_units(given, "words")
    found.save_pretrained(tmp_path / "found")
    for tokenizer in (found, AutoTokenizer.from_pretrained(str(tmp_path / "found"))):
        ids, places = encode_words(tokenizer, [["good", "film"]], 32)
        assert ids[0].tolist() == given(" good film")["input_ids"] != encode_words(given, [["good", "film"]], 32)[0]
        assert tokenizer.convert_ids_to_tokens(ids[0])[places[0][1]] == "\u0120film"
    assert reading_units(found, "words") is found


def test_pieces_of_a_word_get_no_mark() -> None:
    """Of Llama 3 and others, that cut a text before they turn it into bytes."""
    parts = [pre_tokenizers.Digits(), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    tokenizer = families.llama_bpe()
    cut = copy.deepcopy(tokenizer)
    cut.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(parts)
    assert reading_units(cut, "words") is cut and reading_units(tokenizer, "words") is not tokenizer
