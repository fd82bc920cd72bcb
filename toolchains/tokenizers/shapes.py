"""Tokenizers in the forms that models of the hub have, each trained on a few texts: the stages are the real ones, the
vocabularies small.

A shape is the content of a ``tokenizer.json``. `shapes` gives all of them by name.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from potstill.data.charsmap import charsmap

GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
QWEN2 = LLAMA3.replace("{1,3}", "")
BERT = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
ROBERTA = ["<s>", "<pad>", "</s>", "<unk>"]
# As XLM-R's: the mask takes the space before it.
MASK = AddedToken("<mask>", lstrip=True, normalized=True, special=True)
SIZE = 1500


def wordpiece(texts: Sequence[str], lowercase: bool, accents: bool | None = None) -> Tokenizer:
    """BERT's."""
    made = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer(lowercase=lowercase, strip_accents=accents)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.train_from_iterator(
        texts, trainers.WordPieceTrainer(vocab_size=SIZE, special_tokens=BERT, show_progress=False)
    )
    made.post_processor = _template("[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1", made)
    return made


def mpnet(texts: Sequence[str]) -> Tokenizer:
    """MPNet's: BERT's words in RoBERTa's frame."""
    made = Tokenizer(models.WordPiece(unk_token="<unk>"))
    made.normalizer, made.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=SIZE, special_tokens=ROBERTA, show_progress=False)
    made.train_from_iterator(texts, trainer)
    made.add_special_tokens([AddedToken("<mask>", lstrip=True, normalized=False, special=True)])
    made.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    return made


def _byte_level(texts: Sequence[str], special: Sequence[str], **model: Any) -> Tokenizer:
    made = Tokenizer(models.BPE(**model))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=SIZE, special_tokens=list(special), show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )  # fmt: skip
    made.train_from_iterator(texts, trainer)
    made.decoder = decoders.ByteLevel()
    return made


def roberta(texts: Sequence[str], prefix_space: bool = False) -> Tokenizer:
    """RoBERTa's."""
    made = _byte_level(texts, ROBERTA)
    made.add_special_tokens([MASK])
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix_space)
    made.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=prefix_space)
    return made


def gpt2(texts: Sequence[str]) -> Tokenizer:
    """GPT-2's: no tokens around a text."""
    made = _byte_level(texts, ["<|endoftext|>"])
    made.post_processor = processors.ByteLevel(trim_offsets=False)
    return made


def llama3(texts: Sequence[str]) -> Tokenizer:
    """Llama 3's: a word that is a piece is not cut."""
    made = _byte_level(texts, ["<|begin_of_text|>", "<|end_of_text|>"], ignore_merges=True)
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(LLAMA3), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    made.post_processor = processors.Sequence(
        [
            processors.ByteLevel(),
            _template("<|begin_of_text|> $A", "<|begin_of_text|> $A <|begin_of_text|>:1 $B:1", made),
        ]
    )
    return made


def qwen2(texts: Sequence[str]) -> Tokenizer:
    """Qwen2's: composed characters, digits one by one."""
    made = _byte_level(texts, ["<|endoftext|>", "<|im_start|>", "<|im_end|>"])
    made.normalizer = normalizers.NFC()
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(QWEN2), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    made.post_processor = processors.ByteLevel(trim_offsets=False)
    return made


def modernbert(texts: Sequence[str]) -> Tokenizer:
    """ModernBERT's: runs of spaces are tokens."""
    made = _byte_level(texts, BERT)
    made.normalizer = normalizers.NFC()
    made.add_tokens([AddedToken(" " * count, normalized=False) for count in range(24, 1, -1)])
    made.post_processor = _template("[CLS] $A [SEP]", "[CLS] $A [SEP] $B [SEP]", made)
    return made


