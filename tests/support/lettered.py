"""A tiny teacher whose tokenizer can spell: words, pieces, and every letter alone and continuing."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import bert

LETTERS = [*"abcdefghijklmnopqrstuvwxyz", *"0123456789", *".,!?-'", "\u4e2d", "\u6587", "\u00e9"]
WORDS = ["good", "fine", "great", "bad", "dull", "poor", "film", "plot", "the", "was", "and", "very", "unseen", "word"]
PIECES = ["##ing", "##ness", "##ed", "##ly", "bright", "dark"]
# [PAD] is not the first piece, so that a padding id taken for granted shows.
VOCABULARY = [
    "[unused0]", *bert.SPECIAL, "[unused1]", *WORDS, *PIECES, *LETTERS, *(f"##{letter}" for letter in LETTERS)
]  # fmt: skip


def tokenizer(lower: bool = True) -> Any:
    """The fast WordPiece tokenizer."""
    return bert.tokenizer(VOCABULARY, 48, lower)


def texts(count: int, seed: int = 0) -> list[str]:
    """Texts of the words up to "and", some with an ending: "very", "unseen" and "word" do not occur."""
    source = random.Random(seed)
    ends = ["", "", "", "s", "ed"]
    return [
        " ".join(source.choice(WORDS[:11]) + source.choice(ends) for _ in range(source.randint(2, 9)))
        for _ in range(count)
    ]


def teacher(folder: Path) -> Path:
    """A folder with a random 3-layer `EncoderClassifier` (hidden 24, 4 heads, 48 neurons) and the tokenizer."""
    import torch

    from potstill.models.classifier import load_encoder

    encoder = bert.encoder(folder / "encoder", VOCABULARY, layers=3, limit=48)
    classifier = load_encoder(encoder, labels=["negative", "positive"], seed=5)
    with torch.no_grad():
        classifier.classifier.weight.mul_(20.0)
    classifier.save_pretrained(folder / "teacher")
    tokenizer().save_pretrained(folder / "teacher")
    return folder / "teacher"
