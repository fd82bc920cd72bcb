"""Folders of tiny teachers of many kinds, each with a tokenizer of its kind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tokenizers
import transformers
from tokenizers import models, normalizers, pre_tokenizers, processors

TEXTS = ["good film", "bad plot", "the very good plot", "a bad film was that"] * 4
WORDS = ["good", "bad", "film", "plot", "the", "very", "a", "was", "that"]
SIZES: dict[str, Any] = {
    "hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48,
}  # fmt: skip


def save(folder: Path, kind: str, tokenizer: Any, **config: Any) -> Path:
    """A random `kind`Model (of transformers) and the tokenizer, in a new folder."""
    rows = max(tokenizer.get_vocab().values()) + 1
    made = getattr(transformers, f"{kind.partition('For')[0]}Config")(**{"vocab_size": rows, **SIZES, **config})
    name = f"{kind}Model" if hasattr(transformers, f"{kind}Model") else kind
    getattr(transformers, name)(made).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def fast(tokenizer: tokenizers.Tokenizer, **names: str) -> Any:
    return transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names)


def scripts() -> Any:
    """Words that end where the script changes, which the core does not know."""
    return words(pre_tokenizer=pre_tokenizers.UnicodeScripts())


def bpe(**names: str) -> Any:
    """Byte-level BPE, as RoBERTa and GPT-2 have."""
    found = tokenizers.Tokenizer(models.BPE())
    found.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    trainer = tokenizers.trainers.BpeTrainer(vocab_size=280, special_tokens=special)
    found.train_from_iterator(TEXTS, trainer)
    found.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    return fast(found, bos_token="<s>", eos_token="</s>", unk_token="<unk>", **names)


def unigram() -> Any:
    """Unigram over Metaspace, as XLM-R has."""
    pieces = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *((f"▁{word}", -2.0) for word in WORDS)]
    found = tokenizers.Tokenizer(models.Unigram([*pieces, *((c, -6.0) for c in "abcdefghi")], unk_id=3))
    found.pre_tokenizer = pre_tokenizers.Metaspace()
    return fast(found, bos_token="<s>", eos_token="</s>", unk_token="<unk>", pad_token="<pad>")


def words(**changes: Any) -> Any:
    """BERT's tokenizer over few words; `changes` set parts of the `tokenizers` object."""
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS, *"abcdefghi", *(f"##{c}" for c in "abcdefghi")]
    found = tokenizers.Tokenizer(models.WordPiece({p: i for i, p in enumerate(pieces)}, unk_token="[UNK]"))
    found.normalizer = normalizers.BertNormalizer()
    found.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    found.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    limit = changes.pop("model_max_length", 64)
    for name, part in changes.items():
        setattr(found, name, part)
    return fast(
        found, unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]", pad_token="[PAD]", model_max_length=limit
    )
