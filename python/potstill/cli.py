"""The `potstill` command: argument parsing and printing only; the work is in the packages it calls.

Exit codes: 0 done, 1 the work failed, 2 usage or bad input, 130 interrupted. Errors go to stderr as
``error[CODE]: what; where; next step``. The commands `run`, `inspect` and `verify` need nothing but the runtime wheel.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from potstill.errors import EXIT_FAILED, InputError, PotstillError

EXIT_INTERRUPTED = 130

Handler = Callable[[argparse.Namespace], int]


def _print_json(value: Any) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=False))


# --- commands of the runtime wheel ---------------------------------------------------------------------------------


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

    model = potstill.load(args.model, threads=args.threads, backend=args.backend)
    for text in _texts(args.texts):
        given = _pair(text) if model.pairs else text
        if args.embed:
            vector = memoryview(model.embed([given], truncate=args.truncate)).tolist()[0]
            print(json.dumps({"text": text, "embedding": vector}, ensure_ascii=False), flush=True)
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


def _inspect(args: argparse.Namespace) -> int:
    import potstill

    info = {**potstill.load(args.model).info, **_tensors(Path(args.model))}
    if args.json:
        _print_json(info)
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
    """Each weight's dtype, shape and bytes, where numpy and flatbuffers are installed; the runtime needs neither."""
    try:
        from potstill.compile.reader import read_still

        tensors = read_still(path).tensors
    except ImportError:
        return {}
    shown = {t.name: f"{t.dtype} {' x '.join(map(str, t.shape))}, {t.bytes:,} bytes" for t in tensors}
    return {"tensors": shown}


def _verify(args: argparse.Namespace) -> int:
    import potstill

    for path in args.models:
        info = potstill.load(path).info
        print(f"ok  {path}  {Path(path).stat().st_size:,} bytes, scheme {info['scheme']}, every check passed")
    return 0


# --- commands of the build host ------------------------------------------------------------------------------------


def _build(args: argparse.Namespace) -> int:
    from potstill.pipeline.api import build, out_folder
    from potstill.pipeline.processes import current
    from potstill.recipe import load_recipe

    report = build(args.recipe, args.out, overrides=args.set, quiet=args.quiet)
    current().stop()
    if not current().main:
        return 0
    if args.json:
        _print_json(report)
    elif not args.no_table:
        from potstill.report.table import render

        out = out_folder(load_recipe(args.recipe, args.set).name, args.out)
        print(f"{render(out)}\n\nreport: {out / 'report.html'}")
    return 0


def _search(args: argparse.Namespace) -> int:
    from potstill.budget.search import FOLDER, run_search
    from potstill.budget.show import render, write_png
    from potstill.pipeline.api import out_folder
    from potstill.pipeline.progress import make_progress
    from potstill.recipe import load_recipe
    from potstill.recipe.schema import BudgetTime

    recipe = load_recipe(args.recipe, args.set)
    out = out_folder(recipe.name, args.out)
    stated = recipe.budget.ms
    time = BudgetTime(
        board=args.board or (stated.board if stated else "pi4"),
        tokens=args.tokens or (stated.tokens if stated else min(32, recipe.data.max_tokens)),
        threads=args.threads or (stated.threads if stated else 1),
        value=stated.value if stated else 1.0,
    )
    result = run_search(recipe, out, time, points=args.points, progress=make_progress(quiet=args.quiet))
    picture = write_png(result, out / FOLDER / "pareto.png")
    if args.json:
        _print_json(result)
    else:
        recipes = out / FOLDER / "recipes"
        print(f"{render(result)}\n\npicture: {picture}\nrecipes: {recipes}, e.g. potstill build {recipes}/NAME.toml")
    return 0


def _seeds(args: argparse.Namespace) -> int:
    from potstill.pipeline.progress import make_progress
    from potstill.pipeline.seeds import RESULT, run_seeds
    from potstill.report.seeds import render

    progress = make_progress(quiet=args.quiet)
    result = run_seeds(args.recipe, args.seeds, Path(args.out), overrides=args.set, progress=progress)
    if args.json:
        _print_json(result)
    else:
        print(f"{render(result)}\n\nfigures of every build: {Path(args.out) / RESULT}")
    return 0


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


def _sensitivity(args: argparse.Namespace) -> int:
    from potstill.pipeline.progress import make_progress
    from potstill.pipeline.rounding import sensitivity_of_build
    from potstill.quantize.sensitivity import render

    table = sensitivity_of_build(Path(args.dir), rows=args.rows, progress=make_progress(quiet=args.json))
    if args.json:
        _print_json(table)
    else:
        print(render(table))
    return 0


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


