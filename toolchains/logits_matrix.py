"""Logits of some texts by every kernel set, thread count and batch make-up this machine has, as JSON.

Runs on the host and, unchanged, on an emulated board, with nothing but potstill installed:
``python logits_matrix.py MODEL.still TEXTS.json``. All bytes must be equal (toolchains/same_bits.py compares).
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import potstill
from potstill.errors import CpuError

KERNELS = ("reference", "neon", "neon_dotprod", "avx2", "avx512vnni")


def _rows(model: Any, texts: list[str], alone: bool) -> list[str]:
    """The logits of each text as hex of little-endian f32, computed one by one or as one batch."""
    if alone:
        return [bytes(memoryview(model.logits([text])).cast("B")).hex() for text in texts]
    data = bytes(memoryview(model.logits(texts)).cast("B"))
    width = len(data) // len(texts)
    return [data[i * width : (i + 1) * width].hex() for i in range(len(texts))]


def matrix(path: str, texts: list[str]) -> dict[str, Any]:
    """Answers of the default kernel set, and the logits of every combination.

    Returns:
        ``answers``: text, label, score of each text; ``isa``: the set chosen by default; ``refused``: sets this CPU
        lacks; ``logits``: "set/threads/alone or batch" -> hex of each text's logits.
    """
    os.environ.pop("POTSTILL_ISA", None)
    model = potstill.load(path, threads=1)
    answers = [
        {"text": text, "label": best.label, "score": best.score}
        for text, best in zip(texts, model.classify(texts), strict=True)
    ]
    found: dict[str, Any] = {"answers": answers, "isa": model.info["isa"], "refused": [], "logits": {}}
    for name in KERNELS:
        os.environ["POTSTILL_ISA"] = name
        for threads in (1, 2):
            try:
                model = potstill.load(path, threads=threads)
            except CpuError as error:
                if error.code not in ("K001", "K002"):
                    raise
                found["refused"].append(name)
                break
            for alone in (True, False):
                found["logits"][f"{name}/{threads}/{'alone' if alone else 'batch'}"] = _rows(model, texts, alone)
    os.environ.pop("POTSTILL_ISA", None)
    return found


if __name__ == "__main__":
    texts = json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))
    json.dump(matrix(sys.argv[1], texts), sys.stdout)
