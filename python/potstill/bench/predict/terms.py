"""What the cycles of one forward on one core are a weighted sum of."""

from __future__ import annotations

from potstill.bench.predict.shape import ModelShape

# Rows of the register tiles: 4 rows of activations share one pass over a panel of weights; what is left over is a tile
# of 3, 2 or 1 rows with a cost of its own.
_TILE = 4
TERMS = (
    "weights x full tiles",
    "weights x tiles of 1",
    "weights x tiles of 2",
    "weights x tiles of 3",
    "outputs",
    "quantized inputs",
    "activations",
    "normalized values",
    "attention multiply-adds",
    "attention scores",
    "attention columns",
    "layers",
    "tokens",
    "one",
)


def _up(value: int, step: int) -> int:
    return -(-value // step) * step


def terms(shape: ModelShape, tokens: int) -> list[float]:
    """How often each of `TERMS` is paid in a forward of one text of `tokens` tokens."""
    h, heads, layers = shape.hidden, shape.heads, shape.layers
    step = {"fp32": 1, "int8": 16, "int4": 32}[shape.scheme]
    padded = sum(_up(n, 4) * _up(k, step) for n, k in shape.products)
    outputs, inputs = sum(n for n, _ in shape.products), sum(k for _, k in shape.products)
    full, rest = divmod(tokens, _TILE)
    return [
        float(value)
        for value in (
            layers * full * padded,
            *(layers * padded * (rest == left) for left in (1, 2, 3)),
            layers * tokens * outputs,
            layers * tokens * inputs,
            layers * tokens * shape.ffn,
            (2 * layers + 1) * tokens * h,
            2 * layers * tokens * tokens * h,
            layers * tokens * tokens * heads,
            layers * _up(tokens, 16) * tokens * heads,
            layers,
            tokens,
            1,
        )
    ]
