"""A WordPiece tokenizer over a part of its vocabulary, as a real Hugging Face fast tokenizer.

WordPiece cuts a word by the longest piece that matches, from the left. Over fewer pieces it is the same procedure, so a
word whose piece was dropped falls into shorter ones without anything else to change: saved with the student, the
smaller tokenizer is exact in every export and in the packed file.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from transformers import AutoTokenizer

from potstill.errors import TrainError
from potstill.models.hub import quiet_loading

# Texts on which the saved and reloaded tokenizer must give what the edited description says.
_PROBES = (
    "",
    "the light is on",
    "Unaffable caf\u00e9s, 1999!",
    "\u4e2d\u6587 \U0001f600 \u00e5\u0301x",
    "[CLS] ##ing [MASK]",
)


def description(tokenizer: Any, where: str) -> dict[str, Any]:
    """The tokenizer as the content of its ``tokenizer.json``.

    Raises:
        TrainError: it is not a fast tokenizer, or its model is not WordPiece.
    """
    backend = getattr(tokenizer, "backend_tokenizer", None)
    content: dict[str, Any] = json.loads(backend.to_str()) if backend is not None else {}
    kind = (content.get("model") or {}).get("type")
    if kind != "WordPiece":
        raise TrainError(
            "T060",
            f"a vocabulary can be pruned in WordPiece tokenizers only, this one is {kind or type(tokenizer).__name__}",
            where,
            "set student.vocabulary to 'full', or use a teacher with a WordPiece tokenizer, such as BERT or MiniLM",
        )
    return content


def fallback_ids(content: Mapping[str, Any], counts: np.ndarray | None = None) -> np.ndarray:
    """Ids that every pruned vocabulary keeps, sorted int64: special and added tokens, and single characters.

    Single characters, alone (``x``) and continuing (``##x``), are what any word can fall back to.

    Args:
        content: `description`.
        counts: occurrences by id, ``[ids]``; then only ASCII characters stay and those of which a piece that occurs is
            made. A word with any other character becomes the unknown token. None keeps all.
    """
    model = content["model"]
    prefix = str(model["continuing_subword_prefix"])
    vocabulary: dict[str, int] = model["vocab"]
    kept = {int(token["id"]) for token in content.get("added_tokens") or []}
    kept |= set(_processor_ids(content.get("post_processor")))
    kept.add(vocabulary[model["unk_token"]])
    alphabet = None
    if counts is not None:
        occur = (piece.removeprefix(prefix) for piece, index in vocabulary.items() if counts[index] > 0)
        alphabet = set(map(chr, range(128))).union(*occur)
    for piece, index in vocabulary.items():
        character = piece if len(piece) == 1 else piece.removeprefix(prefix)
        if len(character) == 1 and (alphabet is None or character in alphabet):
            kept.add(index)
    return np.array(sorted(kept), dtype=np.int64)


def prune_tokenizer(tokenizer: Any, kept: Sequence[int] | np.ndarray) -> Any:
    """The tokenizer over the pieces with these ids, which become 0, 1, ... in the given order.

    Args:
        tokenizer: a fast WordPiece tokenizer.
        kept: ids to keep; must hold `fallback_ids`.

    Returns:
        A tokenizer of the same class and settings.

    Raises:
        TrainError: not WordPiece; the smaller tokenizer does not load as it was described.
    """
    name = str(getattr(tokenizer, "name_or_path", "") or "the tokenizer")
    content = description(tokenizer, name)
    new = {int(old): index for index, old in enumerate(kept)}
    model = content["model"]
    model["vocab"] = {
        piece: new[index] for piece, index in sorted(model["vocab"].items(), key=lambda item: item[1]) if index in new
    }
    for token in content.get("added_tokens") or []:
        token["id"] = new[int(token["id"])]
    _renumber(content.get("post_processor"), new)
    # Both belong to a call, not to the vocabulary, and padding names an id.
    content["truncation"] = content["padding"] = None
    with tempfile.TemporaryDirectory() as folder, quiet_loading():
        path = Path(folder)
        tokenizer.save_pretrained(folder)
        for stale in ("vocab.txt", "added_tokens.json", "special_tokens_map.json"):
            (path / stale).unlink(missing_ok=True)
        (path / "tokenizer.json").write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
        _forget_ids(path / "tokenizer_config.json")
        pruned = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    pruned.name_or_path = name
    pruned.init_kwargs.pop("name_or_path", None)
    _check(pruned, content, name)
    return pruned


def _check(pruned: Any, content: Mapping[str, Any], name: str) -> None:
    """Tokenizer classes rebuild parts of the description when they load; what came out must do what was asked."""
    from tokenizers import Tokenizer

    asked = Tokenizer.from_str(json.dumps(content))
    found = json.loads(pruned.backend_tokenizer.to_str())
    same = found["model"]["vocab"] == content["model"]["vocab"] and all(
        pruned(text)["input_ids"] == asked.encode(text).ids for text in _PROBES
    )
    if not same:
        raise TrainError(
            "T062",
            f"the pruned {type(pruned).__name__} gives other ids than it should",
            name,
            "set student.vocabulary to 'full', and report this tokenizer",
        )


def _forget_ids(config: Path) -> None:
    """Drop the table of added tokens by id from ``tokenizer_config.json``; ``tokenizer.json`` has it."""
    content = json.loads(config.read_text(encoding="utf-8"))
    for key in ("added_tokens_decoder", "name_or_path", "tokenizer_file", "vocab_file"):
        content.pop(key, None)
    config.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")


def _parts(processor: Mapping[str, Any] | None) -> list[Any]:
    """A post-processor and, of a sequence, its members."""
    if not processor:
        return []
    return [processor, *(inner for part in processor.get("processors") or [] for inner in _parts(part))]


def _processor_ids(processor: Mapping[str, Any] | None) -> list[int]:
    found: list[int] = []
    for part in _parts(processor):
        for token in (part.get("special_tokens") or {}).values():
            found += [int(index) for index in token["ids"]]
        found += [int(part[key][1]) for key in ("cls", "sep") if isinstance(part.get(key), list)]
    return found


def _renumber(processor: Mapping[str, Any] | None, new: Mapping[int, int]) -> None:
    for part in _parts(processor):
        for token in (part.get("special_tokens") or {}).values():
            token["ids"] = [new[int(index)] for index in token["ids"]]
        for key in ("cls", "sep"):
            if isinstance(part.get(key), list):
                part[key][1] = new[int(part[key][1])]
