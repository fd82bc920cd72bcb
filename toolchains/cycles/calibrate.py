"""Our own part of bench/predict/costs.json: ``nox -s calibrate -- ours`` (10 minutes on 2 cores).

Random encoders of many shapes are run through Potstill's core on emulated boards, their executed blocks counted and
modelled by llvm-mca for each core, and the cycles of a forward fitted to the terms of `potstill.bench.predict.terms`.
Shapes of `HELD_OUT` are counted but not fitted: the file keeps them, with the fit's error on them.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from potstill import boards
from potstill.bench.predict.terms import TERMS, terms
from potstill.still.schemes import SCHEMES
from potstill.work.atomic import write_json
from toolchains import PROJECT
from toolchains.cycles import mca, models, report, sets, windows
from toolchains.cycles.engines import LONGEST
from toolchains.cycles.fit import Row, Shape, add, write
from toolchains.cycles.plain import Plain
from toolchains.emulate.emulator import Emulator
from toolchains.roots import sysroot

OUT = PROJECT / "python" / "potstill" / "bench" / "predict" / "costs.json"
COUNTS = PROJECT / ".cache" / "cycles" / "calibration.json"
# Layers, hidden, FFN, heads.
FITTED = (
    (1, 128, 512, 2),
    (2, 256, 1024, 4),
    (2, 312, 1200, 12),
    (3, 384, 1536, 12),
    (2, 192, 400, 6),
    (1, 768, 3072, 12),
)
HELD_OUT = ((4, 312, 1024, 12), (2, 224, 900, 7), (1, 512, 2048, 8))
LENGTHS = (1, 4, 8, 13, 16, 30, 48, 64, 100, 128)


def shape(sizes: Sequence[int], scheme: str) -> Shape:
    """The shape of a model made here; `sizes`: layers, hidden, FFN, heads."""
    return (*sizes, models.VOCABULARY, LONGEST, models.LABELS, scheme)


def _count(emulator: Emulator, program: Path, kernels: str, still: Path) -> list[windows.Window]:
    command = emulator.command(program, str(still), *map(str, LENGTHS))
    return windows.run(command, emulator.environment({"POTSTILL_ISA": kernels}))[0]


def count_all() -> None:
    """Make the models, count and model them; kept in a file, since this takes the time."""
    counts: list[tuple[str, str, list[Any]]] = []
    with tempfile.TemporaryDirectory() as temporary:
        folders = {sizes: Path(temporary) / "-".join(map(str, sizes)) for sizes in (*FITTED, *HELD_OUT)}
        for sizes, folder in folders.items():
            print("model", sizes, flush=True)
            models.write(folder, sizes)
        program = windows.driver(Plain.run, boards.board("pi4").target)
        for kernels in sets.arm_sets():
            board, *others = sets.boards_of(kernels)
            emulator = Emulator(board, sysroot.root_of(board))
            jobs = [(sizes, scheme) for sizes in folders for scheme in SCHEMES]
            with ThreadPoolExecutor(2) as pool:
                files = [folders[sizes] / f"model.{scheme}.still" for sizes, scheme in jobs]
                counted = list(pool.map(partial(_count, emulator, program, kernels), files))
            for core in (board.core, *(other.core for other in others)):  # the same instructions on each
                costs = mca.Costs(core)
                rows = []
                for (sizes, scheme), found in zip(jobs, counted, strict=True):
                    rows += [(sizes, scheme, w.label, report.model(w, costs).cycles) for w in found]
                counts.append((kernels, core, rows))
    write_json(COUNTS, counts)


def fit_all() -> None:
    """Fit the kept counts and write costs.json."""
    result: dict[str, Any] = {"terms": list(TERMS), "fits": [], "held_out": []}
    for kernels, core, listed in json.loads(COUNTS.read_text(encoding="utf-8")):
        if core not in {board.core for board in sets.boards_of(kernels)}:  # counted by an earlier version
            continue
        for scheme in SCHEMES:
            rows = [
                Row(shape(sizes, scheme), tokens, cycles, tuple(sizes) in FITTED)
                for sizes, listed_scheme, tokens, cycles in listed
                if listed_scheme == scheme
            ]
            add(result, {"kernels": kernels, "core": core, "scheme": scheme}, rows, terms)
    write(result, OUT)


def main(*, fit_only: bool) -> None:
    """Count what is asked for and write costs.json; `fit_only`: from the counts of the last run, if there are any."""
    if not fit_only or not COUNTS.is_file():
        count_all()
    fit_all()
