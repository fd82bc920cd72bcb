"""`potstill explain`: what an error code means, what usually causes it and what to do; without a code, all of them."""

from __future__ import annotations

import argparse
import difflib
import re

from potstill.commands import Command, print_json
from potstill.errors import InputError
from potstill.errors.registry import AREAS, Code, codes, has_host_codes


def _explain(args: argparse.Namespace) -> int:
    if args.code is None:
        _list(as_json=args.json)
        return 0
    wanted = re.sub(r"^ERROR\[|\]?:?$", "", args.code.strip().upper())
    code = codes().get(wanted)
    if code is not None:
        print_json(code.as_dict()) if args.json else print(_shown(code))
    elif re.fullmatch(rf"[{''.join(AREAS)}]\d{{3}}", wanted) and not has_host_codes():
        _elsewhere(wanted, as_json=args.json)
    else:
        near = difflib.get_close_matches(wanted, codes(), n=1)
        raise InputError(
            "I084", f"there is no error code {args.code!r}", "potstill explain",
            f"{f'did you mean {near[0]}? ' if near else ''}potstill explain lists them all",
        )  # fmt: skip
    return 0


def _shown(code: Code) -> str:
    origin = "" if code.board else ", raised where models are made, not on a board"
    return (
        f"{code.name}: {code.area}{origin}\nmeaning  {code.meaning}\ncauses   {code.causes}\nremedy   {code.remedy}\n"
        f"exit     {code.exit_code}"
    )


def _elsewhere(name: str, *, as_json: bool) -> None:
    """A code that a board does not list."""
    area = AREAS[name[0]]
    if as_json:
        print_json({"code": name, "area": area, "board": False})
    else:
        print(f"{name}: {area}; raised on the machine that builds, not on a board. There: potstill explain {name}")


def _list(*, as_json: bool) -> None:
    if as_json:
        print_json([code.as_dict() for code in codes().values()])
        return
    area = ""
    for code in codes().values():
        if code.area != area:
            area = code.area
            print(f"{code.name[0]}: {area}")
        print(f"  {code.name}  {code.meaning}")
    print("\npotstill explain CODE also gives the usual causes and the remedy")


def add(command: Command) -> None:
    """Register it."""
    explain = command(
        "explain",
        _explain,
        "Explain an error code: what it means, what usually causes it, what to do; without a code, list them all.",
        "potstill explain F020",
    )
    explain.add_argument("code", nargs="?", metavar="CODE", help="the letter and digits of error[CODE]")
    explain.add_argument("--json", action="store_true")
