"""`potstill run`: an answer for each text of the command line, or for each line of standard input as it comes."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from potstill.commands import Command
from potstill.commands.streams import lines
from potstill.errors import EXIT_FAILED, InputError, PotstillError

# What is wrong with one text alone: nothing to read in it, too long, not a pair, a token that the model cannot take, an
# answer that is not a number.
_OF_ONE_TEXT = ("I001", "I002", "I015", "I104", "F062")


def _run(args: argparse.Namespace) -> int:
    """Answer every text; say why a line has no answer, go on, and return 1 at the end."""
    import potstill

    model = potstill.load(args.model, threads=args.threads, backend=args.backend, mapped=args.mapped)
    if list(args.texts) != ["-"]:
        for text in args.texts:
            print(_answer(model, text, args), flush=True)
        return 0
    failed = False
    for number, line in enumerate(lines(), 1):
        try:
            print(_answer(model, line, args) if line.strip() else _nothing(args), flush=True)
        except PotstillError as error:
            if error.code not in _OF_ONE_TEXT:
                raise
            failed = True
            print(f"line {number}: {error}", file=sys.stderr)
            print(_json({"text": line, "error": str(error)}) if _in_json(args) else "", flush=True)
    return EXIT_FAILED if failed else 0


def _answer(model: Any, text: str, args: argparse.Namespace) -> str:
    """What is printed for a text: one line, of a model that labels words a line a word and an empty one."""
    if model.per_token and not args.embed:
        return _tags(model, text, args)
    given = _pair(text) if model.pairs else text
    if args.embed:
        vector = memoryview(model.embed([given], truncate=args.truncate)).tolist()[0]
        return _json({"text": text, "embedding": vector})
    if model.score_kind:
        score = model.score([given], truncate=args.truncate)[0]
        line, row = f"{score:.4f}\t", {"text": text, "score": score}
    else:
        found = model.classify([given], truncate=args.truncate, threshold=args.threshold)[0]
        # A text may have several labels; one without any has its line too.
        labels = [(label, found.scores[label]) for label in found.labels] or [("-", found.score)]
        line = "".join(f"{label}\t{score:.4f}\t" for label, score in labels)
        row = {"text": text, "label": found.label, "score": found.score, "scores": found.scores}
        if model.multi_label:
            row["labels"] = list(found.labels)
    if not args.json:
        return line + text
    if args.logits:
        row["logits_hex"] = bytes(memoryview(model.logits([given], truncate=args.truncate))).hex()
    return _json(row)


def _tags(model: Any, text: str, args: argparse.Namespace) -> str:
    """Word, label and score, a line each, and an empty line; or one JSON object, of entities with their spans."""
    tokens = model.tag([text.split() if args.words else text], truncate=args.truncate)[0]
    if args.json:
        from potstill.runtime.spans import looks_like_tags, spans_of

        row: dict[str, Any] = {"text": text, "tokens": [token.as_dict() for token in tokens]}
        if looks_like_tags(model.labels) and not args.words:
            row["spans"] = [span.as_dict() for span in spans_of(text, tokens)]
        return _json(row)
    return "".join(f"{token.word}\t{token.label}\t{token.score:.4f}\n" for token in tokens)


def _pair(text: str) -> tuple[str, str]:
    """Two texts of one command-line argument or line, a tab between them."""
    first, tab, second = text.partition("\t")
    if not tab:
        raise InputError("I015", "a single text for a model of pairs", repr(text[:40]), "give both, a tab between them")
    return first, second


def _nothing(args: argparse.Namespace) -> str:
    """The answer to an empty line."""
    return "null" if _in_json(args) else ""


def _in_json(args: argparse.Namespace) -> bool:
    return bool(args.json or args.embed)


def _json(row: dict[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False)


def add(command: Command) -> None:
    """Register it."""
    run = command(
        "run",
        _run,
        "Label texts, or their words, with a compiled model: label, score and text, one a line; or give their vectors. "
        "Of standard input (-), line n of the output answers line n of the input as soon as it is read: an empty line "
        "has an empty answer (in JSON: null), and so has one that is too long or not a pair (in JSON: its error); the "
        "reason goes to standard error and the exit code at the end is 1.",
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
