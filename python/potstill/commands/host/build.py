"""`potstill build`: run a recipe."""

from __future__ import annotations

import argparse

from potstill.commands import Command, add_build_options, print_json


def _build(args: argparse.Namespace) -> int:
    from potstill.models.recipes import load_recipe
    from potstill.pipeline.api import build, out_folder
    from potstill.work.processes import current

    report = build(args.recipe, args.out, overrides=args.set, quiet=args.quiet)
    current().stop()
    if not current().main:
        return 0
    if args.json:
        print_json(report)
    elif not args.no_table:
        from potstill.pipeline.report.table import render

        out = out_folder(load_recipe(args.recipe, args.set).name, args.out)
        print(f"{render(out)}\n\nreport: {out / 'report.html'}")
    return 0


def add(command: Command) -> None:
    """Register it."""
    build = command(
        "build",
        _build,
        "Run a recipe: teacher, distillation, exports, .still, parity, benchmark. Cached; resumes after a kill.",
        "potstill build sentiment",
        "potstill build my.toml --out build/mine --set student.layers=2 --set distil.epochs=3",
    )
    build.add_argument("recipe", help="a bundled recipe (sentiment, topics, embeddings, ...) or a TOML file")
    build.add_argument("--out", help="where results go (default: build/<recipe name>)")
    build.add_argument("--no-table", action="store_true", help="do not print the closing table")
    add_build_options(build, "report.json")
