"""Tokenizers in the forms of the hub beside Hugging Face's own library: every id and place equal, or exit code 1.

``python -m toolchains.sessions.tokenizers`` compares each shape of `toolchains.tokenizers.shapes` on random text over
all of Unicode, on every code point, and on the demo corpora, and prints how fast each encodes, as a ratio in one run.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from potstill.data.corpora import LABELLED, UNLABELLED, read_demo
from potstill.errors import DataError
from potstill.work.progress import QuietProgress
from toolchains import PROJECT
from toolchains.tokenizers.same import both, different
from toolchains.tokenizers.shapes import shapes
from toolchains.tokenizers.texts import SENTENCES, random_text

RANDOM = 5_000
# Of each corpus.
ROWS = 1_000
# Encoded over and over, best of the rounds.
ROUNDS = 5


def every_code_point() -> list[str]:
    """Each between letters, 64 a text."""
    texts = [f"a{chr(point)}b" for point in range(0x110000) if not 0xD800 <= point < 0xE000]
    return [" ".join(texts[i : i + 64]) for i in range(0, len(texts), 64)]


def corpora() -> list[str]:
    """Rows of the demo corpora, of all languages; those that cannot be had here are named."""
    found: list[str] = []
    for name in (*LABELLED, *UNLABELLED):
        try:
            parts = read_demo(name, PROJECT / ".cache", labelled=False, progress=QuietProgress())
        except DataError as error:
            print(f"{name} is left out: {error}")
            continue
        rows = [row if isinstance(row, str) else " ".join(row) for part in parts.values() for row in part.texts]
        found += rows[:: max(1, len(rows) // ROWS)]
    return found


def seconds(encode: Callable[[str], Any], texts: Sequence[str]) -> float:
    """Processor time of encoding all texts one by one, the best of `ROUNDS`."""
    best = float("inf")
    for _ in range(ROUNDS):
        start = time.process_time()
        for text in texts:
            encode(text)
        best = min(best, time.process_time() - start)
    return best


def main() -> int:
    """Print a line a shape; the exit code."""
    rng = random.Random(15)
    rows = corpora()
    texts = [*SENTENCES, *rows, *(random_text(rng) for _ in range(RANDOM)), *every_code_point()]
    documents = [" ".join(rows[i : i + 8]) for i in range(0, len(rows), 8)] or list(SENTENCES) * 20
    size = sum(len(text.encode()) for text in documents) / 1e6
    wrong = 0
    print(f"{len(texts):,} texts; {size:.1f} MB for the speed")
    for name, content in shapes([*SENTENCES * 3, *rows[:: max(1, len(rows) // 3000)]]):
        oracle, ours = both(content)
        found = different(oracle, ours, texts)
        wrong += bool(found)
        theirs_time = seconds(oracle.encode, documents)
        times = theirs_time / seconds(ours.encode, documents)
        speed = size / theirs_time * times
        print(f"{name:<15} {len(found)} differences, {times:5.1f} x as fast ({speed:.1f} MB/s)", flush=True)
        for text, mine, wanted in found[:3]:
            print(f"  {text}\n    {mine}\n    {wanted}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
