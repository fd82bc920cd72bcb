"""Logits of some texts by every kernel set, thread count and batch make-up this machine has, as JSON.

Runs on the host and, unchanged, on an emulated board, with nothing but potstill installed:
``python logits_matrix.py MODEL.still TEXTS.json``. All bytes must be equal (toolchains/emulate/same_bits.py compares).
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import potstill
from potstill.boards import kernel_sets
from potstill.errors import CpuError

THREADS = (1, 2, 4)
BATCHES = ("alone", "batch", "mixed")


def _batch(model: Any, texts: list[str]) -> list[str]:
    data = bytes(memoryview(model.logits(texts)).cast("B"))
    width = len(data) // len(texts)
    return [data[i * width : (i + 1) * width].hex() for i in range(len(texts))]


def _rows(model: Any, texts: list[str], batch: str) -> list[str]:
    """The logits of each text as hex of little-endian f32.

    Args:
        batch: ``alone``: one by one; ``batch``: all at once; ``mixed``: all at once in the other order, each with
            another neighbour, and the last one's copy in front.
    """
    if batch == "alone":
        return [_batch(model, [text])[0] for text in texts]
    if batch == "batch":
        return _batch(model, texts)
    copy, *rows = _batch(model, [texts[0], *texts[::-1]])
    rows.reverse()
    if rows[0] != copy:
        rows[0] += f" and {copy}"  # equals no other combination's row
    return rows


def _combinations(kernels: str, every: bool) -> list[tuple[int, str]]:
    """Thread counts with batches: all nine, or, where the reference set would take minutes, each once."""
    if every or kernels != "reference":
        return [(threads, batch) for threads in THREADS for batch in BATCHES]
    return list(zip(THREADS, BATCHES, strict=True))


def matrix(path: str, texts: list[str], every: bool = True) -> dict[str, Any]:
    """Answers of the default kernel set, and the logits of every combination.

    Args:
        path: the .still file.
        texts: two or more.
        every: the reference set too takes every thread count with every batch.

    Returns:
        ``answers``: text, label, score of each text; ``isa``: the set chosen by default; ``refused``: sets this CPU
        lacks; ``logits``: "set/threads/batch" -> hex of each text's logits.
    """
    os.environ.pop("POTSTILL_ISA", None)
    model = potstill.load(path, threads=1)
    answers = [
        {"text": text, "label": best.label, "score": best.score}
        for text, best in zip(texts, model.classify(texts), strict=True)
    ]
    found: dict[str, Any] = {"answers": answers, "isa": model.info["isa"], "refused": [], "logits": {}}
    for name in [row.name for row in kernel_sets()]:
        os.environ["POTSTILL_ISA"] = name
        for threads, batch in _combinations(name, every):
            try:
                model = potstill.load(path, threads=threads)
            except CpuError as error:
                if error.code not in ("K001", "K002"):
                    raise
                found["refused"].append(name)
                break
            found["logits"][f"{name}/{threads}/{batch}"] = _rows(model, texts, batch)
    os.environ.pop("POTSTILL_ISA", None)
    return found


if __name__ == "__main__":
    texts = json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))
    json.dump(matrix(sys.argv[1], texts, every=not os.environ.get("POTSTILL_BOARD")), sys.stdout)
