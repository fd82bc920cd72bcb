"""How the one output of a regression model or a reranker is given: as it is (raw), or as its sigmoid."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from potstill.errors import CompileError

ACTIVATIONS = ("raw", "sigmoid")
# Classes of torch.nn that sentence-transformers names in a cross-encoder's config.
_CLASSES = {"Identity": "raw", "Sigmoid": "sigmoid"}
_STEP = "choose: --activation raw or --activation sigmoid"


def score_kind(activation: str | None, notes: Mapping[str, Any], folders: Iterable[Path]) -> tuple[str, list[str]]:
    """``raw`` or ``sigmoid`` for a model with one output, and what the user should know of the choice.

    Args:
        activation: what the user chose, or None.
        notes: of the ONNX (`potstill.card.notes`).
        folders: where a config.json of the model may lie; the first one of a model with one output counts.

    Raises:
        CompileError: an activation that is neither; a config.json that cannot be read; nobody says.
    """
    if activation is not None:
        return _known(activation, "--activation"), []
    if "score" in notes:
        return _known(notes["score"], "property 'score' of the ONNX"), []
    for path in (folder / "config.json" for folder in folders):
        config = _config(path)
        kind = None if config is None else _said(config, str(path))
        if kind is not None:
            return kind, [f"the one output is a score, {kind} as {path} says"]
    raise CompileError(
        "C144", "the model has one output, a score, and nothing says whether a sigmoid belongs to it",
        "no config.json with problem_type or an activation", _STEP,
    )  # fmt: skip


def _known(kind: str, where: str) -> str:
    if kind not in ACTIVATIONS:
        raise CompileError("C141", f"a score cannot be given as {kind!r}", where, _STEP)
    return kind


def _config(path: Path) -> Mapping[str, Any] | None:
    """The config, if there is one and it is of a model with one output."""
    if not path.is_file():
        return None
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CompileError("C142", "the model's config cannot be read", str(path), _STEP) from error
    if not isinstance(config, dict):
        raise CompileError("C142", "the model's config is not a JSON object", str(path), _STEP)
    names = config.get("id2label")
    outputs = len(names) if isinstance(names, dict) else config.get("num_labels")
    return config if outputs == 1 else None


def _said(config: Mapping[str, Any], where: str) -> str | None:
    """What the config says; None: nothing."""
    newer = config.get("sentence_transformers")
    name = newer.get("activation_fn") if isinstance(newer, dict) else None
    name = name or config.get("sbert_ce_default_activation_function")
    if name:
        found = _CLASSES.get(str(name).rpartition(".")[2])
        if found is None or not str(name).startswith("torch.nn."):
            raise CompileError("C141", f"a score cannot be given as {name!r}", where, _STEP)
        return found
    kinds = {"regression": "raw", "multi_label_classification": "sigmoid"}
    return kinds.get(str(config.get("problem_type")))
