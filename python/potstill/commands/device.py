"""Commands that run and check a model; in every wheel."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from potstill.commands import Command, print_json
from potstill.errors import InputError


def _texts(words: Sequence[str]) -> Iterable[str]:
    """The texts of a command line; a single ``-`` reads one text a line from standard input."""
    if list(words) == ["-"]:
        for number, line in enumerate(sys.stdin, 1):
            if not line.strip():
                raise InputError("I001", "the text is empty", f"standard input, line {number}", "remove the line")
            yield line.rstrip("\n")
    else:
        yield from words


def _pair(text: str) -> tuple[str, str]:
    """Two texts of one command-line argument or line, a tab between them."""
    first, tab, second = text.partition("\t")
    if not tab:
        raise InputError("I015", "a single text for a model of pairs", repr(text[:40]), "give both, a tab between them")
    return first, second


def _run(args: argparse.Namespace) -> int:
    import potstill

    model = potstill.load(args.model, threads=args.threads, backend=args.backend, mapped=args.mapped)
    for text in _texts(args.texts):
        if model.per_token and not args.embed:
            _tag(model, text, args)
            continue
        given = _pair(text) if model.pairs else text
        if args.embed:
            vector = memoryview(model.embed([given], truncate=args.truncate)).tolist()[0]
            print(json.dumps({"text": text, "embedding": vector}, ensure_ascii=False), flush=True)
            continue
        if model.score_kind:
            _score(model, given, text, args)
            continue
        prediction = model.classify([given], truncate=args.truncate, threshold=args.threshold)[0]
        if args.json:
            row = {"text": text, "label": prediction.label, "score": prediction.score, "scores": prediction.scores}
            if model.multi_label:
                row["labels"] = list(prediction.labels)
            if args.logits:
                row["logits_hex"] = bytes(memoryview(model.logits([given], truncate=args.truncate))).hex()
            print(json.dumps(row, ensure_ascii=False), flush=True)
        else:
            # A text may have several labels; one without any has its line too.
            found = [(label, prediction.scores[label]) for label in prediction.labels] or [("-", prediction.score)]
            print("".join(f"{label}\t{score:.4f}\t" for label, score in found) + text, flush=True)
    return 0


def _score(model: Any, given: Any, text: str, args: argparse.Namespace) -> None:
    """Score and text, or one JSON object."""
    score = model.score([given], truncate=args.truncate)[0]
    if not args.json:
        print(f"{score:.4f}\t{text}", flush=True)
        return
    row: dict[str, Any] = {"text": text, "score": score}
    if args.logits:
        row["logits_hex"] = bytes(memoryview(model.logits([given], truncate=args.truncate))).hex()
    print(json.dumps(row, ensure_ascii=False), flush=True)


def _tag(model: Any, text: str, args: argparse.Namespace) -> None:
    """Word, label and score, a line each, and an empty line; or one JSON object."""
    tokens = model.tag([text.split() if args.words else text], truncate=args.truncate)[0]
    if args.json:
        row: dict[str, Any] = {"text": text, "tokens": [token.as_dict() for token in tokens]}
        print(json.dumps(row, ensure_ascii=False), flush=True)
        return
    for token in tokens:
        print(f"{token.word}\t{token.label}\t{token.score:.4f}")
    print(flush=True)


def _inspect(args: argparse.Namespace) -> int:
    import potstill

    info = {**potstill.load(args.model).info, **_tensors(Path(args.model))}
    if args.json:
        print_json(info)
        return 0
    width = max(len(key) for key in info)
    for key, value in info.items():
        if isinstance(value, dict):
            print(f"{key}:")
            for name, entry in value.items():
                print(f"  {name}: {entry}")
        elif isinstance(value, int) and not isinstance(value, bool):
            print(f"{key:<{width}}  {value:,}")
        else:
            print(f"{key:<{width}}  {', '.join(map(str, value)) if isinstance(value, (list, tuple)) else value}")
    return 0


def _tensors(path: Path) -> dict[str, Any]:
    """Each weight's dtype, shape and bytes."""
    from potstill.runtime.header import read_header

    tensors = read_header(path).tensors
    return {"tensors": {t.name: f"{t.dtype} {' x '.join(map(str, t.shape))}, {t.bytes:,} bytes" for t in tensors}}


def _verify(args: argparse.Namespace) -> int:
    import potstill

    for path in args.models:
        info = potstill.load(path).info
        print(f"ok  {path}  {Path(path).stat().st_size:,} bytes, scheme {info['scheme']}, every check passed")
    return 0


def add(command: Command) -> None:
    """Register these commands."""
    run = command(
        "run",
        _run,
        "Label texts, or their words, with a compiled model: label, score and text, one a line; or give their vectors.",
        "potstill run model.still 'turn the light on' 'stop'",
        "cat lines.txt | potstill run model.still - --json",
    )
    run.add_argument("model", help="a .still file")
    run.add_argument(
        "texts", nargs="+", metavar="TEXT", help="texts (pairs: a tab between them), or - for one a line of stdin"
    )
    run.add_argument("--json", action="store_true", help="one JSON object a line, with the score of every label")
    run.add_argument("--logits", action="store_true", help="with --json: add the raw f32 logits as hex")
    run.add_argument(
        "--threshold", type=float, default=0.5, help="least score of a label where a text may have several (0.5)"
    )
    run.add_argument(
        "--words", action="store_true", help="of a model that labels words: words are what stands between spaces"
    )
    run.add_argument("--embed", action="store_true", help="the pooled vector instead of a label, as JSON")
    run.add_argument("--truncate", action="store_true", help="cut texts over the length limit instead of refusing them")
    run.add_argument("--threads", type=int, help="threads (default: POTSTILL_NUM_THREADS, else the cores allowed)")
    run.add_argument("--backend", default="native", help="native (default), onnxruntime or litert")
    run.add_argument(
        "--mapped", action="store_true", help="use the .still where it is: for a file that nobody changes in place"
    )

    inspect = command("inspect", _inspect, "Show what a .still file holds and needs.", "potstill inspect model.still")
    inspect.add_argument("model")
    inspect.add_argument("--json", action="store_true")

    verify = command(
        "verify", _verify, "Check .still files: checksums, structure, every index.", "potstill verify model.still"
    )
    verify.add_argument("models", nargs="+")
