"""Quantized taggers of other people, compiled from their own ONNX: their tags beside onnxruntime's, or exit code 1.

``python -m toolchains.sessions.foreign`` takes each from the package that holds it (downloaded once, checked by its
SHA-256), compiles it in int8 and int4, and prints how many tags of 200 texts are onnxruntime's own, the size beside the
ONNX's, and milliseconds a text on one thread.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from potstill.data.demo import fetch
from potstill.data.unpack import FOREIGN_LABELS, FOREIGN_MODEL, HUTTO_FILES
from toolchains import PROJECT

TEXTS = 200
# Of all tags; int4 rounds once more what others rounded, and is only shown.
LEAST = {"int8": 0.99, "int4": 0.0}
MOST_TOKENS = 128
_NAMES = ("Maria Keller", "Tom O'Neil", "Priya Raman", "Jonas Berg", "Lucy Adams")
_PLACES = ("14 Elm Street, Leeds", "7 Rue Cler, Paris", "220 Pine Ave, Boston MA 02116", "5 Hill Road, Cork")


@dataclass(frozen=True)
class Result:
    """One model in one scheme; `told` is the share of equal tags among those that are not onnxruntime's usual one."""

    model: str
    scheme: str
    same: float
    told: float
    tokens: int
    bytes: int
    onnx_bytes: int
    milliseconds: float
    onnx_milliseconds: float


def texts(cache: Path) -> list[str]:
    """Half of them people's own short texts, half with personal data in them."""
    folder = fetch("hutto", cache)
    own: list[str] = []
    for name in HUTTO_FILES.values():
        lines = (folder / name).read_text(encoding="utf-8", errors="replace").splitlines()
        rows = [line.split("\t")[-1].strip() for line in lines]
        own += rows[:: len(rows) // (TEXTS // (2 * len(HUTTO_FILES)))][: TEXTS // (2 * len(HUTTO_FILES))]
    return own + [_personal(i) for i in range(TEXTS - len(own))]


def _personal(i: int) -> str:
    name, place = _NAMES[i % len(_NAMES)], _PLACES[i % len(_PLACES)]
    mail = f"{name.split()[0].lower()}{i}@example.com"
    forms = (
        f"My name is {name} and I live at {place}.",
        f"Please call me on +44 20 7946 {i:04d}, or write to {mail}.",
        f"{name} were born on {i % 28 + 1} May 1980 in {place.split(', ')[-1]}, she have a passport X{i:06d}.",
        f"send the invoice to {name.upper()} , {place}; account number 00{i:04d}7731",
    )
    return forms[i % len(forms)]


def measured(name: str, cache: Path, scheme: str) -> Result:
    """Compile one model and compare all tags of the texts."""
    import numpy as np
    import onnxruntime
    from tokenizers import Tokenizer

    import potstill
    from potstill.compile import compile_onnx
    from potstill.runtime.backends import open_backend
    from potstill.runtime.rows import TokenRows

    folder = fetch(name, cache)
    model = folder / FOREIGN_MODEL
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(MOST_TOKENS)
    chosen = texts(cache)
    rows = [tokenizer.encode(text).ids for text in chosen]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    wanted, theirs = _timed(lambda row: _answer(session, row), rows)
    with tempfile.TemporaryDirectory() as made:
        still = Path(made) / "m.still"
        labels = json.loads((folder / FOREIGN_LABELS).read_text(encoding="utf-8"))
        compile_onnx(model, still, scheme=scheme, tokenizer=folder, labels=labels, max_tokens=MOST_TOKENS)
        cut = potstill.load(still, threads=1).tokenize(chosen, truncate=True)
        assert cut == rows, "the tokenizer of the file cuts texts otherwise"
        core = open_backend("native", still, 1)
        found, ours = _timed(lambda row: np.asarray(core.run(TokenRows([row])).logits), rows)
        size = still.stat().st_size
    a, b = (
        np.concatenate([x.reshape(len(r), -1).argmax(axis=1) for x, r in zip(y, rows, strict=True)])
        for y in (found, wanted)
    )
    told = b != np.bincount(b).argmax()
    return Result(
        name,
        scheme,
        float((a == b).mean()),
        float((a == b)[told].mean()),
        len(a),
        size,
        model.stat().st_size,
        ours,
        theirs,
    )


def _answer(session: Any, ids: Sequence[int]) -> Any:
    import numpy as np

    given = {"input_ids": [ids], "attention_mask": [[1] * len(ids)], "token_type_ids": [[0] * len(ids)]}
    names = [value.name for value in session.get_inputs()]
    return session.run(["logits"], {name: np.asarray(given[name], np.int64) for name in names})[0]


def _timed(run: Callable[[Sequence[int]], Any], rows: Sequence[Sequence[int]]) -> tuple[list[Any], float]:
    """Answers, and milliseconds of processor time a text."""
    run(rows[0])
    start = time.process_time()
    found = [run(row) for row in rows]
    return found, 1e3 * (time.process_time() - start) / len(rows)


def results(cache: Path) -> Iterator[Result]:
    for name in ("rampart", "quire"):
        for scheme in LEAST:
            yield measured(name, cache, scheme)


def main() -> int:
    """Print a line for each; the exit code."""
    wrong = False
    for one in results(PROJECT / ".cache"):
        print(
            f"{one.model:<8} {one.scheme}: {one.same:.2%} of {one.tokens:,} tags as onnxruntime's, {one.told:.2%} of "
            f"those that are not the usual one; {one.bytes / 1e6:.1f} MB, the ONNX {one.onnx_bytes / 1e6:.1f} MB; "
            f"{one.milliseconds:.1f} ms a text, onnxruntime {one.onnx_milliseconds:.1f} ms"
        )
        wrong |= one.same < LEAST[one.scheme]
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main())
