"""A random classifier of the common student's shape, whose times on modelled boards are compared by engine.

BERT of 4 layers, hidden 312, 12 heads, FFN 1200, mean pooling, 3 labels, and the tokenizer of random_model.py (whose
smaller models need no PyTorch: equal bits are shown on those). Needs the extra ``build``; used by cycles/models.py.
"""

from __future__ import annotations

from pathlib import Path

import torch
from tokenizers import BertWordPieceTokenizer
from transformers import BertConfig

from potstill.models.classifier import EncoderClassifier, EncoderClassifierConfig
from toolchains.emulate.random_model import LABELS, vocabulary


def write_classifier(folder: Path) -> None:
    """A classifier folder: random weights of seed 0, larger than at a usual start so that logits differ by text."""
    words = vocabulary()
    torch.manual_seed(0)
    encoder = BertConfig(
        vocab_size=len(words),
        hidden_size=312,
        num_hidden_layers=4,
        num_attention_heads=12,
        intermediate_size=1200,
        max_position_embeddings=128,
        initializer_range=0.08,
    )
    names = dict(enumerate(LABELS))
    config = EncoderClassifierConfig(encoder, "mean", id2label=names, label2id={n: i for i, n in names.items()})
    EncoderClassifier(config).save_pretrained(folder)
    BertWordPieceTokenizer(vocab=words, lowercase=True).save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(
        '{"tokenizer_class": "BertTokenizerFast", "model_max_length": 128, "pad_token": "[PAD]", '
        '"unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]"}',
        encoding="utf-8",
    )
