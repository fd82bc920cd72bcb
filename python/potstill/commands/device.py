"""Commands that run and check a model; in every wheel."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from potstill.commands import Command, print_json
from potstill.commands.run import run as run_command


def _inspect(args: argparse.Namespace) -> int:
    import potstill

    model = potstill.load(args.model)
    core: Any = model._backend
    tensors = {
        name: f"{dtype} {' x '.join(map(str, shape))}, {size:,} bytes" for name, dtype, shape, size in core.weights()
    }
    info = {**model.info, "tensors": tensors}
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
        run_command,
        "Label texts, or their words, with a compiled model: label, score and text, one a line; or give their vectors. "
        "Of standard input (-), line n of the output answers line n of the input as soon as it is read: an empty line "
        "has an empty answer (in JSON: null), and so has one that is too long or no pair (in JSON: its error); the "
        "reason goes to standard error and the exit code is 1 in the end.",
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
