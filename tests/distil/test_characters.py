"""A tokenizer that marks beginnings of words reads characters without the marks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import AutoTokenizer, PreTrainedTokenizerFast

import teachers
from potstill.distil.teacher.characters import reading_characters
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
    found = reading_characters(given)
    found.save_pretrained(tmp_path)
    for tokenizer in (found, AutoTokenizer.from_pretrained(str(tmp_path))):
        ids, places = encode_words(tokenizer, [TEXT], 32)
        assert tokenizer.convert_ids_to_tokens(ids[0]) == ["<s>", *TEXT, "</s>"]
        assert places[0].tolist() == [1, 2, 3, 4]
        assert tokenizer.pad_token == "<pad>" and tokenizer.get_vocab() == given.get_vocab()
    # It is not changed in place, and once is enough.
    assert encode_words(given, [TEXT], 32)[0][0].tolist() == marked[0].tolist()
    assert reading_characters(found) is found


def test_tokenizers_without_marks_stay() -> None:
    words = teachers.words()
    assert reading_characters(words) is words
    assert reading_characters(object()).__class__ is object
