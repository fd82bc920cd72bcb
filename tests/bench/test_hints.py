"""Hints of the benchmark: each from rows that show it, none from rows that do not."""

from __future__ import annotations

from typing import Any

from potstill.pipeline.hints import slow_inference


def row(engine: str, precision: str, median: float, tokens: int = 16, threads: int = 1, padded: int = 0) -> Any:
    return {
        "engine": engine,
        "precision": precision,
        "tokens": tokens,
        "padded_to": padded or tokens,
        "threads": threads,
        "median_ms": median,
    }


def test_nothing_to_say() -> None:
    rows = [row("Potstill", "int8", 0.5), row("Potstill", "fp32", 1.0), row("Potstill", "int8", 0.4, threads=2)]
    assert slow_inference([*rows, row("LiteRT", "fp32", 1.0, padded=17)]) == []
    assert slow_inference([]) == []


def test_integers_slower_than_floats_names_the_worst() -> None:
    rows = [row("A", "int8", 1.2), row("A", "fp32", 1.0), row("A", "int8", 4.0, 64), row("A", "fp32", 2.0, 64)]
    (note,) = slow_inference(rows)
    assert "A int8 is slower than fp32" in note and "4.00 and 2.00 ms at 64 tokens" in note
    assert slow_inference([row("A", "int8", 1.05), row("A", "fp32", 1.0)]) == []


def test_threads_that_cost_time() -> None:
    (note,) = slow_inference([row("Potstill", "int8", 0.5), row("Potstill", "int8", 0.8, threads=2)])
    assert "2 threads" in note and "0.80 and 0.50 ms" in note


def test_padding() -> None:
    (note,) = slow_inference([row("LiteRT", "fp32", 3.0, padded=64), row("Potstill", "int8", 0.5)])
    assert "computes 64 tokens for a text of 16" in note
