"""Commands around recipes: building, searching, reporting."""

from __future__ import annotations

import argparse
import json
import shlex
from pathlib import Path

from potstill.commands import Command, between, numbers, print_json
from potstill.errors import InputError, SystemFailure, missing_module


def _build(args: argparse.Namespace) -> int:
    from potstill.pipeline.api import build, out_folder
    from potstill.pipeline.processes import current
    from potstill.recipe import load_recipe

    report = build(args.recipe, args.out, overrides=args.set, quiet=args.quiet)
    current().stop()
    if not current().main:
        return 0
    if args.json:
        print_json(report)
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
        print_json(result)
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
        print_json(result)
    else:
        print(f"{render(result)}\n\nfigures of every build: {Path(args.out) / RESULT}")
    return 0


def _sensitivity(args: argparse.Namespace) -> int:
    from potstill.pipeline.progress import make_progress
    from potstill.pipeline.rounding import sensitivity_of_build
    from potstill.quantize.sensitivity import render

    table = sensitivity_of_build(Path(args.dir), rows=args.rows, progress=make_progress(quiet=args.json))
    if args.json:
        print_json(table)
    else:
        print(render(table))
    return 0


def _report(args: argparse.Namespace) -> int:
    from potstill.report.collect import collect
    from potstill.report.html import write_html
    from potstill.report.table import render

    out = Path(args.dir)
    if args.json:
        print_json(collect(out))
    else:
        print(render(out))
        print(f"\nreport: {write_html(out)}")
    return 0


def _recipe(args: argparse.Namespace) -> int:
    from potstill.recipe import docs

    if args.action == "schema":
        print(docs.schema_markdown() if args.markdown else json.dumps(docs.schema_json(), indent=2))
    elif args.action == "new":
        from potstill.pipeline.atomic import atomic_write

        target = Path(args.file or "recipe.toml")
        if target.exists():
            raise InputError("I061", "the file exists already", str(target), "choose another name or remove it")
        with atomic_write(target) as temporary:
            temporary.write_text(docs.template(target.stem), encoding="utf-8")
        named = shlex.quote(str(target))
        print(f"wrote {target}; next: potstill recipe check {named} && potstill build {named}")
    else:
        _check_recipe(args)
    return 0


def _check_recipe(args: argparse.Namespace) -> None:
    """Print what is known of a build before its first stage, and raise what it would end in."""
    from potstill.cache import cache_dir
    from potstill.recipe import load_recipe

    named = args.file or "sentiment"
    recipe = load_recipe(named, overrides=args.set)
    print(f"ok           {named}: recipe {recipe.name!r} is valid", flush=True)
    try:
        from potstill.check import check_recipe
        from potstill.pipeline.run import check_packages
    except ImportError as error:
        raise missing_module(error, "build", "potstill recipe check") from error
    found = check_recipe(recipe, cache=cache_dir(), fetch=True, data=True)
    try:
        check_packages(recipe)
    except SystemFailure as error:  # the build may be for another machine
        found.warning("packages", f"{error.what}, for {error.where}", error.next_step)
    width = max((len(finding.name) for finding in found), default=0)
    for finding in found:
        print(f"{finding.status:<11}  {finding.name:<{width}}  {finding.seen}")
        if finding.next_step:
            print(f"{'':<11}  {'':<{width}}  -> {finding.next_step}")
    found.require(f"recipe {recipe.name}")


def add(command: Command) -> None:
    """Register these commands."""
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
    search.add_argument(
        "--tokens", type=between(1, 8192), metavar="N", help="tokens of a text (default: the budget's, else 32)"
    )
    search.add_argument("--threads", type=between(1, 256), metavar="N", help="threads of the prediction (default 1)")
    search.add_argument(
        "--points", type=between(1, 1000), default=8, metavar="N", help="students to build at most (default 8)"
    )
    search.add_argument("--quiet", action="store_true", help="no progress")
    search.add_argument("--json", action="store_true", help="print the result as JSON instead of the table")

    seeds = command(
        "seeds",
        _seeds,
        "Build recipes under several seeds (another split, teacher and student each): mean and spread. Resumable.",
        "potstill seeds sentiment topics --seeds 7,8,9",
        "potstill seeds sentiment 'sentiment compile.scheme=int8 quantize.qat_epochs=0'",
        "potstill seeds my.toml --seeds 1,2,3 --set student.layers=2 --json",
    )
    seeds.add_argument(
        "recipe", nargs="+", help="recipes, or in quotes one with KEY=VALUE ...; equal teachers are shared"
    )
    seeds.add_argument("--seeds", type=numbers, default=(7, 8, 9), metavar="N,...", help="seeds (default 7,8,9)")
    seeds.add_argument("--out", default="build/seeds", help="where results go (default build/seeds)")
    seeds.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="override a key; repeatable")
    seeds.add_argument("--quiet", action="store_true", help="no progress")
    seeds.add_argument("--json", action="store_true", help="print every figure as JSON instead of the table")

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
    sensitivity.add_argument(
        "--rows", type=between(1, 1 << 20), default=512, help="validation texts at most (default 512)"
    )
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
