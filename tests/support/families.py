"""Teachers of every family: random, two layers of width 32, each with a tokenizer of its kind that is trained here."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

GOOD = ["good", "great", "fine", "lovely", "café"]
BAD = ["bad", "poor", "dull", "awful", "naïve"]
PLAIN = ["the", "film", "plot", "was", "and", "actor", "scene", "really", "music", "very", "ending", "with", "42"]
LIMIT = 64


def sentence(rng: random.Random, label: int) -> str:
    """Five to thirteen words, two of which tell the label (0 bad, 1 good)."""
    words = [rng.choice(PLAIN) for _ in range(rng.randint(3, 11))]
    for _ in range(2):
        words.insert(rng.randint(0, len(words)), rng.choice(GOOD if label else BAD))
    return " ".join(words) + rng.choice([".", "!", ""])


def sentences(count: int, seed: int) -> list[str]:
    """Sentences; those at even places are bad, at odd ones good."""
    rng = random.Random(seed)
    return [sentence(rng, index % 2) for index in range(count)]


def _trained(tokenizer: Tokenizer, trainer: Any) -> Tokenizer:
    tokenizer.train_from_iterator(sentences(300, seed=11), trainer)
    return tokenizer


def _fast(tokenizer: Tokenizer, **names: Any) -> Any:
    import transformers

    return transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=LIMIT, **names)


def _around(tokenizer: Tokenizer, first: str | None, last: str | None, between: Iterable[str] = ()) -> None:
    """Special tokens before and behind a text, and between the two of a pair."""
    begin, end = ([first] if first else []), ([last] if last else [])
    specials = {name: tokenizer.token_to_id(name) for name in (*begin, *end, *between)}
    tokenizer.post_processor = processors.TemplateProcessing(
        single=" ".join([*begin, "$A", *end]),
        pair=" ".join([*begin, "$A", *end, *between, "$B", *end]),
        special_tokens=list(specials.items()),
    )


@cache
def wordpiece() -> Any:
    """BERT's, without case."""
    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    found = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    found.normalizer, found.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    _trained(found, trainers.WordPieceTrainer(vocab_size=180, special_tokens=names, show_progress=False))
    found.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return _fast(found, pad_token=names[0], unk_token=names[1], cls_token=names[2], sep_token=names[3],
                 mask_token=names[4])  # fmt: skip


def _byte_bpe(special: list[str]) -> Tokenizer:
    found = Tokenizer(models.BPE())
    found.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    found.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=340, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    return _trained(found, trainer)


