"""Cycles of forwards fitted to the terms they are a weighted sum of, and compared where they were not fitted."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from potstill.bench.predict import CostModel, student
from toolchains import PROJECT

# Counted cycles of shapes that were not fitted: for the tests only, so not in the wheel.
UNSEEN = PROJECT / "tests" / "bench" / "unseen"


# What `potstill.bench.predict.student` makes a model of.
Shape = tuple[Any, ...]


@dataclass(frozen=True)
class Row:
    """Modelled `cycles` of one forward of `tokens` tokens; `fitted`, or kept to test the fit."""

    shape: Shape
    tokens: int
    cycles: float
    fitted: bool


def fit(rows: list[list[float]], cycles: list[float]) -> NDArray[np.float64]:
    """Non-negative coefficients that minimise the sum of squared relative errors."""
    a = np.array(rows) / np.array(cycles)[:, None]
    scale = np.linalg.norm(a, axis=0)
    scale[scale == 0] = 1.0
    return np.asarray(nnls(a / scale, np.ones(len(a)))[0] / scale)


def add(
    result: dict[str, Any], key: Mapping[str, str], rows: Sequence[Row], terms: Callable[[CostModel, int], list[float]]
) -> None:
    """Append to ``result["fits"]`` the fit of `rows` under `key`, and to ``result["held_out"]`` the rows it has not
    seen, with their cycles."""

    def error(row: Row) -> float:
        return float(np.dot(terms(student(*row.shape), row.tokens), x) / row.cycles - 1)

    fitted, held = [row for row in rows if row.fitted], [row for row in rows if not row.fitted]
    x = fit([terms(student(*row.shape), row.tokens) for row in fitted], [row.cycles for row in fitted])
    inside, unseen = [abs(error(row)) for row in fitted], [abs(error(row)) for row in held]
    print(
        f"{' '.join(key.values())}: fitted within {max(inside):.1%}, "
        f"unseen shapes within {max(unseen):.1%}, mean {np.mean(unseen):.1%}", flush=True,
    )  # fmt: skip
    coefficients = [float(f"{value:.6g}") for value in x]
    result["fits"].append({**key, "coefficients": coefficients, "worst_error": round(max(unseen), 4)})
    for row in held:
        counted = {"shape": list(row.shape), "tokens": row.tokens, "cycles": round(row.cycles)}
        result["held_out"].append({**{name: key[name] for name in key if name != "scheme"}, **counted})


def write(result: dict[str, Any], out: Path) -> None:
    """Write a cost table to `out`, and the rows it has not seen to `UNSEEN` under the same name."""
    held = result.pop("held_out")
    out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    UNSEEN.mkdir(exist_ok=True)
    lines = ",\n".join(json.dumps(row) for row in held)
    (UNSEEN / out.name).write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    print(f"written: {out}, {UNSEEN / out.name}")
