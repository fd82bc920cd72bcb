"""`potstill search`: students from the smallest to the most able, against predicted time and size."""

from __future__ import annotations

import argparse

from potstill.commands import Command, add_build_options, between, print_json


def _search(args: argparse.Namespace) -> int:
    from potstill.models.recipes import load_recipe
    from potstill.pipeline.api import out_folder
    from potstill.pipeline.search.points import FOLDER, run_search
    from potstill.pipeline.search.show import render, write_png
    from potstill.recipe.schema import BudgetTime
    from potstill.work.progress import make_progress

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


def add(command: Command) -> None:
    """Register it."""
    search = command(
        "search",
        _search,
        "Build students from the smallest to the most able; draw accuracy against predicted time and size. Resumable.",
        "potstill search sentiment --board pi4 --tokens 32 --points 6",
        "potstill search my.toml --set budget.bytes=4MB --json",
    )
    search.add_argument("recipe", help="a bundled recipe or a TOML file; its [budget] bounds the search")
    search.add_argument("--out", help="the build's folder, whose teacher is used (default: build/<recipe name>)")
    search.add_argument("--board", help="board of the predicted times (default: the budget's, else pi4)")
    search.add_argument(
        "--tokens", type=between(1, 8192), metavar="N", help="tokens of a text (default: the budget's, else 32)"
    )
    search.add_argument("--threads", type=between(1, 256), metavar="N", help="threads of the prediction (default 1)")
    search.add_argument(
        "--points", type=between(1, 1000), default=8, metavar="N", help="students to build at most (default 8)"
    )
    add_build_options(search, "the result")
