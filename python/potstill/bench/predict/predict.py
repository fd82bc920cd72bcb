"""Predicted milliseconds of a forward on a board that nobody here owns. README.md has assumptions and sources."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from potstill.bench.predict.model import CostModel, model_of
from potstill.bench.predict.peers import peer_peak_bytes
from potstill.bench.predict.terms import peer_terms, terms_by_scheme
from potstill.boards import Board
from potstill.errors import InputError
from potstill.runtime.oplist import OpFacts

COSTS = Path(__file__).with_name("costs.json")
PEER_COSTS = Path(__file__).with_name("peer_costs.json")
PEERS = ("onnxruntime", "litert")

# Of the shorter of computing and streaming, the part that the longer does not hide. 0 is a perfect prefetcher, 1 none.
_UNHIDDEN = 0.25
# Work that does not divide among threads: embedding, pooling, claiming of tasks. An estimate, taken for the peers too.
_SERIAL = 0.03
# Between two phases of an op all threads meet; 5 phases a layer and 4 around them. 1-2 us by estimate on a Pi.
_PHASES_A_LAYER, _PHASES, _BARRIER_US = 5, 4, 2.0
# The core takes another thread only for so many int8 multiply-adds: cpp/src/parallel/threads.h.
_WORK_A_THREAD = 2 << 20
# Share taken off and put on the point estimate where the core has a cost model. On a Zen 4, where modelled and measured
# times could be compared, forwards took 0.85 to 1.13 times the modelled (README.md); in-order waits and slower memories
# of a board only add.
_LOW, _HIGH = 0.15, 0.35
# Costs of a core without a trusted model, as a multiple of one with: (model, factor in fp32, in integers, low, high).
# The Cortex-A53 has half the A72's vector width and runs in order. llvm-mca's schedule of it gives 2.1 times the A72's
# cycles in fp32 and 5.7 times in int8; the latter is not believed (others see int8 faster than fp32 on it), so integers
# stand at 3 with a band from 1.8 to 5.7. The Cortex-A7 is taken as 1.6 times an A53: a guess. So is 1.5 times for
# 32-bit userlands, whose code has half the registers.
LIKE: dict[str, tuple[str, float, float, float, float]] = {
    "cortex-a53": ("cortex-a72", 2.1, 3.0, 0.4, 0.9),
    "cortex-a7": ("cortex-a72", 3.4, 4.8, 0.4, 0.9),
}
_BITS32_FACTOR, _BITS32_LOW, _BITS32_HIGH = 1.5, 0.35, 0.6
_UNKNOWN_LOW, _UNKNOWN_HIGH = 0.5, 1.0


@dataclass(frozen=True)
class Prediction:
    """One predicted forward.

    Attributes:
        engine, precision, board, tokens, threads: what was asked.
        threads_used: what the core would use of them.
        ms, low_ms, high_ms: point estimate and band, milliseconds.
        compute_ms, stream_ms: parts: modelled cycles at the board's clock; weights at its memory's speed.
        cycles: modelled, one thread.
        weight_bytes: streamed in a forward.
        peak_bytes: resident memory of the Python process, by estimate.
        notes: what makes this one less certain.
    """

    engine: str
    precision: str
    board: str
    tokens: int
    threads: int
    threads_used: int
    ms: float
    low_ms: float
    high_ms: float
    compute_ms: float
    stream_ms: float
    cycles: float
    weight_bytes: int
    peak_bytes: int
    notes: tuple[str, ...] = ()


@lru_cache(maxsize=1)
def _fits() -> dict[tuple[str, str, str], dict[str, Any]]:
    """Fits by (kernel set or engine, core, scheme)."""
    own = json.loads(COSTS.read_text(encoding="utf-8"))["fits"]
    peers = json.loads(PEER_COSTS.read_text(encoding="utf-8"))["fits"]
    found = {(fit["kernels"], fit["core"], fit["scheme"]): fit for fit in own}
    return found | {(fit["engine"], fit["core"], fit["scheme"]): fit for fit in peers}


@lru_cache(maxsize=1)
def _first_cores() -> dict[str, str]:
    """The kernel sets (and engines) with a cost table, slowest set first, and the first core of each table."""
    first: dict[str, str] = {}
    for kernels, core, _ in _fits():
        first.setdefault(kernels, core)
    return first


def peer_version(engine: str) -> str:
    """The release of a peer whose kernels were counted, e.g. ``"1.32.0"``."""
    return str(json.loads(PEER_COSTS.read_text(encoding="utf-8"))["versions"][engine])


@dataclass(frozen=True)
class _Core:
    """A row of the cost table for a board, and how far to trust it; `kernels` is the engine for a peer."""

    kernels: str
    core: str
    factor: float
    low: float
    high: float
    notes: tuple[str, ...]


def _core_of(board: Board, scheme: str, engine: str) -> _Core:
    """The row that stands for the board's core and, of our engine, its best kernel set."""
    modelled = _first_cores()
    own = next((kernels for kernels in board.kernels if kernels in modelled), next(iter(modelled)))
    kernels = engine if engine in PEERS else own
    core, factor, low, high = board.core, 1.0, _LOW, _HIGH
    notes: list[str] = []
    if core in LIKE:
        core, floats, integers, low, high = LIKE[core]
        factor = floats if scheme == "fp32" else integers
        notes.append(f"no trusted cost model for the {board.core}: {factor:g} times the {core}")
    elif (kernels, core, scheme) not in _fits():
        core, low, high = modelled[own], _UNKNOWN_LOW, _UNKNOWN_HIGH
        notes.append(f"no cost model for {board.core}: taken as {core}")
    if board.target.bits == 32:
        factor *= _BITS32_FACTOR
        low, high = max(low, _BITS32_LOW), max(high, _BITS32_HIGH)
        notes.append(f"32-bit kernels are not modelled: {_BITS32_FACTOR:g} times the 64-bit ones")
    return _Core(kernels, core, factor, low, high, tuple(notes))


