"""What the cycles of one forward on one core are a weighted sum of: our engine's terms, and the peers'."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

from potstill.bench.predict.model import DTYPE_OF, CostModel, packed_weights, up
from potstill.runtime.oplist import OpFacts

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
Paid = Mapping[str, int]


def terms(model: CostModel, tokens: int) -> list[float]:
    """How often each of `TERMS` is paid in a forward of one text of `tokens` tokens, whatever the ops' numbers."""
    paid = _of_model(model, tokens, _own)
    return [float(sum(part[term] for part in paid.values())) for term in TERMS]


def terms_by_scheme(model: CostModel, tokens: int) -> dict[str, list[float]]:
    """`terms`, those of products apart by their numbers: fp32, int8, int4."""
    paid = _of_model(model, tokens, _own)
    return {scheme: [float(part[term]) for term in TERMS] for scheme, part in paid.items()}


def peer_terms(model: CostModel, tokens: int) -> list[float]:
    """How often each of `PEER_TERMS` is paid in another engine's forward of one text that it computes as `tokens`."""
    paid = _of_model(model, tokens, _peer)
    return [float(sum(part[term] for part in paid.values())) for term in PEER_TERMS]


def _of_model(model: CostModel, tokens: int, paid: Callable[[OpFacts, int], Paid]) -> dict[str, Counter[str]]:
    """By scheme what all ops pay, each once; an op without terms of its own is in those for the whole text."""
    total = {model.scheme: Counter({"tokens": tokens, "one": 1})}
    products = set(model.products)
    for op in model.ops:
        if op.kind != "Linear":
            total[model.scheme].update(paid(op, tokens))
        elif op in products:
            scheme = next(name for name, dtype in DTYPE_OF.items() if dtype == op.dtype)
            total.setdefault(scheme, Counter()).update(paid(op, tokens if op.per_token else 1))
    return total


def _own(op: OpFacts, rows: int) -> Paid:
    """What the core pays for an op on so many rows."""
    if op.kind == "Linear":
        weights, (full, rest) = packed_weights(op), divmod(rows, _TILE)
        return {
            "weights x full tiles": full * weights,
            f"weights x tiles of {rest}": weights if rest else 0,
            "outputs": rows * op.width,
            "quantized inputs": rows * op.inputs,
            "activations": rows * op.width * op.activation,
        }
    if op.kind == "LayerNorm":
        return {"normalized values": rows * op.width}
    if op.kind == "Attention":
        return {
            "attention multiply-adds": 2 * rows * rows * op.width,
            "attention scores": rows * rows * op.heads,
            "attention columns": up(rows, 16) * rows * op.heads,
            "layers": 1,
        }
    return {}


def _peer(op: OpFacts, rows: int) -> Paid:
    """What another engine pays for an op on so many rows."""
    if op.kind == "Linear":
        weights = op.width * op.inputs
        return {
            **{f"weights x tokens, tiles of {tile}": up(rows, tile) * weights for tile in _PEER_TILES},
            "weights": weights,
            "outputs": rows * op.width,
            "inputs": rows * op.inputs,
            "activations": rows * op.width * op.activation,
        }
    if op.kind == "LayerNorm":
        return {"normalized values": rows * op.width, "normalized rows": rows}
    if op.kind == "Attention":
        return {
            "attention, tiles of 1": 2 * rows * rows * op.width,
            "attention, tiles of 4": 2 * up(rows, 4) * rows * op.width,
            "attention scores": rows * rows * op.heads,
            "attention rows": rows * op.heads,
            "heads": op.heads,
            "layers": 1,
        }
    return {}
