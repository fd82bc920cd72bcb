"""``nox -s cycles``: Potstill and its peers on emulated boards, in instructions and modelled cycles."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from potstill import boards
from potstill.boards import Board
from potstill.errors import BuildError, PotstillError
from potstill.work.atomic import write_json
from toolchains.cycles import engines, mca, report, windows
from toolchains.emulate import jobs as board_jobs
from toolchains.emulate.emulator import Emulator

LENGTHS = (8, 16, 32, 64, 128)
OPTIONS = ("board", "lengths", "peers", "json", "top")


def numbers(text: str, name: str) -> list[int]:
    """Distinct whole numbers of a comma list, sorted.

    Raises:
        BuildError: for anything else.
    """
    words = text.split(",")
    if not all(word.isdecimal() and int(word) > 0 for word in words):
        raise BuildError("B016", f"{text!r} is not a list of whole numbers", f"--{name}", f"for example --{name} 16,64")
    return sorted({int(word) for word in words})


def bench(session: Any, options: Mapping[str, str], stills: Sequence[str]) -> None:
    """The session's work.

    Args:
        options: ``board`` (comma list), ``lengths`` (tokens, default 8,16,32,64,128), ``peers`` (``all``, ``none`` or
            modules), ``json`` (file to write), ``top`` (hottest blocks shown, default 10).
        stills: `.still` files, a row each; the peers' files are looked for beside the first. None: random weights of
            the common student's shape, made once for every engine.

    Raises:
        BuildError: wrong arguments; no such model, and as the steps it takes.
    """
    names = options["board"].split(",")
    lengths = numbers(options["lengths"], "lengths") if "lengths" in options else list(LENGTHS)
    (top,) = numbers(options.get("top", "10"), "top")
    peers = engines.chosen(options.get("peers", "all"))
    paths = [Path(name).resolve() for name in stills]
    for path in paths:
        if not path.is_file():
            raise BuildError("B017", "no such model", str(path), "give a .still file, or none at all")
    if not paths:
        if lengths[-1] > engines.LONGEST:
            raise BuildError(
                "B016", f"{lengths[-1]} tokens", "--lengths", f"at most {engines.LONGEST}, or give a model"
            )
        paths = board_jobs.int8_first(engines.models(session, lengths))
    results = [_on_board(session, boards.board(name), paths, peers, lengths, top) for name in names]
    if "json" in options:
        write_json(Path(options["json"]), {"note": report.MODEL_NOTE, "boards": results})
        session.log(f"written: {options['json']}")


def _on_board(
    session: Any,
    board: Board,
    stills: Sequence[Path],
    peers: Sequence[engines.Engine],
    lengths: Sequence[int],
    top: int,
) -> dict[str, Any]:
    costs = mca.Costs(board.qemu_cpu)
    emulator = board_jobs.make_board(session, board.name)
    packages = engines.site(session, peers, board)
    contenders = [(engines.OWN, path) for path in stills]
    for peer in peers:
        path = engines.file_beside(stills[0], peer)
        if path.is_file():
            contenders.append((peer, path))
        else:
            session.log(f"{peer.engine} {peer.precision} has no row: no {path.name} beside {stills[0].name}")
    rows: list[dict[str, Any]] = []
    for engine, path in contenders:
        session.log(f"{board.title}, emulated: {engine.engine} {path.name}")
        try:
            run = engines.run(emulator, engine, path, lengths, packages)
        except PotstillError as error:
            if engine is engines.OWN:
                raise
            session.warn(f"{engine.engine} {engine.precision} has no row: {error}")
            continue
        rows += _rows(run, path, costs, board)
    tokens = 64 if 64 in lengths else lengths[-1]
    program = windows.driver(session.run, board.target)
    kernels = _kernels(emulator, program, stills[0], tokens, costs)
    result = {"board": board.name, "cpu": board.qemu_cpu, "core": costs.model, "threads": 1, "rows": rows}
    print(f"\n{board.title}, emulated ({board.qemu_cpu}, modelled as {costs.model}), 1 thread, one warm call.")
    print(f"This is {report.MODEL_NOTE}.\n\n{table(rows)}\n\n{_by_function(kernels)}\n\n{report.text(kernels, top)}\n")
    explain = ["python3", "-m", "toolchains.cycles", "run", "--cpu", board.qemu_cpu, "--explain", "1"]
    explain += ["--", str(program), str(stills[0]), str(tokens)]
    print(f"A block's instructions and bottleneck:\n  {shlex.join(explain)}\n")
    functions = [
        {"name": name, "cycles": round(cycles), "instructions": round(count)}
        for name, cycles, count in kernels.functions()[:top]
    ]
    return {**result, "functions": functions, "hottest": kernels.data(top)}


def _rows(run: engines.Run, path: Path, costs: mca.Costs, board: Board) -> list[dict[str, Any]]:
    rows = []
    for tokens, window in run.found.items():
        modelled = report.model(window, costs)
        rows.append(
            {
                "tokens": tokens,
                "engine": run.engine.engine,
                "version": run.version,
                "precision": run.engine.precision,
                "file": path.name,
                "padded_to": run.padded[tokens],
                "instructions": modelled.instructions,
                "cycles": round(modelled.cycles),
                "ms": round(modelled.cycles / (board.clock_mhz * 1e3), 4),
                "ports": round(modelled.bound),
                "unknown_share": round(modelled.unknown, 6),
            }
        )
    return rows


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows by length; the last column is modelled cycles over those of the first Potstill row of that length.
    Ports: cycles that dispatch and ports alone need, as if no result were waited for. ms: cycles at the board's full
    clock, so a floor: `potstill bench MODEL --board NAME` adds memory and a band for Potstill itself."""
    first = {row["tokens"]: row["cycles"] for row in reversed(rows) if row["engine"] == engines.OWN.engine}
    lines = [
        f"{'tokens':>12}  {'runtime':<20} {'precision':<9}  instructions M  modelled cycles M  ports M  ms at clock"
        "  / Potstill"
    ]
    for row in sorted(rows, key=lambda row: row["tokens"]):
        tokens = str(row["tokens"])
        if row["padded_to"] != row["tokens"]:
            tokens += f" (as {row['padded_to']})"
        ratio = f"{row['cycles'] / first[row['tokens']]:.2f}" if first.get(row["tokens"]) else "-"
        lines.append(
            f"{tokens:>12}  {row['engine'] + ' ' + row['version']:<20} {row['precision']:<9}  "
            f"{row['instructions'] / 1e6:14.2f}  {row['cycles'] / 1e6:17.2f}  {row['ports'] / 1e6:7.2f}  "
            f"{row['ms']:11.2f}  {ratio:>10}"
        )
    return "\n".join(lines)


def _by_function(modelled: report.Modelled) -> str:
    lines = [f"Potstill's core alone, {modelled.label} tokens, by function:"]
    for name, cycles, count in modelled.functions():
        if cycles >= 0.001 * modelled.cycles:
            share = cycles / modelled.cycles
            lines.append(f"{cycles / 1e6:9.3f} M cycles  {share:6.1%}  {count / 1e6:9.3f} M instructions  {name}")
    return "\n".join(lines)


def _kernels(emulator: Emulator, program: Path, still: Path, tokens: int, costs: mca.Costs) -> report.Modelled:
    """One pass by potstill-count, built with symbols: a wheel has none."""
    found, _ = windows.run(emulator.command(program, str(still), str(tokens)), emulator.environment())
    return report.model(found[0], costs)
