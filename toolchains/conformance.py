"""Every node test of the installed onnx through the compiler: its file is right, or there is a numbered error.

onnx makes its node tests itself: 1,884 small models (onnx 1.23) of all operators, types and opsets. Nearly all of them
are nothing the core runs, which makes them good strangers. ``python -m toolchains.conformance`` prints the counts and
exits 1 when a model compiles to something else than onnx expects, or ends in anything but an error of ours.
"""

from __future__ import annotations

import contextlib
import io
import multiprocessing
import os
import sys
import tempfile
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Fewer mean that the tests were not found, not that all is well.
FEWEST = 1500
CHUNK = 16  # cases handed to a process at a time

_cases: list[Any] = []  # filled before the processes are forked, which find it there


@dataclass(frozen=True)
class Outcome:
    """`kind`: "right", "refused" (`detail`: the code), "wrong" or "traceback" (`detail`: what was seen)."""

    name: str
    kind: str
    detail: str = ""


def node_tests() -> list[Any]:
    """The `TestCase`s of onnx; making them prints and warns a lot."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        from onnx.backend.test.loader import load_node_model_tests

        return list(load_node_model_tests())


def outcome(name: str, model: bytes, data_sets: Any, tolerance: float) -> Outcome:
    """Compile one model and, if it compiles, compare the core with what onnx expects.

    Args:
        data_sets: pairs of inputs and outputs, in the order of the graph's.
        tolerance: relative to the greatest expected value.
    """
    from potstill.compile import compile_onnx
    from potstill.errors import PotstillError

    with tempfile.TemporaryDirectory() as folder:
        path, still = Path(folder) / "model.onnx", Path(folder) / "model.still"
        path.write_bytes(model)
        try:
            compile_onnx(path, still, scheme="fp32")
            problem = _difference(path, still, data_sets, tolerance)
        except PotstillError as error:
            return Outcome(name, "refused", error.code)
        except Exception:
            return Outcome(name, "traceback", traceback.format_exc())
        return Outcome(name, "wrong", problem) if problem else Outcome(name, "right")


def _difference(path: Path, still: Path, data_sets: Any, tolerance: float) -> str:
    """How the compiled file differs from the expected outputs; empty when it does not."""
    import numpy as np

    from potstill.compile.load import load_onnx
    from potstill.compile.specialise import classify_inputs
    from potstill.runtime.backends import open_backend

    source = load_onnx(path)
    roles = classify_inputs(source)
    names = [value.name for value in source.model.graph.input]
    core = open_backend("native", still, 1)
    for inputs, outputs in data_sets:
        ids = np.asarray(dict(zip(names, inputs, strict=True))[roles.ids])
        if ids.ndim != 2:
            return f"compiled, but its ids have shape {ids.shape}"
        results = core.run(ids.tolist())
        ours = [np.asarray(found) for found in (results.logits, results.embedding) if found is not None]
        for wanted in map(np.asarray, outputs):
            near = [got for got in ours if got.shape == wanted.shape]
            limit = tolerance * max(float(np.abs(wanted).max()), 1e-6)
            if not any(np.abs(got - wanted).max() <= limit for got in near):
                return f"the core gives {[got.tolist() for got in ours]}, onnx expects {wanted.tolist()}"
    return ""


def _nth(index: int) -> Outcome:
    case = _cases[index]
    return outcome(case.name, case.model.SerializeToString(), case.data_sets, case.rtol)


def outcomes(workers: int) -> Iterator[Outcome]:
    """Of all node tests, in their order, from `workers` processes; a process that dies ends the run with an error."""
    _cases[:] = node_tests()
    with ProcessPoolExecutor(workers, multiprocessing.get_context("fork")) as pool:
        yield from pool.map(_nth, range(len(_cases)), chunksize=CHUNK)


def main() -> int:
    """Print the counts and every fault; the exit code."""
    found = list(outcomes(os.cpu_count() or 1))
    faults = [item for item in found if item.kind in ("wrong", "traceback")]
    for item in faults:
        print(f"{item.name}: {item.kind}\n{item.detail}")
    kinds = Counter(item.kind for item in found)
    codes = Counter(item.detail for item in found if item.kind == "refused")
    print(f"node tests of onnx: {len(found):,}")
    for kind in ("right", "refused", "wrong", "traceback"):
        print(f"  {kind:<10} {kinds[kind]:>6,}")
    print("  refused by code: " + ", ".join(f"{code} {count:,}" for code, count in sorted(codes.items())))
    if len(found) < FEWEST:
        print(f"at least {FEWEST:,} were expected: the node tests of this onnx were not found")
    return 1 if faults or len(found) < FEWEST else 0


if __name__ == "__main__":
    sys.exit(main())
