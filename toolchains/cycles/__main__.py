"""The cost model's commands: ``python -m toolchains.cycles COMMAND``.

run --cpu cortex-a72 -- PROGRAM ARGUMENTS: counts and models a program that marks windows (qemu_count.c describes the
markers): instructions, modelled cycles and the hottest blocks of each. ours, peers and check: ``nox -s calibrate``.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from potstill.errors import PotstillError
from potstill.work.atomic import write_json
from toolchains.cycles import mca, report, windows


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m toolchains.cycles", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="count and model a program")
    run.add_argument("--cpu", default="cortex-a72", choices=sorted(mca.MODEL_OF_CPU), help="core to emulate")
    run.add_argument("--root", type=Path, default=windows.CROSS_ROOT, help="root with the program's libraries")
    run.add_argument("--top", type=int, default=15, help="hottest blocks to print")
    run.add_argument("--explain", default="", metavar="1,2", help="blocks of the last window to explain")
    run.add_argument("--count", action="store_true", help="print instructions by label as JSON, without llvm-mca")
    run.add_argument("--json", type=Path, help="write the results there too")
    run.add_argument("program", nargs="+", help="an AArch64 program and its arguments, after --")
    ours = commands.add_parser("ours", help="rewrite the table of our kernels")
    ours.add_argument("--fit-only", action="store_true", help="from the counts of the last run")
    commands.add_parser("peers", help="rewrite the table of onnxruntime and LiteRT")
    check = commands.add_parser("check", help="modelled against measured time on this x86-64 machine")
    check.add_argument("--core", default="native", help="llvm-mca's name of this machine's core, e.g. znver4")
    check.add_argument("--lengths", default="8,16,64", help="tokens")
    check.add_argument("models", nargs="*", type=Path, help="default: a random BERT 4 x 312 in int8")
    return parser


def _run(options: argparse.Namespace) -> None:
    if options.count:
        print(json.dumps(windows.count(options.program, options.cpu, options.root)))
        return
    found, _ = windows.run(windows.emulated(options.program, options.cpu, options.root))
    costs = mca.Costs(options.cpu)
    modelled = [report.model(window, costs) for window in found]
    print(f"{options.cpu}, modelled as {costs.model}: {report.MODEL_NOTE}")
    print("\n\n".join(report.text(one, options.top) for one in modelled))
    for number in filter(None, options.explain.split(",")):
        print(report.explanation(modelled[-1], int(number), costs.model))
    if options.json:
        data = {"cpu": options.cpu, "note": report.MODEL_NOTE, "windows": [m.data(options.top) for m in modelled]}
        write_json(options.json, data)


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    options = _parser().parse_args(arguments)
    try:
        # What calibrates needs PyTorch, and is imported only then.
        if options.command == "run":
            _run(options)
        elif options.command == "ours":
            from toolchains.cycles import calibrate

            calibrate.main(fit_only=options.fit_only)
        elif options.command == "peers":
            from toolchains.cycles import calibrate_peers

            calibrate_peers.main()
        else:
            from toolchains.cycles import host_check

            host_check.main(options.models, [int(word) for word in options.lengths.split(",")], options.core)
    except PotstillError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
