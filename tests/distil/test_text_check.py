"""Unknown tokens and texts over the limit, counted with a tokenizer of a few English words."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import datasets
import pytest
from transformers import BertTokenizerFast

from potstill.distil.teacher.text_check import examine_texts

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad", "film", "day", "a", "##s"]


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> BertTokenizerFast:
    path: Path = tmp_path_factory.mktemp("t") / "vocab.txt"
    path.write_text("\n".join(VOCABULARY) + "\n", encoding="utf-8")
    return BertTokenizerFast(vocab=str(path), do_lower_case=True, model_max_length=64)


def notes(tokenizer: BertTokenizerFast, texts: list[object], max_tokens: int = 12, **more: list[str]) -> list[str]:
    table = datasets.Dataset.from_dict({"text": texts, **more})
    return examine_texts(tokenizer, SimpleNamespace(train=table), max_tokens)


def test_known_texts_need_no_word(tokenizer: BertTokenizerFast) -> None:
    assert notes(tokenizer, ["A good film", "bad days", "a day"] * 9) == []
    assert notes(tokenizer, [["A", "good", "film"]] * 9) == []


def test_another_script_is_unknown(tokenizer: BertTokenizerFast) -> None:
    found = notes(tokenizer, ["電影很好", "a good film", "好"])
    assert len(found) == 1 and "36 % of the letters of the training texts are Han" in found[0]
    assert "100 % of its letters are unknown" in found[0]
    # One long word among many short ones is a small part of the tokens and a large part of what is written.
    hidden = notes(tokenizer, ["a a a a a a a a a"] * 30 + ["incomprehensibilities"] * 10)
    assert len(hidden) == 1 and "4 % of the tokens (44 %" in hidden[0]


def test_texts_over_the_limit(tokenizer: BertTokenizerFast) -> None:
    texts = ["good film"] * 45 + ["a day " * 9] * 5
    found = notes(tokenizer, texts)
    assert len(found) == 1 and "10 % of the training texts" in found[0] and "the longest has 20 tokens" in found[0]
    assert "data.max_tokens = 20 would leave 95" in found[0]
    assert notes(tokenizer, texts, 20) == []
    # A limit that the teacher refuses is no advice.
    tokenizer.model_max_length = 16
    assert "data.max_tokens = 16, the most that the teacher takes, would leave 90" in notes(tokenizer, texts)[0]
    assert "data.max_tokens =" not in notes(tokenizer, texts, 16)[0].split(";")[1]
    tokenizer.model_max_length = 64
    pairs = notes(tokenizer, ["good film"] * 20, 6, text_pair=["a good day"] * 20)
    assert len(pairs) == 1 and "100 %" in pairs[0] and "the longest has 8 tokens" in pairs[0]
