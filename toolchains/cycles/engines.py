"""What the cost model compares on a board: Potstill's wheel and the peers' aarch64 wheels, on the same weights."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from potstill.boards import Board
from potstill.errors import BuildError
from toolchains import PROJECT, environment
from toolchains.cycles import windows
from toolchains.emulate.emulator import Emulator
from toolchains.wheels import jobs as wheel_jobs

GUEST = Path(__file__).with_name("guest.py")
EXTRAS = ("build", "tflite", "onnxruntime", "bench")
COMMON_STUDENT = (4, 312, 1200, 12)  # layers, hidden, FFN, heads
LONGEST = 128  # of the models of models.py, in tokens


@dataclass(frozen=True)
class Engine:
    """A row of the table, with the fields of `potstill.bench.engine.Peer` that the guest needs.

    Attributes:
        engine: name shown.
        precision: ``fp32`` or ``int8``; of a `.still` the file says it.
        ending: of its file, instead of ``.still``.
        module: in `potstill.compare.peers`; ``potstill`` for our own.
        package: on the package index; empty for Potstill itself.
    """

    engine: str
    precision: str
    ending: str
    module: str
    package: str = ""


OWN = Engine("Potstill", "", ".still", "potstill")
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
    fields = {name: value for name, value in asdict(engine).items() if name in ("engine", "precision", "module")}
    job = {"peer": {**fields, "export": ""}, "path": str(path), "lengths": list(lengths)}
    # One thread of every pool: counters are not atomic, and a spinning thread would count.
    variables = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}
    if packages is not None:
        variables["PYTHONPATH"] = str(packages)
    found, said = windows.run(emulator.python(GUEST, json.dumps(job)), emulator.environment(variables))
    answer = json.loads(said.strip().splitlines()[-1])
    precision = str(answer["scheme"] or engine.precision)
    return Run(
        Engine(engine.engine, precision, engine.ending, engine.module, engine.package),
        str(answer["version"]),
        {int(tokens): int(length) for tokens, length in answer["padded"].items()},
        {window.label: window for window in found},
    )


def models(session: Any, lengths: Sequence[int]) -> Path:
    """A folder with random weights of the common student's shape: ``model.SCHEME.still``, and the peers' files with
    TFLite's graphs for `lengths`. Made once (1 minute, and installing the extras before that)."""
    wheel = wheel_jobs.host_wheel()  # another wheel may write other files
    maker = Path(__file__).with_name("models.py").read_bytes()
    key = hashlib.sha256(maker + wheel.read_bytes() + repr(sorted(lengths)).encode()).hexdigest()[:12]
    folder = PROJECT / ".cache" / "cycles" / key
    if not folder.is_dir():
        session.log(f"making a random model for every engine: {folder.relative_to(PROJECT)}")
        environment.install(session, *EXTRAS, wheel=wheel)
        sizes = ",".join(map(str, COMMON_STUDENT))
        session.run("python", "-m", "toolchains.cycles.models", str(folder), sizes, *map(str, lengths))
    return folder
