"""The report as one self-contained HTML page: no script, no external file, readable in light and dark."""

from __future__ import annotations

import html
from pathlib import Path

from potstill.pipeline.report.collect import collect, headline, sections
from potstill.work.atomic import atomic_write

_STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: .5rem 0 2rem; }
th, td { padding: .3rem .8rem; text-align: right; border-bottom: 1px solid #8884; }
th:first-child, td:first-child { text-align: left; }
th { font-weight: 600; }
"""


def page(out: Path) -> str:
    """The page's text, from the same rows as the terminal's table."""
    report = collect(out)
    recipe, took = headline(report)
    title = f"Potstill: {recipe}"
    parts = [
        "<!doctype html>",
        f'<html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>',
        f"<style>{_STYLE}</style></head><body><h1>{html.escape(title)}</h1>",
        f"<p>Built in {took}. Times are medians on the building host.</p>",
    ]
    for heading, header, rows in sections(report):
        parts.append(f"<h2>{html.escape(heading)}</h2><table><tr>")
        parts += [f"<th>{html.escape(cell)}</th>" for cell in header]
        for row in rows:
            parts.append("</tr><tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row))
        parts.append("</tr></table>")
    parts.append("</body></html>\n")
    return "\n".join(parts)


def write_html(out: Path) -> Path:
    """Write `report.html` into the build folder and return its path."""
    target = out / "report.html"
    with atomic_write(target) as temporary:
        temporary.write_text(page(out), encoding="utf-8")
    return target
