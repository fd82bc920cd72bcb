"""The report as plain text: what `potstill build` and `potstill report` print."""

from __future__ import annotations

from pathlib import Path

from potstill.pipeline.report.collect import collect, headline, sections
from potstill.work.columns import columns


def section(title: str, header: list[str], rows: list[list[str]]) -> list[str]:
    """Lines of a titled table: first column to the left, the others to the right."""
    lines = [f"  {line}" for line in columns([header, *rows], gap="   ")]
    return ["", title, lines[0], "  " + "-" * (max(map(len, lines)) - 2), *lines[1:]]


def render(out: Path) -> str:
    """The table of a build folder.

    Raises:
        SystemFailure: see `collect`.
    """
    report = collect(out)
    recipe, took = headline(report)
    lines = [f"Potstill · recipe {recipe} · built in {took}"]
    for title, header, rows in sections(report):
        lines += section(title, header, rows)
    return "\n".join(lines)
