"""`potstill recipe`: make, check or document recipes."""

from __future__ import annotations

import argparse
import json
import shlex
from pathlib import Path

from potstill.commands import Command
from potstill.errors import InputError, SystemFailure, missing_module


def _recipe(args: argparse.Namespace) -> int:
    from potstill.recipe import docs

    if args.action == "schema":
        print(docs.schema_markdown() if args.markdown else json.dumps(docs.schema_json(), indent=2))
    elif args.action == "new":
        from potstill.work.atomic import atomic_write

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
    from potstill.models.recipes import load_recipe
    from potstill.work.cache import cache_dir

    named = args.file or "sentiment"
    recipe = load_recipe(named, overrides=args.set)
    print(f"ok           {named}: recipe {recipe.name!r} is valid", flush=True)
    try:
        from potstill.pipeline.builder import check_packages
        from potstill.pipeline.check import check_recipe
    except ImportError as error:
        raise missing_module(error, "build", "potstill recipe check") from error
    found = check_recipe(recipe, cache=cache_dir(), fetch=True, data=True)
    try:
        check_packages(recipe)
    except SystemFailure as error:  # the build may be for another machine
        found.warning("packages", f"{error.what}, for {error.where}", error.next_step)
    width = max((len(finding.name) for finding in found.checks), default=0)
    for finding in found.checks:
        print(f"{finding.status:<11}  {finding.name:<{width}}  {finding.seen}")
        if finding.next_step:
            print(f"{'':<11}  {'':<{width}}  -> {finding.next_step}")
    found.require(f"recipe {recipe.name}")


def add(command: Command) -> None:
    """Register it."""
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
