"""What the cost model compares on a board: Potstill's wheel and the peers' aarch64 wheels, on the same weights."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from potstill.boards import Board
from potstill.errors import BuildError
from toolchains import PROJECT, environment
from toolchains.cycles import windows
from toolchains.digests import digest
from toolchains.emulate.emulator import Emulator
from toolchains.wheels import jobs as wheel_jobs

GUEST = Path(__file__).with_name("guest.py")
EXTRAS = ("build", "tflite", "onnxruntime", "bench")
COMMON_STUDENT = (4, 312, 1200, 12)  # layers, hidden, FFN, heads
LONGEST = 128  # of the models of models.py, in tokens


@dataclass(frozen=True)
class Engine:
    """A row of the table.

    Attributes:
        engine: name shown.
        precision: ``fp32`` or ``int8``; of a `.still` the file says it.
        ending: of its file, instead of ``.still``.
        module: short name, of a module in `potstill.compare.peers` for a peer.
        package: on the package index.
    """

    engine: str
    precision: str
    ending: str
    module: str
    package: str

    @property
    def source(self) -> Path:
        """The file of its module, which the guest loads from here: a board's wheel lacks `potstill.compare`."""
        place = "bench/own.py" if self.module == "potstill" else f"compare/peers/{self.module}.py"
        return PROJECT / "python" / "potstill" / place


OWN = Engine("Potstill", "", ".still", "potstill", "potstill")
PEERS = (
    Engine("onnxruntime", "fp32", ".onnx", "onnxruntime", "onnxruntime"),
    Engine("onnxruntime", "int8", ".int8.onnx", "onnxruntime", "onnxruntime"),
    Engine("LiteRT", "fp32", ".tflite", "litert", "ai-edge-litert"),
    Engine("LiteRT", "int8", ".int8.tflite", "litert", "ai-edge-litert"),
)


def chosen(words: str) -> list[Engine]:
    """The peers of ``all``, ``none`` or a comma list of modules.

    Raises:
        BuildError: for another word.
    """
    if words in ("all", "none"):
        return list(PEERS) if words == "all" else []
    known = sorted({peer.module for peer in PEERS})
    for word in words.split(","):
        if word not in known:
            raise BuildError("B016", f"unknown peer {word!r}", "--peers", f"use all, none or {','.join(known)}")
    return [peer for peer in PEERS if peer.module in words.split(",")]


def file_beside(still: Path, peer: Engine) -> Path:
    """The peer's file of the same model: ``model.int8.tflite`` beside ``model.still`` or ``model.int8.still``."""
    stem = still.name.removesuffix(".still")
    for scheme in (".fp32", ".int8", ".int4"):
        stem = stem.removesuffix(scheme)
    return still.with_name(stem + peer.ending)


def site(session: Any, peers: Sequence[Engine], board: Board) -> Path | None:
    """A folder with the peers' wheels for the board's Python (60 MB, once), None without peers."""
    names = sorted({peer.package for peer in peers} | {"numpy"})
    return environment.site(session, names, board.system, board.target.wheel) if peers else None


@dataclass(frozen=True)
class Run:
    """One engine's marked calls: `padded` tokens by tokens asked for, `found` windows by tokens."""

    engine: Engine
    version: str
    padded: dict[int, int]
    found: dict[int, windows.Window]


def run(emulator: Emulator, engine: Engine, path: Path, lengths: Sequence[int], packages: Path | None) -> Run:
    """Count one warm call for each length, one thread. Raises as `windows.run`."""
    job = {"source": str(engine.source), "package": engine.package, "path": str(path), "lengths": list(lengths)}
    # One thread of every pool: counters are not atomic, and a spinning thread would count.
    variables = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}
    if packages is not None:
        variables["PYTHONPATH"] = str(packages)
    found, said = windows.run(emulator.python(GUEST, json.dumps(job)), emulator.environment(variables))
    answer = json.loads(said.strip().splitlines()[-1])
    return Run(
        replace(engine, precision=str(answer["scheme"] or engine.precision)),
        str(answer["version"]),
        {int(tokens): int(length) for tokens, length in answer["padded"].items()},
        {window.label: window for window in found},
    )


def models(session: Any, lengths: Sequence[int]) -> Path:
    """A folder with random weights of the common student's shape: ``model.SCHEME.still``, and the peers' files with
    TFLite's graphs for `lengths`. Made once (1 minute, and installing the extras before that)."""
    wheel = wheel_jobs.host_wheel()  # another wheel may write other files
    key = digest(Path(__file__).with_name("models.py"), wheel, repr(sorted(lengths)))
    folder = PROJECT / ".cache" / "cycles" / key[:12]
    if not folder.is_dir():
        session.log(f"making a random model for every engine: {folder.relative_to(PROJECT)}")
        environment.install(session, *EXTRAS, wheel=wheel)
        sizes = ",".join(map(str, COMMON_STUDENT))
        session.run("python", "-m", "toolchains.cycles.models", str(folder), sizes, *map(str, lengths))
    return folder
