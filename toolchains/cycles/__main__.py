"""Count and model a program that marks windows: ``python -m toolchains.cycles --cpu cortex-a72 -- PROGRAM ARGUMENTS``.

For each window: instructions, modelled cycles and the hottest blocks. ``--count`` prints instructions only, as JSON
{label: instructions}, without llvm-mca. The markers are described in qemu_count.c.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from potstill.errors import PotstillError
from toolchains.cycles import mca, report, windows


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m toolchains.cycles", description=__doc__)
    parser.add_argument("--cpu", default="cortex-a72", choices=sorted(mca.MODEL_OF_CPU), help="core to emulate")
    parser.add_argument("--root", type=Path, default=windows.CROSS_ROOT, help="root with the program's libraries")
    parser.add_argument("--top", type=int, default=15, help="hottest blocks to print")
    parser.add_argument("--explain", default="", metavar="1,2", help="blocks of the last window to explain")
    parser.add_argument("--count", action="store_true", help="print instructions by label as JSON and end")
    parser.add_argument("--json", type=Path, help="write the results there too")
    parser.add_argument("program", nargs="+", help="an AArch64 program and its arguments, after --")
    options = parser.parse_args(arguments)
    try:
        if options.count:
            print(json.dumps(windows.count(options.program, options.cpu, options.root)))
            return 0
        found, _ = windows.run(windows.emulated(options.program, options.cpu, options.root))
        costs = mca.Costs(options.cpu)
        modelled = [report.model(window, costs) for window in found]
        print(f"{options.cpu}, modelled as {costs.model}: {report.MODEL_NOTE}")
        print("\n\n".join(report.text(one, options.top) for one in modelled))
        for number in filter(None, options.explain.split(",")):
            print(report.explanation(modelled[-1], int(number), costs.model))
        if options.json:
            data = {"cpu": options.cpu, "note": report.MODEL_NOTE, "windows": [m.data(options.top) for m in modelled]}
            options.json.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    except PotstillError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
