"""Commands that measure a model and examine a machine; in every wheel."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from potstill.commands import Command, between, builds_models, milliseconds, numbers, print_json, size, words
from potstill.errors import EXIT_FAILED


def _bench(args: argparse.Namespace) -> int:
    from potstill.bench.command import run_bench

    return run_bench(args)


def _doctor(args: argparse.Namespace) -> int:
    from potstill.boards import board
    from potstill.doctor import check, examine
    from potstill.doctor.model import Limits

    checks = examine(
        args.subject,
        board(args.board) if args.board else None,
        role=args.role,
        limits=Limits(args.max_ms, args.max_bytes, args.max_ram),
        tokens=args.tokens,
        threads=args.threads,
        out=Path(args.out) if args.out else None,
    )
    if args.json:
        print_json(check.as_data(checks))
    else:
        print(check.render(checks, colour=sys.stdout.isatty() and "NO_COLOR" not in os.environ))
    return EXIT_FAILED if check.count(checks, check.Status.FAILURE) else 0


def add(command: Command) -> None:
    """Register these commands."""
    whole = builds_models()
    bench = command(
        "bench",
        _bench,
        "Measure a model on this machine: median and spread, interleaved rounds.",
        "potstill bench build/sentiment/model.still --lengths 16,64 --threads 1,2",
        "potstill bench build/sentiment/model.still --peers --json peers.json --png peers.png",
        *(("potstill bench --peers --quick --only onnxruntime,litert",) if whole else ()),
        "potstill bench build/sentiment/model.still --workers 1,2",
        "potstill bench build/sentiment/model.still --board pi4,pi5 --lengths 16,64 --threads 1,4",
        "potstill bench build/sentiment/model.still --profile --lengths 32 --threads 2 --trace trace.json",
        "potstill bench build/sentiment/model.still --energy --lengths 16,64",
    )
    default = " (default: a random BERT 4 x 312, made once)"
    bench.add_argument("model", nargs="?", help=f"a .still file{default if whole else ''}")
    bench.add_argument(
        "--lengths", type=numbers, metavar="N,...", help="tokens (default 16,64; with --peers 8,16,32,64,128)"
    )
    bench.add_argument("--threads", type=numbers, metavar="N,...", help="thread counts (default 1; with --peers 1,2)")
    bench.add_argument(
        "--peers",
        action="store_true",
        help="also PyTorch, onnxruntime, LiteRT, CTranslate2, OpenVINO, ExecuTorch, on the same weights and on the "
        "real lengths of the demo's test set; the ONNX file and student/ must lie beside the model",
    )
    bench.add_argument(
        "--board",
        type=words,
        default=(),
        metavar="NAME,...",
        help="predict milliseconds of Potstill, onnxruntime and LiteRT on these boards (pi3, zero2w, pi4, pi5, pi2, or "
        "one of your own) instead; on such a board also measure",
    )
    bench.add_argument(
        "--article",
        action="store_true",
        help="with --board: also BERT-base against this model, beside the article's figures",
    )
    bench.add_argument(
        "--only", type=words, default=(), metavar="NAME,...", help="with --peers or --board: these engines only"
    )
    bench.add_argument("--quick", action="store_true", help="with --peers: 1 thread, 16 and 64 tokens, few rounds")
    bench.add_argument("--student", metavar="DIR", help="classifier folder of the model (default: student/ beside it)")
    bench.add_argument("--texts", metavar="FILE", help="real sentences, one a line, instead of the demo's test set")
    bench.add_argument("--seed", type=int, default=0, help="of the order of turns (default 0)")
    bench.add_argument("--png", metavar="FILE", help="with --peers: also draw it")
    bench.add_argument("--profile", action="store_true", help="time, work and share of the core's peak of each op")
    bench.add_argument("--trace", metavar="FILE", help="with --profile: also a trace for ui.perfetto.dev")
    bench.add_argument(
        "--workers", type=numbers, metavar="N,...", help="sentences a second of so many Python threads, a model each"
    )
    bench.add_argument(
        "--energy", action="store_true", help="millijoules an inference by this machine's power meters (20 s a case)"
    )
    bench.add_argument(
        "--json", nargs="?", const="-", metavar="FILE", help="write the figures to FILE, or print them, not the table"
    )

    doctor = command(
        "doctor",
        _doctor,
        "Tell what this machine lacks, and whether a model or recipe fits a board, before anything is built.",
        "potstill doctor",
        "potstill doctor --board pi4 build/sentiment/model.still --max-ms 10",
        *(("potstill doctor --board zero2w my.toml --max-bytes 4MB --tokens 32 --threads 4",) if whole else ()),
    )
    subject = "a .still or .onnx file, or a recipe" if whole else "a .still file"
    doctor.add_argument("subject", nargs="?", metavar="MODEL|RECIPE" if whole else "MODEL", help=subject)
    doctor.add_argument("--board", metavar="NAME", help="where it shall run (default: this board, if it is one)")
    doctor.add_argument("--role", choices=("host", "device"), help="what this machine does (default: device on a Pi)")
    doctor.add_argument("--max-ms", type=milliseconds, metavar="MS", help="time allowed for a text of --tokens")
    doctor.add_argument("--max-bytes", type=size, metavar="SIZE", help="file size allowed, such as 4MB")
    doctor.add_argument("--max-ram", type=size, metavar="SIZE", help="memory allowed, such as 64MB")
    doctor.add_argument("--tokens", type=between(1, 8192), help="tokens of a text (default: the model's limit)")
    doctor.add_argument("--threads", type=between(1, 256), default=1, help="threads for the predicted time (default 1)")
    doctor.add_argument("--out", help="folder a build would write to")
    doctor.add_argument("--json", action="store_true", help="verdict, counts and every check as one JSON object")