def _numbers(text: str) -> tuple[int, ...]:
    try:
        values = tuple(int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of whole numbers such as 16,64") from None
    if not values or min(values) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: every number must be at least 1")
    return values


def _bytes(text: str) -> int:
    from potstill.units import parse_bytes

    try:
        return parse_bytes(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


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
        _print_json(check.as_data(checks))
    else:
        print(check.render(checks, colour=sys.stdout.isatty() and "NO_COLOR" not in os.environ))
    return EXIT_FAILED if check.count(checks, check.Status.FAILURE) else 0


def _report(args: argparse.Namespace) -> int:
    from potstill.report.collect import collect
    from potstill.report.html import write_html
    from potstill.report.table import render

    out = Path(args.dir)
    if args.json:
        _print_json(collect(out))
    else:
        print(render(out))
        print(f"\nreport: {write_html(out)}")
    return 0


def _recipe(args: argparse.Namespace) -> int:
    from potstill.recipe import docs, load_recipe

    if args.action == "schema":
        print(docs.schema_markdown() if args.markdown else json.dumps(docs.schema_json(), indent=2))
    elif args.action == "new":
        from potstill.pipeline.store import atomic_write

        target = Path(args.file or "recipe.toml")
        if target.exists():
            raise InputError("I060", "the file exists already", str(target), "choose another name or remove it")
        with atomic_write(target) as temporary:
            temporary.write_text(docs.template(target.stem), encoding="utf-8")
        print(f"wrote {target}; next: potstill recipe check {target} && potstill build {target}")
    else:
        recipe = load_recipe(args.file or "sentiment", overrides=args.set)
        print(f"ok  {args.file or 'sentiment'}: recipe {recipe.name!r} is valid")
    return 0


# --- parser --------------------------------------------------------------------------------------------------------


def _parser() -> argparse.ArgumentParser:
    import potstill

    parser = argparse.ArgumentParser(
        prog="potstill",
        description="Distil a Hugging Face encoder, compile it into one .still file and run it on a Pi-class board.",
        epilog="examples:\n  potstill build sentiment\n  potstill run build/sentiment/model.still 'a lovely film'",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"potstill {potstill.__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, handler: Handler, summary: str, *examples: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(
            name,
            help=summary,
            description=summary,
            epilog="examples:\n" + "\n".join(f"  {example}" for example in examples),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        sub.set_defaults(handler=handler)
        return sub

    build = command(
        "build",
        _build,
        "Run a recipe: teacher, distillation, exports, .still, parity, benchmark. Cached; resumes after a kill.",
        "potstill build sentiment",
        "potstill build my.toml --out build/mine --set student.layers=2 --set distil.epochs=3",
    )
    build.add_argument("recipe", help="a bundled recipe (sentiment, topics, embeddings, ...) or a TOML file")
    build.add_argument("--out", help="where results go (default: build/<recipe name>)")
    build.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="override a key; repeatable")
    build.add_argument("--quiet", action="store_true", help="no progress")
    build.add_argument("--no-table", action="store_true", help="do not print the closing table")
    build.add_argument("--json", action="store_true", help="print report.json instead of the table")

    search = command(
        "search",
        _search,
        "Build students from the smallest to the most able; draw accuracy against predicted time and size. Resumable.",
        "potstill search sentiment --board pi4 --tokens 32 --points 6",
        "potstill search my.toml --set budget.bytes=4MB --json",
    )
    search.add_argument("recipe", help="a bundled recipe or a TOML file; its [budget] bounds the search")
    search.add_argument("--out", help="the build's folder, whose teacher is used (default: build/<recipe name>)")
    search.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="override a key; repeatable")
    search.add_argument("--board", help="board of the predicted times (default: the budget's, else pi4)")
    search.add_argument("--tokens", type=int, metavar="N", help="tokens of a text (default: the budget's, else 32)")
    search.add_argument("--threads", type=int, metavar="N", help="threads of the prediction (default 1)")
    search.add_argument("--points", type=int, default=8, metavar="N", help="students to build at most (default 8)")
    search.add_argument("--quiet", action="store_true", help="no progress")
    search.add_argument("--json", action="store_true", help="print the result as JSON instead of the table")

    seeds = command(
        "seeds",
        _seeds,
        "Build recipes under several seeds (another split, teacher and student each): mean and spread. Resumable.",
        "potstill seeds sentiment sentiment-4mb sentiment-1mb --seeds 7,8,9",
        "potstill seeds my.toml --seeds 1,2,3 --set student.layers=2 --json",
    )
    seeds.add_argument("recipe", nargs="+", help="bundled recipes or TOML files; those of equal teacher share it")
    seeds.add_argument("--seeds", type=_numbers, default=(7, 8, 9), metavar="N,...", help="seeds (default 7,8,9)")
    seeds.add_argument("--out", default="build/seeds", help="where results go (default build/seeds)")
    seeds.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="override a key; repeatable")
    seeds.add_argument("--quiet", action="store_true", help="no progress")
    seeds.add_argument("--json", action="store_true", help="print every figure as JSON instead of the table")

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
    compile_.add_argument("--mixed-bytes", type=_bytes, metavar="SIZE", help="for mixed: most bytes of the weights")
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

    run = command(
        "run",
        _run,
        "Label texts with a compiled model: label, score and text, one line each; or give their vectors.",
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
    run.add_argument("--embed", action="store_true", help="the pooled vector instead of a label, as JSON")
    run.add_argument("--truncate", action="store_true", help="cut texts over the length limit instead of refusing them")
    run.add_argument("--threads", type=int, help="threads (default: POTSTILL_NUM_THREADS, else the cores allowed)")
    run.add_argument("--backend", default="native", help="native (default), onnxruntime or litert")

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
        "--lengths", type=_numbers, metavar="N,...", help="tokens (default 16,64; with --peers 8,16,32,64,128)"
    )
    bench.add_argument("--threads", type=_numbers, metavar="N,...", help="thread counts (default 1; with --peers 1,2)")
    bench.add_argument(
        "--peers",
        action="store_true",
        help="also PyTorch, onnxruntime, LiteRT, CTranslate2, OpenVINO, ExecuTorch, on the same weights and on the "
        "real lengths of the demo's test set; the ONNX file and student/ must lie beside the model",
    )
    bench.add_argument(
        "--board",
        type=_words,
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
        "--only", type=_words, default=(), metavar="NAME,...", help="with --peers or --board: these engines only"
    )
    bench.add_argument("--quick", action="store_true", help="with --peers: 1 thread, 16 and 64 tokens, few rounds")
    bench.add_argument("--student", metavar="DIR", help="classifier folder of the model (default: student/ beside it)")
    bench.add_argument("--texts", metavar="FILE", help="real sentences, one a line, instead of the demo's test set")
    bench.add_argument("--seed", type=int, default=0, help="of the order of turns (default 0)")
    bench.add_argument("--png", metavar="FILE", help="with --peers: also draw it")
    bench.add_argument("--profile", action="store_true", help="time, work and share of the core's peak of each op")
    bench.add_argument("--trace", metavar="FILE", help="with --profile: also a trace for ui.perfetto.dev")
    bench.add_argument(
        "--workers", type=_numbers, metavar="N,...", help="sentences a second of so many Python threads, a model each"
    )
    bench.add_argument(
        "--energy", action="store_true", help="millijoules an inference by this machine's power meters (20 s a case)"
    )
    bench.add_argument(
        "--json", nargs="?", const="-", metavar="FILE", help="write the figures to FILE, or print them, not the table"
    )

    inspect = command("inspect", _inspect, "Show what a .still file holds and needs.", "potstill inspect model.still")
    inspect.add_argument("model")
    inspect.add_argument("--json", action="store_true")

    verify = command(
        "verify", _verify, "Check .still files: checksums, structure, every index.", "potstill verify model.still"
    )
    verify.add_argument("models", nargs="+")

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
    doctor.add_argument("--max-bytes", type=_bytes, metavar="SIZE", help="file size allowed, such as 4MB")
    doctor.add_argument("--max-ram", type=_bytes, metavar="SIZE", help="memory allowed, such as 64MB")
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

    report = command(
        "report", _report, "Print a build's table and write its HTML page.", "potstill report build/sentiment"
    )
    report.add_argument("dir")
    report.add_argument("--json", action="store_true")

    sensitivity = command(
        "sensitivity",
        _sensitivity,
        "Tell what int8 and int4 cost in each layer of a build's student, on its validation texts.",
        "potstill sensitivity build/sentiment",
        "potstill sensitivity build/sentiment --json > table.json",
    )
    sensitivity.add_argument("dir", help="the folder of a finished build")
    sensitivity.add_argument("--rows", type=int, default=512, help="validation texts at most (default 512)")
    sensitivity.add_argument("--json", action="store_true", help="the table as JSON, for compile --sensitivity")

    recipe = command(
        "recipe",
        _recipe,
        "Make, check or document recipes.",
        "potstill recipe new my.toml",
        "potstill recipe check my.toml",
        "potstill recipe schema --markdown",
    )
    recipe.add_argument("action", choices=("new", "check", "schema"))
    recipe.add_argument("file", nargs="?")
    recipe.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    recipe.add_argument("--markdown", action="store_true", help="schema as a Markdown table instead of JSON Schema")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    args = _parser().parse_args(argv)
    handler: Handler = args.handler
    try:
        return handler(args)
    except PotstillError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("interrupted; run the same command again to go on", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader of our output went away (`... | head`): not a failure of ours; keep Python from flushing again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except ImportError as error:
        from potstill.errors import missing_package

        print(missing_package(error.name or str(error), "build", f"potstill {args.command}"), file=sys.stderr)
        return EXIT_FAILED


if __name__ == "__main__":
    sys.exit(main())
