"""The ids that a ``tokenizer.json`` names outside its model: added tokens and post-processors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def named_ids(content: Mapping[str, Any]) -> set[int]:
    """Ids of all added tokens and of those that a post-processor puts around texts."""
    found = {int(token["id"]) for token in content.get("added_tokens") or []}
    for part in _parts(content.get("post_processor")):
        for token in (part.get("special_tokens") or {}).values():
            found |= {int(index) for index in token["ids"]}
        found |= {int(part[key][1]) for key in ("cls", "sep") if isinstance(part.get(key), list)}
    return found


def renumber(content: Mapping[str, Any], new: Mapping[int, int]) -> None:
    """Give all `named_ids` their new ids, in place."""
    for token in content.get("added_tokens") or []:
        token["id"] = new[int(token["id"])]
    for part in _parts(content.get("post_processor")):
        for token in (part.get("special_tokens") or {}).values():
            token["ids"] = [new[int(index)] for index in token["ids"]]
        for key in ("cls", "sep"):
            if isinstance(part.get(key), list):
                part[key][1] = new[int(part[key][1])]


def _parts(processor: Mapping[str, Any] | None) -> Iterator[Any]:
    """A post-processor and, of a sequence, its members."""
    if processor:
        yield processor
        for part in processor.get("processors") or []:
            yield from _parts(part)
