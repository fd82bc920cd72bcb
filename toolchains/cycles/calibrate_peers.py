"""The peers' part of the cost tables, bench/predict/peer_costs.json: ``nox -s calibrate -- peers``.

Their own aarch64 wheels run random encoders of several shapes on emulated boards (an hour on 2 cores), counted,
modelled and fitted as our own kernels are. LiteRT gets a static graph for each length, its best case.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any

from potstill import boards
from potstill.bench.predict.terms import PEER_TERMS, peer_terms
from potstill.boards import Board
from potstill.work.atomic import write_json
from toolchains import PROJECT
from toolchains.cycles import engines, mca, models, report
from toolchains.cycles.calibrate import OUT, shape
from toolchains.cycles.fit import Row, add, write
from toolchains.cycles.plain import Plain
from toolchains.digests import digest
from toolchains.emulate import jobs as board_jobs

PEER_OUT = OUT.with_name("peer_costs.json")
WORK = PROJECT / ".cache" / "cycles"
# Layers, hidden, FFN, heads.
FITTED = (
    (1, 128, 512, 2), (2, 312, 1200, 12), (1, 384, 1536, 12), (3, 200, 400, 5), (1, 768, 3072, 12), (2, 256, 768, 4),
    (4, 192, 1024, 3),
)  # fmt: skip
HELD_OUT = ((4, 312, 1024, 6), (2, 512, 2048, 8))
LENGTHS = (8, 16, 27, 40, 64, 100, 128)
BOARDS = ("pi4", "pi5")
_MODELLING = Lock()  # llvm-mca's results are kept in one file a core


def _models(sizes: Sequence[int]) -> Path:
    """One shape in every format of the peers, made once (half a minute)."""
    folder = WORK / "peers" / "-".join(map(str, sizes))
    if not folder.is_dir():
        print("model", sizes, flush=True)
        models.write(folder, sizes, LENGTHS)
    return folder


def _kept(board: Board, packages: Path, peer: engines.Engine, sizes: Sequence[int]) -> Path:
    """Where a count is kept."""
    key = digest(repr((packages.name, board.name, peer, tuple(sizes), LENGTHS)))
    return WORK / "peer-counts" / f"{key[:24]}.json"


def _counted(board: Board, packages: Path, peer: engines.Engine, sizes: Sequence[int]) -> dict[str, Any]:
    """``version`` and ``rows`` [tokens, cycles, cycles of the ports] of one shape, one warm call of each length."""
    path = _kept(board, packages, peer, sizes)
    if not path.is_file():
        print(f"counting {peer.engine} {peer.precision} {tuple(sizes)} on {board.name}", flush=True)
        model = _models(sizes) / f"model{peer.ending}"
        run = engines.run(board_jobs.make_board(Plain, board.name), peer, model, LENGTHS, packages)
        if any(run.padded[tokens] != tokens for tokens in LENGTHS):
            raise AssertionError(f"{peer.engine} padded {run.padded}")
        with _MODELLING:
            costs = mca.Costs(board.qemu_cpu)
            modelled = {tokens: report.model(window, costs) for tokens, window in run.found.items()}
        rows = [[tokens, m.cycles, m.bound] for tokens, m in modelled.items()]
        write_json(path, {"version": run.version, "rows": rows})
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def main() -> None:
    """Count what is not counted yet, fit, and write peer_costs.json."""
    result: dict[str, Any] = {"terms": list(PEER_TERMS), "versions": {}, "fits": [], "held_out": []}
    for name in BOARDS:
        board = boards.board(name)
        packages = engines.site(Plain, engines.PEERS, board)
        assert packages is not None
        jobs = [(peer, sizes) for peer in engines.PEERS for sizes in (*FITTED, *HELD_OUT)]
        if fresh := [sizes for peer, sizes in jobs if not _kept(board, packages, peer, sizes).is_file()]:
            board_jobs.make_board(Plain, name)
            for sizes in dict.fromkeys(fresh):
                _models(sizes)
        with ThreadPoolExecutor(2) as pool:
            counts = list(pool.map(partial(_counted, board, packages), *zip(*jobs, strict=True)))
        for peer in engines.PEERS:
            rows = []
            for (counted, sizes), count in zip(jobs, counts, strict=True):
                if counted is peer:
                    result["versions"][peer.module] = count["version"]
                    made = shape(sizes, peer.precision)
                    rows += [Row(made, tokens, cycles, sizes in FITTED) for tokens, cycles, _ in count["rows"]]
            add(result, {"engine": peer.module, "core": board.core, "scheme": peer.precision}, rows, peer_terms)
    write(result, PEER_OUT)
