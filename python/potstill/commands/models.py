"""Commands around single models and machines: compiling, exporting, measuring, checking."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from potstill.commands import Command, numbers, print_json, size, words
from potstill.errors import EXIT_FAILED, InputError


def _scheme(args: argparse.Namespace) -> Any:
    from potstill.quantize.choice import choose, layers_of, read_table
    from potstill.quantize.schemes import scheme_by_name

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
    layers = layers_of(read_table(Path(args.sensitivity)))
    drop, most = args.mixed_drop, args.mixed_bytes
    return choose(layers, drop=drop, most_bytes=most, embedding=args.embedding, clip=args.clip).scheme


def _compile(args: argparse.Namespace) -> int:
    from potstill.compile import compile_onnx

    report = compile_onnx(
        Path(args.model),
        Path(args.output),
        scheme=_scheme(args),
        tokenizer=Path(args.tokenizer) if args.tokenizer else None,
        labels=args.labels.split(",") if args.labels else None,
        name=args.name,
        max_tokens=args.max_tokens,
        license=args.license,
        multi_label=args.multi_label,
        pairs=args.pairs,
    )
    if args.json:
        print(report.to_json())
    else:
        print(f"{args.output}: {report.bytes:,} bytes, scheme {report.scheme}, {report.parameters:,} parameters")
    return 0


def _export(args: argparse.Namespace) -> int:
    from potstill.export.onnx import export_onnx, quantize_onnx_int8

    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    written = [export_onnx(Path(args.model), out / "model.onnx", opset=args.opset)]
    if args.int8:
        written.append(quantize_onnx_int8(written[0], out / "model.int8.onnx"))
    if args.tflite:
        from potstill.export.tflite import export_tflite, quantize_tflite_int8

        tflite = export_tflite(Path(args.model), out / "model.tflite", length=args.length)
        written.append(tflite)
        if args.int8:
            written.append(quantize_tflite_int8(tflite, out / "model.int8.tflite"))
    for path in written:
        print(f"{path}  {path.stat().st_size:,} bytes")
    return 0


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
    compile_ = command(
        "compile",
        _compile,
        "Compile an fp32 ONNX encoder (ours or any exporter's) into one .still file.",
        "potstill compile model.onnx -o model.still --tokenizer tokenizer/ --labels negative,positive",
        "potstill compile model.onnx -o model.still --scheme int4 --embedding int8",
    )
    compile_.add_argument("model", help="an fp32 ONNX file")
    compile_.add_argument("-o", "--output", required=True, help="the .still file to write")
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
    compile_.add_argument("--license", help="licence of the weights, stored in the file")
    compile_.add_argument(
        "--multi-label", action="store_true", default=None, help="labels do not exclude each other: scores are sigmoids"
    )
    compile_.add_argument(
        "--pairs", action="store_true", default=None, help="it reads pairs of texts: tell token types apart"
    )
    compile_.add_argument("--json", action="store_true", help="print what was written as JSON")

    bench = command(
        "bench",
        _bench,
        "Measure a model on this machine: median and spread, interleaved rounds.",
        "potstill bench build/sentiment/model.still --lengths 16,64 --threads 1,2",
        "potstill bench build/sentiment/model.still --peers --json peers.json --png peers.png",
        "potstill bench --peers --quick --only onnxruntime,litert",
        "potstill bench build/sentiment/model.still --workers 1,2",
        "potstill bench build/sentiment/model.still --board pi4,pi5 --lengths 16,64 --threads 1,4",
        "potstill bench build/sentiment/model.still --profile --lengths 32 --threads 2 --trace trace.json",
        "potstill bench build/sentiment/model.still --energy --lengths 16,64",
    )
    bench.add_argument("model", nargs="?", help="a .still file (default: a random BERT 4 x 312, made once)")
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
        "potstill doctor --board zero2w my.toml --max-bytes 4MB --tokens 32 --threads 4",
    )
    doctor.add_argument("subject", nargs="?", metavar="MODEL|RECIPE", help="a .still or .onnx file, or a recipe")
    doctor.add_argument("--board", metavar="NAME", help="where it shall run (default: this board, if it is one)")
    doctor.add_argument("--role", choices=("host", "device"), help="what this machine does (default: device on a Pi)")
    doctor.add_argument("--max-ms", type=float, metavar="MS", help="time allowed for a text of --tokens")
    doctor.add_argument("--max-bytes", type=size, metavar="SIZE", help="file size allowed, such as 4MB")
    doctor.add_argument("--max-ram", type=size, metavar="SIZE", help="memory allowed, such as 64MB")
    doctor.add_argument("--tokens", type=int, help="tokens of a text (default: the model's limit)")
    doctor.add_argument("--threads", type=int, default=1, help="threads for the predicted time (default 1)")
    doctor.add_argument("--out", help="folder a build would write to")
    doctor.add_argument("--json", action="store_true", help="verdict, counts and every check as one JSON object")

    export = command(
        "export",
        _export,
        "Export a Hugging Face model folder to ONNX and TFLite.",
        "potstill export build/sentiment/student --out exported --int8 --tflite --length 64",
    )
    export.add_argument("model", help="a local model folder")
    export.add_argument("--out", required=True, help="folder for the exports")
    export.add_argument("--opset", type=int, default=18, help="ONNX opset, 13 or later (default 18)")
    export.add_argument("--int8", action="store_true", help="also write int8 versions")
    export.add_argument("--tflite", action="store_true", help="also write TFLite")
    export.add_argument("--length", type=int, default=64, help="tokens of the static TFLite graph (default 64)")