def _unigram(texts: Sequence[str], special: Sequence[str], normalizer: Any, unknown: str = "<unk>") -> Tokenizer:
    made = Tokenizer(models.Unigram())
    made.normalizer, made.pre_tokenizer = normalizer, pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=SIZE, special_tokens=list(special), unk_token=unknown, show_progress=False, n_sub_iterations=1
    )
    made.train_from_iterator(texts, trainer)
    return made


def xlm_roberta(texts: Sequence[str], mapping: Any) -> Tokenizer:
    """XLM-R's, as transformers converts it from SentencePiece."""
    steps = [
        mapping,
        normalizers.Strip(left=False, right=True),
        normalizers.Replace(Regex(" {2,}"), "▁"),
    ]
    made = _unigram(texts, ROBERTA, normalizers.Sequence(steps))
    made.add_special_tokens([MASK])
    made.post_processor = _template("<s> $A </s>", "<s> $A </s> </s> $B </s>", made)
    return made


def e5(texts: Sequence[str], mapping: Any) -> Tokenizer:
    """multilingual-e5's: words first, then the mark of their beginning."""
    made = _unigram(texts, ROBERTA, mapping)
    made.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
    made.post_processor = _template("<s> $A </s>", "<s> $A </s> </s> $B </s>", made)
    return made


def camembert(texts: Sequence[str], mapping: Any) -> Tokenizer:
    """CamemBERT's, of which the older pieces have the mark at the first word only."""
    made = _unigram(texts, ROBERTA, mapping)
    made.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    made.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), trim_offsets=False)
    return made


def t5(texts: Sequence[str], mapping: Any) -> Tokenizer:
    """T5's: a token behind the text alone, and a hundred names of gaps."""
    made = _unigram(texts, ["<pad>", "</s>", "<unk>"], mapping)
    made.add_special_tokens([AddedToken(f"<extra_id_{i}>", special=True) for i in range(100)])
    made.post_processor = _template("$A </s>", "$A </s> $B </s>", made)
    return made


def albert(texts: Sequence[str], mapping: Any) -> Tokenizer:
    """ALBERT's: no accents, no capitals."""
    steps = [
        normalizers.Replace("``", '"'),
        normalizers.Replace("''", '"'),
        normalizers.NFKD(),
        normalizers.StripAccents(),
    ]
    steps += [normalizers.Lowercase(), mapping]
    made = _unigram(texts, ["<pad>", "<unk>", "[CLS]", "[SEP]"], normalizers.Sequence(steps))
    made.add_special_tokens([AddedToken("[MASK]", lstrip=True, special=True)])
    made.post_processor = _template("[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1", made)
    return made


def deberta(texts: Sequence[str], mapping: Any) -> Tokenizer:
    """DeBERTa-v3's."""
    steps = [normalizers.Strip(), mapping, normalizers.Replace(Regex(" {2,}"), " ")]
    made = _unigram(texts, ["[PAD]", "[CLS]", "[SEP]", "[UNK]"], normalizers.Sequence(steps), "[UNK]")
    made.add_special_tokens([AddedToken("[MASK]", lstrip=True, special=True)])
    made.post_processor = _template("[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1", made)
    return made


def _byte_fallback(texts: Sequence[str], special: Sequence[str]) -> Tokenizer:
    pieces = [*special, *(f"<0x{byte:02X}>" for byte in range(256))]
    made = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.BpeTrainer(vocab_size=SIZE + 256, special_tokens=pieces, limit_alphabet=150, show_progress=False)
    made.train_from_iterator(texts, trainer)
    content = json.loads(made.to_str())
    content["added_tokens"] = content["added_tokens"][: len(special)]
    return Tokenizer.from_str(json.dumps(content))


def llama2(texts: Sequence[str]) -> Tokenizer:
    """Llama 2's: the whole text is one word."""
    made = _byte_fallback(texts, ["<unk>", "<s>", "</s>"])
    made.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    made.pre_tokenizer = None
    made.post_processor = _template("<s> $A", "<s> $A <s>:1 $B:1", made)
    return made


