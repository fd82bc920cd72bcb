"""What the cycles of one forward on one core are a weighted sum of: our engine's terms, and the peers'."""

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


# The peers' register tiles are their own business: their kernels' rows (1, 4 and 6 in XNNPACK, 1 to 4 in MLAS) are all
# offered, and the fit takes those that explain the counts.
_PEER_TILES = (1, 4, 6)
PEER_TERMS = (
    *(f"weights x tokens, tiles of {tile}" for tile in _PEER_TILES),
    "weights",
    "outputs",
    "inputs",
    "activations",
    "normalized values",
    "normalized rows",
    "attention, tiles of 1",
    "attention, tiles of 4",
    "attention scores",
    "attention rows",
    "heads",
    "layers",
    "tokens",
    "one",
)


def peer_terms(shape: ModelShape, tokens: int) -> list[float]:
    """How often each of `PEER_TERMS` is paid in another engine's forward of one text that it computes as `tokens`."""
    h, heads, layers = shape.hidden, shape.heads, shape.layers
    weights = sum(n * k for n, k in shape.products)
    outputs, inputs = sum(n for n, _ in shape.products), sum(k for _, k in shape.products)
    return [
        float(value)
        for value in (
            *(layers * _up(tokens, tile) * weights for tile in _PEER_TILES),
            layers * weights,
            layers * tokens * outputs,
            layers * tokens * inputs,
            layers * tokens * shape.ffn,
            (2 * layers + 1) * tokens * h,
            (2 * layers + 1) * tokens,
            2 * layers * tokens * tokens * h,
            2 * layers * _up(tokens, 4) * tokens * h,
            layers * tokens * tokens * heads,
            layers * tokens * heads,
            layers * heads,
            layers,
            tokens,
            1,
        )
    ]
