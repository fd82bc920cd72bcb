"""The scheme `mixed`: which layer gets which dtype, chosen from measured damage. Needs neither torch nor a model.

Damages add up well enough while they are small (each layer's rounding is a small error of its own kind), so layers are
taken greedily: all start as f32, and the step down that costs least damage for each byte saved comes next, until the
budget is reached. HAWQ (Dong et al., 2019) chooses likewise, from curvature instead of from measured outputs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from potstill.errors import CompileError, os_errors
from potstill.still.schemes import DTYPE_OF, MIXED, Scheme, scheme_by_name

# On a student of 2 layers, hidden 256 (int8: 10.2 MB, 99.6 % of the test labels as in fp32; int4: 5.5 MB, 90.0 %) a
# drop of 0.002 puts the word table in int4 and leaves the layers in int8: 6.3 MB, 97.6 %. 0.005: 6.1 MB, 96.5 %; 0.02:
# 5.7 MB, 95.1 %.
DEFAULT_DROP = 0.002
_BELOW = {"f32": ("i8", "i4"), "i8": ("i4",), "i4": ()}


@dataclass(frozen=True)
class Layer:
    """What was measured of one operator.

    Attributes:
        name: of the operator.
        kind: "linear" or "embedding".
        bytes: stored bytes by dtype (f32, i8, i4), scales and sums included.
        damage: mean Kullback-Leibler divergence from the fp32 student's output, in nats, by dtype (f32: 0).
    """

    name: str
    kind: str
    bytes: Mapping[str, int]
    damage: Mapping[str, float]


@dataclass(frozen=True)
class Choice:
    """The scheme chosen, the damage its layers add up to, in nats, and the bytes of all of them."""

    scheme: Scheme
    damage: float
    bytes: int


def stored_bytes(rows: int, columns: int, kind: str) -> dict[str, int]:
    """Bytes of a weight in a file by dtype, padding and scales included (still/pack.py)."""

    def up(number: int, step: int) -> int:
        return -(-number // step) * step

    if kind == "embedding":
        return {
            "f32": rows * columns * 4, "i8": rows * (columns + 4), "i4": rows * (up(columns, 32) // 2 + 4),
        }  # fmt: skip
    vectors = 8 * up(rows, 16)  # scales and column sums
    return {
        "f32": up(rows, 8) * columns * 4,
        "i8": up(rows, 4) * up(columns, 16) + vectors,
        "i4": up(rows, 4) * up(columns, 32) // 2 + vectors,
    }


def layers_of(table: Mapping[str, Any]) -> list[Layer]:
    """The layers of a sensitivity table (`sensitivity.measure`, or its JSON)."""
    return [
        Layer(row["name"], row["kind"], row["bytes"], {"f32": 0.0, **{d: row[d]["kl"] for d in ("i8", "i4")}})
        for row in table["layers"]
    ]


def read_table(path: Path) -> dict[str, Any]:
    """A stored sensitivity table.

    Raises:
        CompileError: the file is no such table. SystemFailure: it cannot be read.
    """
    with os_errors(path, reading=True):
        text = path.read_text(encoding="utf-8")
    try:
        table: dict[str, Any] = json.loads(text)
        layers_of(table)
    except (ValueError, KeyError, TypeError) as error:
        raise CompileError(
            "C029", "the file is not a table of sensitivities", str(path), "make one: potstill sensitivity DIR --json"
        ) from error
    return table


def choose(
    layers: Sequence[Layer],
    *,
    drop: float | None = None,
    most_bytes: int | None = None,
    embedding: str = "auto",
    clip: str = "absmax",
) -> Choice:
    """The dtypes of the layers, by the budget; the same measurements always give the same choice.

    Args:
        layers: what was measured.
        drop: most damage accepted, in nats; None: 0.002 unless ``most_bytes`` is given.
        most_bytes: stop as soon as the layers take no more than this.
        embedding: fp32, int8 or int4 fixes the embedding; auto: it is chosen as a layer is.
        clip: for int8 rows, as in `scheme_by_name`.

    Raises:
        CompileError: unknown embedding or clip; more bytes than ``most_bytes`` even in int4.
    """
    fixed = scheme_by_name("int8", embedding=embedding, clip=clip).embedding if embedding != "auto" else None
    if drop is None and most_bytes is None:
        drop = DEFAULT_DROP
    now = {layer.name: fixed if fixed and layer.kind == "embedding" else "f32" for layer in layers}
    free = [layer for layer in layers if not (fixed and layer.kind == "embedding")]

    def total() -> int:
        return sum(layer.bytes[now[layer.name]] for layer in layers)

    def damage() -> float:
        return sum(max(0.0, layer.damage[now[layer.name]]) for layer in layers)

    while most_bytes is None or total() > most_bytes:
        steps = []
        for layer in free:
            before = now[layer.name]
            for dtype in _BELOW[before]:
                saved = layer.bytes[before] - layer.bytes[dtype]
                cost = max(0.0, layer.damage[dtype]) - max(0.0, layer.damage[before])
                if saved > 0 and (drop is None or damage() + cost <= drop):
                    steps.append((max(0.0, cost) / saved, -saved, layer.name, dtype))
        if not steps:
            break
        _, _, name, dtype = min(steps)
        now[name] = dtype
    if most_bytes is not None and total() > most_bytes:
        raise CompileError(
            "C028", f"the layers take {total():,} bytes even in int4", f"mixed_bytes = {most_bytes}",
            "allow more, or make a smaller student or vocabulary",
        )  # fmt: skip
    table = next((now[layer.name] for layer in layers if layer.kind == "embedding"), "f32")
    linears = {layer.name: now[layer.name] for layer in layers if layer.kind == "linear"}
    name = MIXED if fixed is None else f"{MIXED}+embedding-{next(k for k, v in DTYPE_OF.items() if v == fixed)}"
    return Choice(Scheme(name, "i8", table, linears, clip), damage(), total())
