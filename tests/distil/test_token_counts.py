"""Tokens, unknown tokens and bytes of texts, in tokenizers of each kind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import BertTokenizer, PreTrainedTokenizerFast

import teachers
from potstill.models.text_facts import sample, text_facts, tokens_told
from potstill.models.token_counts import count_tokens, summary


def wrapped(tokenizer: Tokenizer) -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>")


@pytest.fixture(scope="module")
def byte_level() -> Any:
    """Learnt from English: a Han character has three bytes."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator(["the rain in the town"] * 9, trainer)
    return wrapped(tokenizer)


@pytest.fixture(scope="module")
def byte_fallback() -> Any:
    """Unigram with a piece for each byte."""
    pieces = [("<unk>", 0.0), ("\u2581the", -1.0), ("\u2581", -2.0), ("a", -3.0), ("n", -3.0)]
    pieces += [(f"<0x{byte:02X}>", -20.0) for byte in range(256)]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=0, byte_fallback=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    return wrapped(tokenizer)


def test_bytes_of_a_byte_level_tokenizer(byte_level: Any) -> None:
    known, strange = count_tokens(byte_level, ["the rain in the town", "the \u96e8 \u00e9"])
    assert (known.words, known.characters, known.unknown, known.bytes) == (5, 16, 0, 0)
    assert known.example == "" and known.strange == {} and known.letters == {"Latin": 16}
    # Three bytes of the ideograph, two of e with an accent; no token is unknown.
    assert strange.bytes == 5 and strange.unknown == 0 and strange.example == "\u96e8"
    assert strange.strange == {"Han": 1, "Latin": 1} and strange.letters == {"Latin": 4, "Han": 1}


def test_bytes_that_stand_in(byte_fallback: Any) -> None:
    row = count_tokens(byte_fallback, ["the \u96e8an"])[0]
    assert row.bytes == 3 and row.unknown == 0 and row.strange == {"Han": 1}
    assert summary([row], characters=False) == {
        "tokens_per_word": row.tokens / 2, "unknown": 0.0, "bytes": 3 / row.tokens,
    }  # fmt: skip


@pytest.fixture(scope="module")
def wordpiece(tmp_path_factory: pytest.TempPathFactory) -> Any:
    path: Path = tmp_path_factory.mktemp("t") / "vocab.txt"
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "ra", "##in", "\u96e8", "\u5929"]
    path.write_text("\n".join(pieces) + "\n", encoding="utf-8")
    return BertTokenizer(vocab=str(path), do_lower_case=True)


def test_letters_that_are_left_out() -> None:
    """By a byte-level tokenizer without a piece for each byte, which has no unknown token."""
    tokenizer = teachers.bpe()
    row = count_tokens(tokenizer, ["good \u0434\u0430"])[0]
    assert row.unknown == row.bytes == 0 and row.lost == 2 and row.example == "\u0434"
    assert row.strange == {"Cyrillic": 2}
    (none,) = count_tokens(tokenizer, ["\u0434\u0430"])
    assert none.tokens == 0 and summary([none], characters=True)["tokens_per_character"] == 0.0
    assert count_tokens(tokenizer, ["good film"])[0].lost == 0


def test_unknown_tokens(wordpiece: Any) -> None:
    row = count_tokens(wordpiece, ["the rain \u0414\u0430"])[0]
    assert (row.tokens, row.unknown, row.bytes, row.lost, row.example) == (4, 1, 0, 2, "\u0414\u0430")
    assert row.read == {"Latin": 3, "Cyrillic": 1} and row.strange == {"Cyrillic": 2}
    assert count_tokens(wordpiece, []) == []


def test_rows_of_words_and_of_characters(wordpiece: Any) -> None:
    words, characters = count_tokens(wordpiece, [["the", "rain"], ["\u96e8", "\u5929"]])
    assert words.words == 2 and words.tokens == 3
    # Characters without spaces between them, as they are written.
    assert characters.words == 2 and characters.characters == 2 and characters.tokens == 2


def test_what_is_said_of_texts(wordpiece: Any, byte_level: Any) -> None:
    facts = text_facts(["\u96e8\u5929", "\u96e8 the"] * 3, {"teacher": wordpiece, "student": byte_level})
    assert facts["rows"] == 6 and list(facts["scripts"]) == ["Han", "Latin"]
    # Half of the letters are Latin: they are counted by words; a row of Han alone turns that.
    assert "tokens_per_word" in facts["tokens"]["teacher"]
    facts = text_facts(["\u96e8\u5929"] * 3, {"teacher": wordpiece, "student": byte_level})
    assert facts["tokens"]["teacher"] == {"tokens_per_character": 1.0, "unknown": 0.0, "bytes": 0.0}
    assert facts["tokens"]["student"]["tokens_per_character"] == 3.0 and facts["tokens"]["student"]["bytes"] == 1.0
    assert tokens_told(facts["tokens"]["student"]) == {
        "tokens a character": "3.00", "unknown": "0.00 %", "bytes": "100.00 %",
    }  # fmt: skip


def test_samples_are_spread() -> None:
    assert sample(range(5)) == [0, 1, 2, 3, 4] and sample(range(4001)) == list(range(0, 4001, 3))
