"""A tiny teacher whose tokenizer can spell: words, pieces, and every letter alone and continuing."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
LETTERS = [*"abcdefghijklmnopqrstuvwxyz", *"0123456789", *".,!?-'", "\u4e2d", "\u6587", "\u00e9"]
WORDS = ["good", "fine", "great", "bad", "dull", "poor", "film", "plot", "the", "was", "and", "very", "unseen", "word"]
PIECES = ["##ing", "##ness", "##ed", "##ly", "bright", "dark"]
# [PAD] is not the first piece, so that a padding id taken for granted shows.
VOCABULARY = [
    "[unused0]", *SPECIAL, "[unused1]", *WORDS, *PIECES, *LETTERS, *(f"##{letter}" for letter in LETTERS)
]  # fmt: skip


def tokenizer(lower: bool = True) -> Any:
    """The fast WordPiece tokenizer."""
    from transformers import BertTokenizer

    return BertTokenizer(
        vocab={piece: index for index, piece in enumerate(VOCABULARY)}, do_lower_case=lower, model_max_length=48
    )


def texts(count: int, seed: int = 0) -> list[str]:
    """Texts of the words up to "and", some with an ending: "very", "unseen" and "word" do not occur."""
    source = random.Random(seed)
    ends = ["", "", "", "s", "ed"]
    return [
        " ".join(source.choice(WORDS[:11]) + source.choice(ends) for _ in range(source.randint(2, 9)))
        for _ in range(count)
    ]


def teacher(folder: Path, seed: int = 3) -> Path:
    """A folder with a random 3-layer `EncoderClassifier` (hidden 24, 4 heads, 48 neurons) and the tokenizer."""
    import torch
    from transformers import BertConfig, BertModel

    from potstill.models.classifier import load_encoder

    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=len(VOCABULARY),
        hidden_size=24,
        num_hidden_layers=3,
        num_attention_heads=4,
        intermediate_size=48,
        max_position_embeddings=48,
        pad_token_id=VOCABULARY.index("[PAD]"),
        # Larger than BERT's 0.02, so that attention and layers of a random model do something.
        initializer_range=0.3,
    )
    encoder = folder / "encoder"
    BertModel(config, add_pooling_layer=False).save_pretrained(encoder)
    classifier = load_encoder(encoder, labels=["negative", "positive"], seed=5)
    with torch.no_grad():
        classifier.classifier.weight.mul_(20.0)
    classifier.save_pretrained(folder / "teacher")
    tokenizer().save_pretrained(folder / "teacher")
    return folder / "teacher"
