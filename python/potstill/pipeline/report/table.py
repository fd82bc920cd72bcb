"""The report as plain text: what `potstill build` and `potstill report` print."""

from __future__ import annotations

from pathlib import Path

from potstill.pipeline.report.collect import collect, headline, sections


def section(title: str, header: list[str], rows: list[list[str]]) -> list[str]:
    """Lines of a titled table: first column to the left, the others to the right."""
    lines = [header, *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]

    def text(line: list[str]) -> str:
        cells = [
            line[0].ljust(widths[0]),
            *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)),
        ]
        return "  " + "   ".join(cells).rstrip()

    return ["", title, text(header), "  " + "-" * (sum(widths) + 3 * (len(widths) - 1)), *map(text, rows)]


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
