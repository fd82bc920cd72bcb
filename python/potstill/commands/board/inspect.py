"""`potstill inspect`: what a .still file holds and needs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from potstill.commands import Command, print_json


def _inspect(args: argparse.Namespace) -> int:
    import potstill

    info = {**potstill.load(args.model).info, **_tensors(Path(args.model))}
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


def _tensors(path: Path) -> dict[str, Any]:
    """Each weight's dtype, shape and bytes."""
    from potstill.runtime.header import read_header

    tensors = read_header(path).tensors
    return {"tensors": {t.name: f"{t.dtype} {' x '.join(map(str, t.shape))}, {t.bytes:,} bytes" for t in tensors}}


def add(command: Command) -> None:
    """Register it."""
    inspect = command("inspect", _inspect, "Show what a .still file holds and needs.", "potstill inspect model.still")
    inspect.add_argument("model")
    inspect.add_argument("--json", action="store_true")