def threads_used(model: CostModel, tokens: int, threads: int, cores: int) -> int:
    """Threads the core would take for one text of so many tokens."""
    work = sum(_work(op, tokens if op.per_token else 1) for op in model.ops)
    return max(1, min(threads, cores, work // _WORK_A_THREAD))


def _work(op: OpFacts, rows: int) -> int:
    """Int8 multiply-adds that take as long as an op, as the core reckons (cpp/src/ops/op.h); f32 ones count twice."""
    if op.kind == "Linear":
        return rows * op.width * op.inputs * (2 if op.dtype == "f32" else 1)
    return 2 * 2 * rows * rows * op.width if op.kind == "Attention" else 0


def predict(
    model: CostModel | Path, board: Board, *, tokens: int, threads: int = 1, engine: str = "potstill",
    precision: str = "",
) -> Prediction:  # fmt: skip
    """Predict a warm forward of one text.

    Args:
        model: a `.still` file, or a model that need not exist yet.
        board: an entry of boards.toml.
        tokens: of the text, 1 to the model's limit.
        threads: given to the model.
        engine: ``potstill``, or what the exported files run on: ``onnxruntime`` (dynamic lengths) or ``litert`` (a
            static graph of just this length, its best case), 64-bit systems only.
        precision: of a peer's file, ``fp32`` or ``int8``; by default the model's own scheme.

    Raises:
        InputError: tokens or threads out of range, an engine or precision without a cost table; and as `model_of`.
    """
    model = model if isinstance(model, CostModel) else model_of(model)
    if not 1 <= tokens <= model.max_tokens:
        raise InputError("I060", f"{tokens} tokens", "--lengths", f"the model takes 1 to {model.max_tokens}")
    if threads < 1:
        raise InputError("I004", f"{threads} threads", "--threads", "give 1 or more")
    peer = engine in PEERS
    if precision and not peer and precision != model.scheme:
        raise InputError("I073", f"the model is {model.scheme}", f"precision {precision}", "give another .still file")
    model = model.stored_as(precision) if peer and precision else model
    if not peer and engine != "potstill":
        raise InputError("I073", f"no cost table for {engine!r}", "engine", f"use potstill, {', '.join(PEERS)}")
    if peer and (model.scheme == "int4" or board.target.bits == 32):
        what = f"int4 of {engine}" if model.scheme == "int4" else f"{engine} on a 32-bit system"
        raise InputError("I073", f"no cost table for {what}", board.name, "use fp32 or int8 on a 64-bit board")
    row = _core_of(board, model.scheme, engine)
    paid = {model.scheme: peer_terms(model, tokens)} if peer else terms_by_scheme(model, tokens)
    cycles = row.factor * sum(
        weight * count
        for scheme, counts in paid.items()
        for weight, count in zip(_fits()[(row.kernels, row.core, scheme)]["coefficients"], counts, strict=True)
    )
    used = min(threads, board.cores) if peer else threads_used(model, tokens, threads, board.cores)
    compute = cycles / (board.clock_mhz * 1e3)
    if used > 1:
        barriers = (model.layers * _PHASES_A_LAYER + _PHASES) * _BARRIER_US / 1e3
        compute = compute * (_SERIAL + (1 - _SERIAL) / used) + barriers
    weights = model.weight_bytes()
    speed = min(board.memory.read_gb_s_one * used, board.memory.read_gb_s_all)
    stream = weights / (speed * 1e6) if weights > board.memory.last_cache_kb * 1024 else 0.0
    ms = max(compute, stream) + _UNHIDDEN * min(compute, stream)
    peak = peer_peak_bytes(engine, model) if peer else model.peak_bytes(tokens)
    return Prediction(
        engine, model.scheme, board.name, tokens, threads, used, ms, max(compute, stream) * (1 - row.low),
        (compute + stream) * (1 + row.high), compute, stream, cycles, weights, peak, row.notes,
    )  # fmt: skip
