"""The files of the end-to-end tests: a random BERT teacher of two layers and sentences that a few words decide."""

from __future__ import annotations

import random
from pathlib import Path

GOOD = ["good", "great", "fine", "lovely", "bright", "superb"]
BAD = ["bad", "poor", "dull", "awful", "weak", "boring"]
PLAIN = [
    "the",
    "film",
    "a",
    "plot",
    "was",
    "and",
    "actor",
    "scene",
    "really",
    "music",
    "very",
    "is",
    "end",
    "with",
    "in",
]


def sentence(rng: random.Random, label: int) -> str:
    """Five to fifteen words, two of which tell the label."""
    words = [rng.choice(PLAIN) for _ in range(rng.randint(3, 13))]
    for _ in range(2):
        words.insert(rng.randint(0, len(words)), rng.choice(GOOD if label else BAD))
    return " ".join(words) + rng.choice([".", "!", ""])


def write_data(path: Path, rows: int = 400, seed: int = 0) -> None:
    """A CSV file with the columns text and label (negative, positive)."""
    rng = random.Random(seed)
    lines = ["text,label"]
    for row in range(rows):
        lines.append(f"{sentence(rng, row % 2)} {row},{('negative', 'positive')[row % 2]}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_teacher(folder: Path, *, layers: int = 2, hidden: int = 32, heads: int = 2, more: str = "") -> None:
    """A random BERT encoder with a WordPiece tokenizer that knows the words, in Hugging Face format.

    Its tokenizer also knows the characters `more`.
    """
    import torch
    from transformers import BertConfig, BertModel, BertTokenizerFast

    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)] + [str(digit) for digit in range(10)]
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", "!", ",", *PLAIN, *GOOD, *BAD]
    vocabulary += [letter for letter in letters if letter not in vocabulary] + [f"##{letter}" for letter in letters]
    vocabulary += dict.fromkeys(more)
    folder.mkdir(parents=True)
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=2 * hidden,
        max_position_embeddings=64,
    )
    BertModel(config).save_pretrained(folder)
    tokens = {word: index for index, word in enumerate(vocabulary)}
    BertTokenizerFast(vocab=tokens, do_lower_case=True, model_max_length=64).save_pretrained(folder)


RECIPE = """
name = "tiny"
seed = 7
[teacher]
model = "teacher"
epochs = 4
learning_rate = 5e-3
batch_size = 32
precision = "fp32"
[data]
source = "rows.csv"
max_tokens = 32
[student]
layers = 1
hidden = 32
heads = 2
intermediate = 64
init = "pca"
[distil]
alpha = 0.5
pooled_cosine = 0.5
epochs = 4
learning_rate = 5e-3
precision = "fp32"
save_steps = 5
"""


def write_task(folder: Path) -> Path:
    """Teacher, data and recipe in `folder`; gives the path of the recipe."""
    folder.mkdir(parents=True, exist_ok=True)
    write_teacher(folder / "teacher")
    write_data(folder / "rows.csv")
    recipe = folder / "tiny.toml"
    recipe.write_text(RECIPE, encoding="utf-8")
    return recipe
