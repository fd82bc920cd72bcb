"""The GELU by a sigmoid, which exporters of CLIP use."""

from __future__ import annotations

from potstill.compile.rewrites.writer import Writer


def _quick_gelu(w: Writer) -> None:
    """x * sigmoid(alpha * x)."""
    x = w.needed(0)
    inner = w.op("Mul", x, w.const(w.number("alpha", 1.702)))
    w.result(w.op("Mul", x, w.op("Sigmoid", inner)))


REWRITES = {"com.microsoft.QuickGelu": _quick_gelu}
