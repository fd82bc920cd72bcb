"""`potstill inspect`: what a .still file holds and needs."""

from __future__ import annotations

import argparse
from typing import Any

from potstill.commands import Command, print_json


def _inspect(args: argparse.Namespace) -> int:
    import potstill

    model = potstill.load(args.model)
    core: Any = model._backend
    info = {**model.info, "tensors": {name: _described(*weight) for name, *weight in core.weights()}}
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


def _described(dtype: str, shape: tuple[int, ...], size: int) -> str:
    return f"{dtype} {' x '.join(map(str, shape))}, {size:,} bytes"


def add(command: Command) -> None:
    """Register it."""
    inspect = command("inspect", _inspect, "Show what a .still file holds and needs.", "potstill inspect model.still")
    inspect.add_argument("model")
    inspect.add_argument("--json", action="store_true")
