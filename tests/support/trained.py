"""Tokenizers of every kind of model, trained on texts of made-up words in several scripts."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

SPECIAL = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
_SCRIPTS = ("abcdefghijklmnopqrstuvwxyz", "äöüßéàç", "абвгдежзик", "的一是不了人我在有他", "กขคงจฉช", "😀👍🏽")


class Texts:
    """Texts of words that come again, of a vocabulary of its own for each seed."""

    def __init__(self, seed: int, words: int = 300) -> None:
        self._random = random.Random(seed)
        self._words = [self._word() for _ in range(words)]

    def make(self, count: int) -> list[str]:
        """`count` texts of 1 to 12 words, some of them new."""
        return [self._text() for _ in range(count)]

    def _word(self) -> str:
        letters = self._random.choice(_SCRIPTS if self._random.random() < 0.5 else _SCRIPTS[:1])
        # Few letters, so that words share parts and merges compete.
        few = self._random.sample(letters, min(len(letters), self._random.randint(2, 5)))
        return "".join(self._random.choices(few, k=self._random.randint(1, 9)))

    def _text(self) -> str:
        rank = [min(int(self._random.paretovariate(0.7)) - 1, len(self._words) - 1) for _ in range(12)]
        words = [self._words[at] if self._random.random() < 0.95 else self._word() for at in rank]
        ends = self._random.choices(["", ".", ",", "!", " 12"], k=len(words))
        return " ".join(map("".join, zip(words, ends, strict=True)))[: self._random.randint(1, 60)]


def byte_level(texts: list[str], size: int, **model: Any) -> Tokenizer:
    """BPE over bytes, as GPT-2 and RoBERTa have it."""
    found = Tokenizer(models.BPE(**model))
    found.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    found.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False
    )
    found.train_from_iterator(texts, trainer)
    found.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    return found


def byte_fallback(texts: list[str], size: int) -> Tokenizer:
    """BPE over characters, with bytes for those it lacks, as Llama and Gemma have it."""
    found = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    found.normalizer = normalizers.Replace(" ", "▁")
    found.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
    special = [*SPECIAL, *(f"<0x{value:02X}>" for value in range(256))]
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=special, limit_alphabet=40, show_progress=False)
    found.train_from_iterator(texts, trainer)
    found.post_processor = _template()
    return found


def marked(texts: list[str], size: int, **marks: str) -> Tokenizer:
    """BPE with marks on parts that go on (``continuing_subword_prefix``) or end (``end_of_word_suffix``)."""
    found = Tokenizer(models.BPE(unk_token="<unk>", **marks))
    found.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=SPECIAL, show_progress=False, **marks)
    found.train_from_iterator(texts, trainer)
    found.post_processor = _template()
    return found


def unigram(texts: list[str], size: int) -> Tokenizer:
    """Unigram over Metaspace, as XLM-R has it."""
    found = Tokenizer(models.Unigram())
    found.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(" {2,}", " ")])
    found.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(vocab_size=size, special_tokens=SPECIAL, unk_token="<unk>", show_progress=False)
    found.train_from_iterator(texts, trainer)
    found.post_processor = _template()
    return found


def wordpiece(texts: list[str], size: int) -> Tokenizer:
    """BERT's."""
    found = Tokenizer(models.WordPiece(unk_token="<unk>", max_input_chars_per_word=100))
    found.normalizer = normalizers.BertNormalizer()
    found.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=size, special_tokens=SPECIAL, show_progress=False)
    found.train_from_iterator(texts, trainer)
    found.post_processor = processors.BertProcessing(("</s>", 2), ("<s>", 0))
    return found


def wordlevel(texts: list[str], size: int) -> Tokenizer:
    """A table of words."""
    found = Tokenizer(models.WordLevel(unk_token="<unk>"))
    found.pre_tokenizer = pre_tokenizers.Whitespace()
    trainer = trainers.WordLevelTrainer(vocab_size=size, special_tokens=SPECIAL, show_progress=False)
    found.train_from_iterator(texts, trainer)
    found.post_processor = processors.Sequence([_template()])
    return found


KINDS: dict[str, Callable[[list[str], int], Tokenizer]] = {
    "byte-level": byte_level,
    "byte-level, whole words": lambda texts, size: byte_level(texts, size, ignore_merges=True),
    "byte-fallback": byte_fallback,
    "prefix": lambda texts, size: marked(texts, size, continuing_subword_prefix="##"),
    "suffix": lambda texts, size: marked(texts, size, end_of_word_suffix="</w>"),
    "unigram": unigram,
    "wordpiece": wordpiece,
    "wordlevel": wordlevel,
}  # fmt: skip


def fast(tokenizer: Tokenizer) -> Any:
    """As a tokenizer of transformers."""
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", pad_token="<pad>", eos_token="</s>", unk_token="<unk>",
        cls_token="<s>", sep_token="</s>", mask_token="<mask>", model_max_length=64,
    )  # fmt: skip


def _template() -> Any:
    special = [("<s>", 0), ("</s>", 2)]
    return processors.TemplateProcessing(single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=special)
