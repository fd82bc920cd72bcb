"""The card as exported files carry it: values under names, of an ONNX as its properties, of a TFLite file as JSON.

Files of other programs have none of the values, or others of the same names: what makes no sense is left out.
"""

from __future__ import annotations

import contextlib
import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from potstill.card import UNITS, Card, heads_of

# The file that a zip archive behind a TFLite file's own content holds, the way TFLite's metadata tools attach files.
TFLITE_NOTES = "potstill.json"
# Longest sequence of a file that does not say.
DEFAULT_TOKENS = 512
_FLAGS = ("multi_label", "pairs", "normalized")  # written where they are true
_TEXTS = ("task", "producer", "units", "score")  # in properties as they are, all others as JSON
_NAMES = ("labels", "max_tokens", "pad_id", "vocabulary", *_FLAGS, *_TEXTS)


def notes_of(card: Card) -> dict[str, Any]:
    """What a file notes of its model: ``labels``, ``max_tokens``, ``pad_id``, ``vocabulary``, ``task``, ``producer``,
    of a tagger its units, of a score how it is given, and where they are true ``multi_label``, ``pairs`` and
    ``normalized``.
    """
    return {
        "labels": list(card.labels),
        "max_tokens": card.max_tokens,
        "pad_id": card.pad_id,
        "vocabulary": card.vocabulary,
        "task": card.task,
        "producer": card.producer,
        **{name: getattr(card, name) for name in ("units", "score", *_FLAGS) if getattr(card, name)},
    }


def properties_of(card: Card) -> dict[str, str]:
    """The notes as ``metadata_props`` of an ONNX file."""
    return {
        name: value if name in _TEXTS else json.dumps(value, ensure_ascii=False)
        for name, value in notes_of(card).items()
    }


def notes_in(properties: Mapping[str, str]) -> dict[str, Any]:
    """The notes in ``metadata_props``."""
    found: dict[str, Any] = {}
    for name in _NAMES:
        with contextlib.suppress(KeyError, ValueError, RecursionError):  # another program's, or absent
            found[name] = properties[name] if name in _TEXTS else json.loads(properties[name])
    return found


def attach_to_tflite(path: Path, notes: Mapping[str, Any]) -> None:
    """Append the notes in a zip archive with a fixed date, so that equal input gives equal bytes."""
    with zipfile.ZipFile(path, "a") as archive:
        entry = zipfile.ZipInfo(TFLITE_NOTES, (1980, 1, 1, 0, 0, 0))
        archive.writestr(entry, json.dumps(dict(notes), ensure_ascii=False))


def notes_in_tflite(path: Path) -> dict[str, Any]:
    """The notes that `attach_to_tflite` appended; none in a file from elsewhere."""
    try:
        with zipfile.ZipFile(path) as archive:
            found = json.loads(archive.read(TFLITE_NOTES))
    except (zipfile.BadZipFile, KeyError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def noted_labels(notes: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of the logits; empty where there are none."""
    labels = notes.get("labels")
    known = isinstance(labels, list) and all(isinstance(label, str) for label in labels)
    return tuple(labels) if known and labels else ()


def noted_number(notes: Mapping[str, Any], name: str) -> int | None:
    """A whole number from 0 on; None where there is none."""
    value = notes.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def card_from(notes: Mapping[str, Any], name: str, logits: Sequence[Any] | None, *, embedding: bool) -> Card:
    """The card of a file's notes and of what its graph has.

    Args:
        notes: see `notes_of`; may be empty.
        name: of the model.
        logits: shape of the output ``logits``, ``[rows, labels]`` or ``[rows, length, labels]``; None without.
        embedding: whether there is the output ``embedding``.
    """
    several = notes.get("multi_label") is True
    per_token = logits is not None and len(logits) == 3
    one = logits is not None and logits[-1] == 1 and not (per_token or several)
    score = str(notes.get("score") or "raw") if one else ""
    units = str(notes.get("units"))
    return Card(
        name,
        heads_of(
            noted_labels(notes), logits=logits is not None, per_token=per_token,
            multi_label=several and not per_token, units=units if units in UNITS else "", score=score,
            embedding=embedding,
            normalized=notes.get("normalized") is True,
        ),
        noted_number(notes, "max_tokens") or DEFAULT_TOKENS,
        vocabulary=noted_number(notes, "vocabulary") or 0,
        pad_id=noted_number(notes, "pad_id"),
        pairs=notes.get("pairs") is True,
        producer=str(notes.get("producer", "")),
    )  # fmt: skip
