"""Random models as .still files, one a scheme: ``python -m toolchains.emulate.random_model FOLDER``.

For tests of bits, not of accuracy: a BERT of 2 layers, hidden 104, 4 heads, FFN 400, mean pooling, 3 labels, a
WordPiece vocabulary of the test sentences. The heads are the common student's (26 columns), 104 leaves a vector tail
and a short int4 group, a batch of the sentences is work for 4 threads; and a board's run of everything takes seconds
under emulation, where a student of 4 x 312 takes minutes in f32.

The fused graph is written down here as the importer would find it, which needs numpy, flatbuffers and tokenizers: no
PyTorch (2 minutes to install), no ONNX. Made in a second.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import BertWordPieceTokenizer

from potstill.card import Card, heads_of
from potstill.compile.ir import Graph, Op
from potstill.compile.lower import lower
from potstill.compile.ops import Attention, Embedding, LayerNorm, Linear, Pool
from potstill.compile.tokenizers import tables_from_json
from potstill.still.schemes import SCHEMES
from potstill.still.writer import write_still
from toolchains.emulate.same_bits import MORE_SENTENCES

LABELS = ("red", "green", "blue")
WIDTH, HEADS, INNER, LAYERS, MAX_TOKENS = 104, 4, 400, 2, 128


def vocabulary() -> dict[str, int]:
    """Specials, every other word of the sentences whole, all letters alone and as continuations."""
    text = " ".join(MORE_SENTENCES).lower()
    words = sorted(set(re.findall(r"[a-z]+", text)))[::2]
    letters = sorted(set(re.sub(r"\s", "", text)))
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    pieces = [*specials, *letters, *(f"##{c}" for c in letters if c.isalpha()), *words]
    return {piece: number for number, piece in enumerate(dict.fromkeys(pieces))}


class _Random:
    """Weights of seed 0, larger than at a usual start so that logits differ by text."""

    def __init__(self) -> None:
        self.source = np.random.default_rng(0)

    def normal(self, *shape: int, scale: float = 0.08, shift: float = 0.0) -> np.ndarray[Any, Any]:
        return (self.source.standard_normal(shape, np.float32) * np.float32(scale) + np.float32(shift)).astype("<f4")

    def linear(self, name: str, x: Op, width: int, activation: str = "none", residual: Op | None = None) -> Linear:
        return Linear(name, x, self.normal(width, x.width), self.normal(width, scale=0.02), activation, residual)

    def norm(self, name: str, x: Op) -> LayerNorm:
        return LayerNorm(name, x, self.normal(x.width, scale=0.1, shift=1.0), self.normal(x.width), 1e-12)


def graph() -> Graph:
    """The encoder, its mean over the tokens and a classification head."""
    random = _Random()
    words = len(vocabulary())
    x: Op = random.norm("norm", Embedding("embedding", random.normal(words, WIDTH), random.normal(MAX_TOKENS, WIDTH)))
    for layer in range(LAYERS):
        qkv = random.linear(f"{layer}.qkv", x, 3 * WIDTH)
        qkv.weight[:WIDTH] *= np.float32((WIDTH // HEADS) ** -0.5)
        attention = Attention(f"{layer}.attention", qkv, HEADS)
        x = random.norm(f"{layer}.norm1", random.linear(f"{layer}.out", attention, WIDTH, residual=x))
        inner = random.linear(f"{layer}.up", x, INNER, "gelu")
        x = random.norm(f"{layer}.norm2", random.linear(f"{layer}.down", inner, WIDTH, residual=x))
    pooled = Pool("pool", x, "mean")
    return Graph(pooled, random.linear("classifier", pooled, len(LABELS)), MAX_TOKENS)


def main(out: Path) -> None:
    """Write the .still files into the folder `out`."""
    model = graph()
    tokenizer = json.loads(BertWordPieceTokenizer(vocabulary(), lowercase=True).to_str())
    tables = tables_from_json(tokenizer, where="random model", pad_token="[PAD]", max_tokens=MAX_TOKENS)
    for name, scheme in SCHEMES.items():
        card = Card("small-random", heads_of(LABELS), MAX_TOKENS, scheme=name, producer="potstill emulate")
        write_still(lower(model, scheme, card, tables), out / f"model.{name}.still")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
