"""The `README.md` of a build folder: the card that a model hub shows, made of the model's card and the report."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from potstill.pipeline.report.collect import Section, quality

# The call that answers, by task.
_CALLS = {
    "token-classification": 'model.tag(["..."])',
    "feature-extraction": 'model.embed(["..."])',
    "text-classification": 'model.classify(["..."])',
}
# Names that hubs know as they are: one SPDX identifier.
_SPDX = re.compile(r"[A-Za-z0-9.+-]+")


def hub_card(report: Mapping[str, Any]) -> str:
    """Markdown with the metadata that hubs read; the same report gives the same text, whatever the times in it."""
    card = report["card"]
    call = 'model.score(["..."])' if card["score"] else _CALLS[card["task"]]
    return "\n".join([
        "---",
        *(f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in _metadata(card).items()),
        "---",
        "",
        f"# {card['name']}",
        "",
        f"A model for {card['task']}, weights {card['scheme']}, distilled from `{report['teacher']['model']}`; it "
        f"reads {'pairs of texts' if card['pairs'] else 'texts'} of up to {card['max_tokens']} tokens.",
        *(["", f"Labels: {', '.join(f'`{label}`' for label in card['labels'])}."] if card["labels"] else []),
        *(line for section in quality(report) for line in _table(section)),
        "",
        "## Use",
        "",
        "```python",
        "import potstill",
        "",
        'model = potstill.load("model.still")',
        call.replace('["..."]', '[("...", "...")]') if card["pairs"] else call,
        "```",
        "",
        "`potstill build recipe.toml` makes it again. It was made of:",
        "",
        *(f"- {name}: `{value}`" for name, value in card["provenance"].items()),
        "",
    ])  # fmt: skip


def _metadata(card: Mapping[str, Any]) -> dict[str, Any]:
    known = _SPDX.fullmatch(card["license"])
    licensed = {"license": card["license"].lower() if known else "other"} if card["license"] else {}
    tags = {"tags": ["potstill", card["scheme"]]}
    return {**licensed, "pipeline_tag": card["task"], "library_name": "potstill", **tags}


def _table(section: Section) -> list[str]:
    title, header, rows = section
    lines = [header, ["---"] * len(header), *rows]
    escaped = ([cell.replace("|", "\\|") for cell in line] for line in lines)
    return ["", f"## {title}", "", *("| " + " | ".join(line) + " |" for line in escaped)]
