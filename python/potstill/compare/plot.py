"""The result of `potstill.compare.comparison.bench_peers` as a picture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from potstill.compare.figure import saved_figure

_STYLES = {"fp32": ("--", "o"), "bf16": (":", "^"), "int8": ("-", "s")}


def write_png(result: Mapping[str, Any], path: Path) -> Path:
    """Left, milliseconds against length, both axes logarithmic; right, sentences a second at real lengths.

    One row a thread count; an engine keeps its colour, dashes are fp32. Our own lines are black and thick.

    Raises:
        SystemFailure: matplotlib is missing, a file cannot be written.
    """
    counts = sorted({row["threads"] for row in result["rows"]}) or [1]
    with saved_figure(path, (15, 6.2 * len(counts)), "bench", "--png") as figure:
        axes = figure.subplots(len(counts), 2, squeeze=False)
        engines = list(dict.fromkeys(c["engine"] for c in result["contenders"] if c["engine"] != "Potstill"))
        colours: dict[str, Any] = {engine: f"C{index}" for index, engine in enumerate(engines)} | {"Potstill": "black"}
        for (left, right), threads in zip(axes, counts, strict=True):
            rows = [row for row in result["rows"] if row["threads"] == threads]
            _lengths(left, rows, colours)
            _rates(right, rows, colours)
            left.set_title(f"batch 1, threads: {threads}")
            right.set_title(f"real lengths, threads: {threads}")
        model, host = result["model"], result["host"]
        figure.suptitle(f"{model['file']} on {host['cpu']}, {host['cores']} cores: median, 10 to 90 %")
    return path


def _lengths(axis: Any, rows: list[Any], colours: Mapping[str, Any]) -> None:
    names = dict.fromkeys((row["engine"], row["precision"]) for row in rows)
    ticks = sorted({row["tokens"] for row in rows if row["tokens"] is not None})
    for engine, precision in names:
        mine = [row for row in rows if (row["engine"], row["precision"]) == (engine, precision) and row["tokens"]]
        if not mine:
            continue
        line, marker = _STYLES.get(precision, ("-.", "d"))
        medians = [row["median_ms"] for row in mine]
        below = [row["median_ms"] - row["p10_ms"] for row in mine]
        above = [row["p90_ms"] - row["median_ms"] for row in mine]
        axis.errorbar(
            [row["tokens"] for row in mine],
            medians,
            yerr=[below, above],
            color=colours[engine],
            linestyle=line,
            marker=marker,
            markersize=5,
            linewidth=3 if engine == "Potstill" else 1.4,
            elinewidth=0.8,
            label=f"{engine} {precision}",
        )
    axis.set_xscale("log", base=2)
    axis.set_yscale("log")
    axis.set_xticks(ticks, [str(tick) for tick in ticks])
    axis.set_xlabel("tokens")
    axis.set_ylabel("ms a sentence")
    axis.grid(True, which="both", alpha=0.25)
    if names:
        axis.legend(fontsize=8, ncols=2)


def _rates(axis: Any, rows: list[Any], colours: Mapping[str, Any]) -> None:
    rows = [row for row in rows if row["tokens"] is None]
    cases = list(dict.fromkeys(row["case"] for row in rows))
    names = list(dict.fromkeys((row["engine"], row["precision"]) for row in rows))
    names.sort(key=lambda name: max(r["sentences_per_second"] for r in rows if (r["engine"], r["precision"]) == name))
    height = 0.8 / max(1, len(cases))
    for offset, case in enumerate(cases):
        found = {(row["engine"], row["precision"]): row for row in rows if row["case"] == case}
        for place, name in enumerate(names):
            if name in found:
                row = found[name]
                rate = row["sentences_per_second"]
                axis.barh(
                    place + offset * height,
                    rate,
                    height,
                    color=colours[name[0]],
                    alpha=1.0 if row["batch"] == 1 else 0.5,
                    xerr=[[rate - 1e3 / row["p90_ms"]], [1e3 / row["p10_ms"] - rate]],
                    error_kw={"elinewidth": 0.8, "ecolor": "0.4"},
                )
    axis.set_yticks(range(len(names)), [f"{engine} {precision}" for engine, precision in names], fontsize=8)
    axis.set_xlabel("sentences a second; solid: batch 1, pale: batches of 32")
    axis.grid(True, axis="x", alpha=0.25)
