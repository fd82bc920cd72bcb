"""The result of `potstill.compare.comparison.bench_peers` as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from potstill.work.columns import columns


def table(result: Mapping[str, Any]) -> str:
    """Who took part and how close their answers are, then for each thread count the times, and who is missing why."""
    model, settings, host = result["model"], result["settings"], result["host"]
    average = settings["real_tokens"] / settings["real_sentences"]
    lines = [
        f"{model['file']} ({model['scheme']}) on {host['cpu']}, {host['cores']} cores, load {host['load']}",
        f"real lengths: {settings['real_sentences']} of {settings['real_origin']}, {average:.1f} tokens on average, "
        f"{settings['real_longest']} at most",
        "",
        *_contenders(result),
    ]
    for threads in settings["threads"]:
        rows = [row for row in result["rows"] if row["threads"] == threads]
        if rows:
            lines += _times(rows, threads)
    missing = [c for c in result["contenders"] if c["reason"]]
    if missing:
        lines += ["", "not measured, or not to the end:"]
        lines += [f"  {name}: {reason}" for name, reason in ((_name(c), c["reason"]) for c in missing)]
    if result["interrupted"]:
        lines += ["", "interrupted: these are the rounds that had ended by then"]
    return "\n".join(lines)


def _name(row: Mapping[str, Any]) -> str:
    return f"{row['engine']} {row['precision']}"


def _contenders(result: Mapping[str, Any]) -> list[str]:
    taking_part = [c for c in result["contenders"] if "label_agreement" in c]
    if not taking_part:
        return ["nothing was measured"]
    lines = [["", "version", "same label", "max |diff|", "load ms", "peak MB", "settings"]]
    for c in taking_part:
        cells = [f"{100 * c['label_agreement']:.1f} %", f"{c['max_abs_difference']:.1e}", f"{c['load_ms']:.0f}"]
        peak = f"{c['peak_rss_bytes'] / 1e6:.0f}"
        lines.append([_name(c), c["version"], *cells, peak, c["settings"]])
    settings = [line.pop() for line in lines]
    set_up = columns(lines, left=2)
    text = [f"{line}  {words}" for line, words in zip(set_up, settings, strict=True)]
    return [*text, f"same label and |diff|: all sentences below, against {taking_part[0]['reference']}"]


def _times(rows: Sequence[Mapping[str, Any]], threads: int) -> list[str]:
    """One line an engine; a cell is the median in ms a sentence, the 10 to 90 % range, and the ratio to the model."""
    names = list(dict.fromkeys(_name(row) for row in rows))
    fixed = list(dict.fromkeys(row["case"] for row in rows if row["tokens"] is not None))
    real = list(dict.fromkeys(row["case"] for row in rows if row["tokens"] is None))
    cells = {(_name(row), row["case"]): row for row in rows}
    plural = "s" if threads > 1 else ""
    text = []
    for cases, title, cell in (
        (fixed, "ms a sentence, batch 1: median (10 % - 90 %), times our median", _milliseconds),
        (real, "sentences a second: median (10 % - 90 %), times our median", _rate),
    ):
        if cases:
            head = [f"{threads} thread{plural}", *cases]
            body = [[name, *(cell(cells.get((name, case))) for case in cases)] for name in names]
            text += ["", title, *columns([head, *body])]
    return text


def _milliseconds(row: Mapping[str, Any] | None) -> str:
    if row is None:
        return "-"
    padded = f"as {row['padded_to']}: " if row["padded_to"] != row["tokens"] else ""
    return f"{padded}{row['median_ms']:.3f} ({row['p10_ms']:.3f} - {row['p90_ms']:.3f}) {_ratio(row)}"


def _rate(row: Mapping[str, Any] | None) -> str:
    if row is None:
        return "-"
    slow, fast = 1e3 / row["p90_ms"], 1e3 / row["p10_ms"]
    return f"{row['sentences_per_second']:,.0f} ({slow:,.0f} - {fast:,.0f}) {_ratio(row)}"


def _ratio(row: Mapping[str, Any]) -> str:
    return f"{row['ratio']:.2f}x" if row["ratio"] is not None else "-"