@cache
def roberta_bpe() -> Any:
    """Byte-level BPE between <s> and </s>."""
    found = _byte_bpe(["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
    found.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    return _fast(found, bos_token="<s>", eos_token="</s>", cls_token="<s>", sep_token="</s>", unk_token="<unk>",
                 pad_token="<pad>", mask_token="<mask>")  # fmt: skip


@cache
def gpt_bpe() -> Any:
    """Byte-level BPE of a decoder: nothing around a text, no padding token."""
    return _fast(_byte_bpe(["<|endoftext|>"]), bos_token="<|endoftext|>", eos_token="<|endoftext|>")


@cache
def llama_bpe() -> Any:
    """Byte-level BPE of a decoder: <s> before a text, padded on the left if at all."""
    found = _byte_bpe(["<s>", "</s>"])
    _around(found, "<s>", None)
    return _fast(found, bos_token="<s>", eos_token="</s>", padding_side="left")


@cache
def qwen_embedding_bpe() -> Any:
    """As Qwen3's embedding models: the padding token ends every text."""
    found = _byte_bpe(["<|endoftext|>", "<|im_end|>"])
    _around(found, None, "<|endoftext|>")
    return _fast(found, pad_token="<|endoftext|>", eos_token="<|im_end|>", padding_side="left")


def _unigram(special: list[str]) -> Tokenizer:
    found = Tokenizer(models.Unigram())
    found.normalizer, found.pre_tokenizer = normalizers.NFKC(), pre_tokenizers.Metaspace()
    found.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(vocab_size=150, special_tokens=special, unk_token="<unk>", show_progress=False)
    return _trained(found, trainer)


@cache
def xlm_unigram() -> Any:
    """XLM-R's order of special tokens."""
    found = _unigram(["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
    _around(found, "<s>", "</s>", between=["</s>"])
    return _fast(found, bos_token="<s>", eos_token="</s>", cls_token="<s>", sep_token="</s>", unk_token="<unk>",
                 pad_token="<pad>", mask_token="<mask>")  # fmt: skip


@cache
def deberta_unigram() -> Any:
    """DeBERTa's of versions 2 and 3."""
    found = _unigram(["[PAD]", "[CLS]", "[SEP]", "<unk>", "[MASK]"])
    _around(found, "[CLS]", "[SEP]")
    return _fast(found, cls_token="[CLS]", sep_token="[SEP]", unk_token="<unk>", pad_token="[PAD]",
                 mask_token="[MASK]")  # fmt: skip


@cache
def t5_unigram() -> Any:
    """T5's: </s> behind a text."""
    found = _unigram(["<pad>", "</s>", "<unk>"])
    _around(found, None, "</s>")
    return _fast(found, eos_token="</s>", unk_token="<unk>", pad_token="<pad>")


@dataclass(frozen=True)
class Family:
    """One kind of teacher.

    Attributes:
        kind: transformers' name before Config and Model.
        tokenizer: makes its tokenizer.
        config: keys of its configuration beside the sizes.
        body: its class without a head, where that is not `kind`Model.
        head: its class with one, "" where transformers has none.
        sizes: names of the sizes, where they are not BERT's.
    """

    kind: str
    tokenizer: Callable[[], Any]
    config: dict[str, Any] = field(default_factory=dict)
    body: str = ""
    head: str = "ForSequenceClassification"
    sizes: tuple[str, str, str, str] = (
        "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size"
    )  # fmt: skip


_T5 = ("d_model", "num_layers", "num_heads", "d_ff")
_GROUPED = {"num_key_value_heads": 2, "head_dim": 8}
FAMILIES: dict[str, Family] = {
    "bert": Family("Bert", wordpiece),
    "roberta": Family("Roberta", roberta_bpe, {"type_vocab_size": 1, "pad_token_id": 1, "layer_norm_eps": 1e-5}),
    "xlm-r": Family("XLMRoberta", xlm_unigram, {"type_vocab_size": 1, "pad_token_id": 1}),
    "camembert": Family("Camembert", xlm_unigram, {"type_vocab_size": 1, "pad_token_id": 1}),
    "distilbert": Family("DistilBert", wordpiece, sizes=("dim", "n_layers", "n_heads", "hidden_dim")),
    "electra": Family("Electra", wordpiece, {"embedding_size": 32}),
    "albert": Family("Albert", deberta_unigram, {"embedding_size": 16}),
    "mpnet": Family("MPNet", wordpiece, {"pad_token_id": 1}),
    "deberta-v1": Family(
        "Deberta", roberta_bpe,
        {"relative_attention": True, "pos_att_type": ["c2p", "p2c"], "pad_token_id": 1, "type_vocab_size": 0},
    ),
    "deberta-v3": Family(
        "DebertaV2", deberta_unigram,
        {"relative_attention": True, "pos_att_type": ["c2p", "p2c"], "position_biased_input": False,
         "share_att_key": True, "norm_rel_ebd": "layer_norm", "position_buckets": 16, "type_vocab_size": 0},
    ),
    "modernbert": Family(
        "ModernBert", roberta_bpe,
        {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2, "cls_token_id": 0, "sep_token_id": 2},
    ),
    "t5": Family(
        "T5", t5_unigram, {"d_kv": 8, "eos_token_id": 1, "decoder_start_token_id": 0}, "T5EncoderModel", sizes=_T5
    ),
    "mt5": Family(
        "MT5", t5_unigram, {"d_kv": 8, "feed_forward_proj": "gated-gelu", "eos_token_id": 1,
         "decoder_start_token_id": 0}, "MT5EncoderModel",
        sizes=_T5,
    ),
    "gpt2": Family("GPT2", gpt_bpe, sizes=("n_embd", "n_layer", "n_head", "n_inner")),
    "llama": Family("Llama", llama_bpe, _GROUPED),
    "qwen2": Family("Qwen2", gpt_bpe, _GROUPED),
    "qwen3": Family("Qwen3", qwen_embedding_bpe, _GROUPED),
    "gemma": Family("Gemma", xlm_unigram, {**_GROUPED, "pad_token_id": 1}),
}  # fmt: skip


def config(name: str, **changes: Any) -> Any:
    """The configuration of a tiny teacher of that family."""
    import transformers

    family = FAMILIES[name]
    sizes = dict(zip(family.sizes, (32, 2, 4, 64), strict=True))
    rows = max(family.tokenizer().get_vocab().values()) + 1
    ids = {"vocab_size": rows, "pad_token_id": family.tokenizer().pad_token_id}
    # GPT-2's and Llama's own ids of special tokens are outside of so small a table.
    for token in ("bos_token_id", "eos_token_id"):
        ids[token] = getattr(family.tokenizer(), token)
    given = {**sizes, **ids, "initializer_range": 0.2, **family.config, **changes}
    return getattr(transformers, f"{family.kind}Config")(**given)


def write(name: str, folder: Path, *, head: bool = False, labels: tuple[str, ...] = ("bad", "good")) -> Path:
    """A random teacher of that family with its tokenizer, in a folder; with a head for two labels, or none."""
    import torch
    import transformers

    family = FAMILIES[name]
    torch.manual_seed(3)
    if head:
        names = {"id2label": dict(enumerate(labels)), "label2id": {label: i for i, label in enumerate(labels)}}
        made = getattr(transformers, family.kind + family.head)(config(name, **names))
    else:
        made = getattr(transformers, family.body or f"{family.kind}Model")(config(name))
    made.save_pretrained(folder)
    family.tokenizer().save_pretrained(folder)
    return folder
