"""How fast the core makes ids, beside Hugging Face tokenizers in the same process: one thread, one text at a time.

``nox -s tokenizers [-- --text FILE ... --size PIECES]`` trains a tokenizer of each kind on the texts (without: the
repository's own) and times it on them, whole and in parts of 1,000 characters. Figures are MB of UTF-8 a second and the
ratio to `tokenizers`, which keeps words that it has seen in a cache.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import trained
from same_tokens import both

ROOT = Path(__file__).parents[2]
CHARACTERS = 1000  # of a part


def seconds(encode: Callable[[str], Any], texts: Sequence[str]) -> float:
    """Processor time for all texts: the best of five rounds."""
    best = float("inf")
    for _ in range(5):
        start = time.process_time()
        for text in texts:
            encode(text)
        best = min(best, time.process_time() - start)
    return best


def rows(kind: str, content: dict[str, Any], texts: Sequence[str]) -> list[str]:
    """One row for whole texts, one for parts."""
    oracle, ours = both(content)
    parts = [text[i : i + CHARACTERS] for text in texts for i in range(0, len(text), CHARACTERS)]
    found = []
    for name, some in (("whole", texts), ("parts", parts)):
        size = sum(len(text.encode()) for text in some) / 1e6
        ids, places = seconds(ours.encode, some), seconds(ours.encode_with_offsets, some)
        theirs = seconds(lambda text: oracle.encode(text).ids, some)
        found.append(
            f"{kind:<26}{name:<8}{size / ids:8.1f}{size / places:10.1f}{size / theirs:12.1f}"
            f"{theirs / ids:9.1f} x{theirs / places:9.1f} x"
        )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", nargs="+", type=Path, help="files of UTF-8 text")
    parser.add_argument("--size", type=int, default=8000, help="pieces of a vocabulary (default: 8000)")
    parser.add_argument("--only", nargs="+", choices=trained.KINDS, default=list(trained.KINDS), help="kinds")
    options = parser.parse_args()
    files = options.text or sorted([*ROOT.glob("*.md"), *ROOT.glob("python/**/*.md"), *ROOT.glob("cpp/**/*.md")])
    texts = [path.read_text(encoding="utf-8") for path in files]
    print(f"{'tokenizer':<26}{'texts':<8}{'MB/s':>8}{'places':>10}{'tokenizers':>12}{'ratio':>11}{'places':>11}")
    for kind in options.only:
        lines = [line for text in texts for line in text.splitlines()]
        for row in rows(kind, json.loads(trained.KINDS[kind](lines, options.size).to_str()), texts):
            print(row, flush=True)


if __name__ == "__main__":
    main()
