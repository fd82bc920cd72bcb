"""`potstill compile`: an ONNX encoder into a .still file."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from potstill.card import UNITS
from potstill.commands import Command, size
from potstill.errors import InputError
from potstill.paths import existing


def _scheme(args: argparse.Namespace) -> Any:
    from potstill.quantize.choice import choose, layers_of, read_table
    from potstill.still.schemes import scheme_by_name

    if args.scheme != "mixed":
        if args.sensitivity or args.mixed_drop is not None or args.mixed_bytes is not None:
            raise InputError("I075", "only --scheme mixed has a choice to make", "--sensitivity, --mixed-drop, "
                             "--mixed-bytes", "add --scheme mixed, or leave them out")  # fmt: skip
        return scheme_by_name(args.scheme, embedding=args.embedding, clip=args.clip)
    if args.sensitivity is None:
        raise InputError(
            "I075", "--scheme mixed needs measurements of the layers", "--sensitivity",
            "make them: potstill sensitivity BUILD_DIR --json > table.json; then --sensitivity table.json",
        )  # fmt: skip
    table = Path(existing(args.sensitivity, "make it: potstill sensitivity BUILD_DIR --json > table.json"))
    layers = layers_of(read_table(table))
    drop, most = args.mixed_drop, args.mixed_bytes
    return choose(layers, drop=drop, most_bytes=most, embedding=args.embedding, clip=args.clip).scheme


def _compile(args: argparse.Namespace) -> int:
    from potstill.compile import compile_onnx

    report = compile_onnx(
        Path(args.model),
        Path(args.out),
        scheme=_scheme(args),
        tokenizer=Path(args.tokenizer) if args.tokenizer else None,
        labels=args.labels.split(",") if args.labels else None,
        name=args.name,
        max_tokens=args.max_tokens,
        output=args.output,
        pooling=args.pooling,
        license=args.license,
        multi_label=args.multi_label,
        pairs=args.pairs,
        activation=args.activation,
        units=args.units,
        lowercase=args.lowercase,
    )
    if args.json:
        print(report.to_json())
    else:
        print(f"{args.out}: {report.bytes:,} bytes, scheme {report.scheme}, {report.parameters:,} parameters")
        for note in report.notes:
            print(f"note: {note}")
    return 0


def add(command: Command) -> None:
    """Register it."""
    compile_ = command(
        "compile",
        _compile,
        "Compile an fp32 ONNX encoder (ours or any exporter's) into one .still file.",
        "potstill compile model.onnx -o model.still --tokenizer tokenizer/ --labels negative,positive",
        "potstill compile model.onnx -o model.still --scheme int4 --embedding int8",
    )
    compile_.add_argument("model", help="an fp32 ONNX file")
    compile_.add_argument("-o", "--out", required=True, metavar="FILE", help="the .still file to write")
    compile_.add_argument(
        "--scheme", choices=("int8", "int4", "fp32", "mixed"), default="int8", help="numbers of the weights"
    )
    compile_.add_argument(
        "--embedding",
        choices=("auto", "int8", "int4", "fp32"),
        default="auto",
        help="numbers of the word embedding (default auto: the scheme's)",
    )
    compile_.add_argument(
        "--clip", choices=("absmax", "mse"), default="absmax", help="range of an int8 row (default absmax)"
    )
    compile_.add_argument("--sensitivity", metavar="FILE", help="for mixed: the table of potstill sensitivity --json")
    compile_.add_argument("--mixed-drop", type=float, metavar="NATS", help="for mixed: most damage accepted")
    compile_.add_argument("--mixed-bytes", type=size, metavar="SIZE", help="for mixed: most bytes of the weights")
    compile_.add_argument("--tokenizer", metavar="DIR", help="folder with tokenizer.json or vocab.txt")
    compile_.add_argument("--labels", metavar="A,B,...", help="label names in the order of the logits")
    compile_.add_argument("--name", help="name stored in the file (default: the file's stem)")
    compile_.add_argument("--max-tokens", type=int, help="longest accepted sequence, [CLS] and [SEP] included")
    compile_.add_argument("--output", metavar="NAME", help="the output of the ONNX to take, where it has several")
    compile_.add_argument(
        "--pooling", choices=("mean", "cls"), help="make one vector a text of an output with one row a token"
    )
    compile_.add_argument("--license", help="licence of the weights, stored in the file")
    compile_.add_argument(
        "--multi-label", action="store_true", default=None, help="labels do not exclude each other: scores are sigmoids"
    )
    compile_.add_argument(
        "--pairs", action="store_true", default=None, help="it reads pairs of texts, told apart by token types"
    )
    compile_.add_argument(
        "--lowercase", action="store_true", default=None,
        help="text is lower-cased and loses its accents, where the tokenizer's folder does not say",
    )  # fmt: skip
    compile_.add_argument(
        "--cased", dest="lowercase", action="store_false", default=None,
        help="text keeps its case and accents, likewise",
    )  # fmt: skip
    compile_.add_argument(
        "--activation", choices=("raw", "sigmoid"),
        help="of a model with one output (regression, reranker): its score is the output, or the sigmoid of it "
        "(default: as the model's config.json says, else raw)",
    )  # fmt: skip
    compile_.add_argument(
        "--units", choices=UNITS,
        help="of a model that labels words: what it labels of a text, as its training rows were (default: as the ONNX "
        "says, else words); given: it takes words alone, no texts",
    )  # fmt: skip
    compile_.add_argument("--json", action="store_true", help="print what was written as JSON")