def gemma(texts: Sequence[str]) -> Tokenizer:
    """Gemma's."""
    made = _byte_fallback(texts, ["<pad>", "<eos>", "<bos>", "<unk>"])
    made.normalizer = normalizers.Replace(" ", "▁")
    made.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    made.post_processor = _template("<bos> $A", "<bos> $A <bos>:1 $B:1", made)
    return made


def word_level(texts: Sequence[str]) -> Tokenizer:
    """Whole words."""
    made = Tokenizer(models.WordLevel(unk_token="[UNK]"))
    made.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Whitespace(), pre_tokenizers.Digits(individual_digits=True)]
    )
    trainer = trainers.WordLevelTrainer(vocab_size=SIZE, special_tokens=BERT, show_progress=False)
    made.train_from_iterator(texts, trainer)
    made.post_processor = _template("[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1", made)
    return made


def characters(texts: Sequence[str]) -> Tokenizer:
    """BPE of characters with marks at both ends of a word, decomposed text, punctuation in runs."""
    marks = {"end_of_word_suffix": "</w>", "continuing_subword_prefix": "@@"}
    made = Tokenizer(models.BPE(unk_token="[UNK]", **marks))
    made.normalizer = normalizers.Sequence([normalizers.NFD(), normalizers.StripAccents()])
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation("contiguous"), pre_tokenizers.Digits()]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=SIZE,
        special_tokens=BERT,
        end_of_word_suffix="</w>",
        continuing_subword_prefix="@@",
        show_progress=False,
    )
    made.train_from_iterator(texts, trainer)
    made.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return made


SHAPES: Mapping[str, Callable[[Sequence[str]], Tokenizer]] = {
    "bert-uncased": lambda texts: wordpiece(texts, True),
    "bert-cased": lambda texts: wordpiece(texts, False),
    "bert-accents": lambda texts: wordpiece(texts, True, False),
    "mpnet": mpnet,
    "roberta": roberta,
    "roberta-prefix": lambda texts: roberta(texts, True),
    "gpt2": gpt2,
    "llama3": llama3,
    "qwen2": qwen2,
    "modernbert": modernbert,
    "llama2": llama2,
    "gemma": gemma,
    "word-level": word_level,
    "characters": characters,
}
MAPPED: Mapping[str, Callable[[Sequence[str], Any], Tokenizer]] = {
    "xlm-roberta": xlm_roberta,
    "e5": e5,
    "camembert": camembert,
    "t5": t5,
    "albert": albert,
    "deberta": deberta,
}


def shapes(texts: Sequence[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each shape's name and tokenizer.json, trained on texts."""
    for name, make in SHAPES.items():
        yield name, json.loads(make(texts).to_str())
    mapping = _usual_mapping()
    for name, mapped in MAPPED.items():
        yield name, json.loads(mapped(texts, mapping).to_str())


def _usual_mapping() -> Any:
    """A map of characters like SentencePiece's usual one: compatibility composition, white space, no controls."""
    table = {"\t": " ", "\n": " ", "\r": " ", "\u200b": "", "\ufeff": "", "\x01": "", "\x7f": ""}
    for point in range(0x110000):
        mark = chr(point)
        if not 0xD800 <= point < 0xE000 and (normal := unicodedata.normalize("NFKC", mark)) != mark:
            table.setdefault(mark, normal)
            # Written in two characters it is the same one.
            if len(parts := unicodedata.normalize("NFD", mark)) > 1:
                table.setdefault(parts, normal)
    return normalizers.Precompiled(charsmap(table))


def _template(single: str, pair: str, tokenizer: Tokenizer) -> Any:
    special = [word.partition(":")[0] for word in f"{single} {pair}".split() if not word.startswith("$")]
    ids = [(token, tokenizer.token_to_id(token)) for token in dict.fromkeys(special)]
    return processors.TemplateProcessing(single=single, pair=pair, special_tokens=ids)
