"""Every node test of the installed onnx through the compiler: its file is right, or there is a numbered error.

onnx makes its node tests itself: 1,884 small models (onnx 1.23) of all operators, types and opsets. The core
runs hardly any of them, which makes them a good test of refusal. To get past the first checks, each is also tried
behind an embedding table whose rows are its first input: the token ids 0, 1, ... then give just that input.
``python -m toolchains.sessions.conformance`` prints the counts and exits 1 when a model compiles to something else than
onnx expects, or ends in anything but an error of ours.
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

# Fewer mean that the tests were not found.
FEWEST = 1500
BEHIND = ", behind a table"  # ends the names of the second form
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


def behind_table(model: Any, inputs: Any, outputs: Any) -> tuple[Any, Any, Any] | None:
    """The same model with its first f32 input made by looking up token ids, the others constant, its first output as
    one row a token where it can be one, else a row a text; None for a case that has no such input and output.

    Returns:
        Model, its inputs and its outputs.
    """
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    floats = [i for i, x in enumerate(inputs) if _is_f32(x)]
    tensors = all(value.type.HasField("tensor_type") for value in model.graph.input)
    if not floats or not tensors or not _is_f32(outputs[0]):
        return None
    made, x, y = floats[0], inputs[floats[0]], outputs[0]
    rows = x.size // x.shape[-1]
    per_token = y.size % rows == 0
    y = y.reshape((1, rows, -1) if per_token else (1, -1))
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    graph = changed.graph
    names = [value.name for value in graph.input]
    for name, value in zip(names, inputs, strict=True):
        if name != names[made]:
            tensor = value if isinstance(value, TensorProto) else numpy_helper.from_array(np.asarray(value))
            graph.initializer.add().CopyFrom(tensor)
            graph.initializer[-1].name = name
    for name, array in (
        ("t.table", x.reshape(rows, -1)),
        ("t.shape", np.array(x.shape)),
        ("t.rows", np.array(y.shape)),
    ):
        graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
    nodes = [
        helper.make_node("Gather", ["t.table", "input_ids"], ["t.looked_up"]),
        helper.make_node("Reshape", ["t.looked_up", "t.shape"], [names[made]]),
        *graph.node,
        helper.make_node("Reshape", [graph.output[0].name, "t.rows"], ["logits"]),
    ]
    for field, values in (
        (graph.node, nodes),
        # Nothing reads the mask, but a fixed length without one is refused.
        (graph.input, [helper.make_tensor_value_info(n, TensorProto.INT64, [1, rows]) for n in ("input_ids", "mask")]),
        (graph.output, [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [None] * y.ndim)]),
    ):
        del field[:]
        field.extend(values)
    if not any(opset.domain in ("", "ai.onnx") for opset in changed.opset_import):
        changed.opset_import.append(helper.make_opsetid("", 17))
    return changed, [np.arange(rows)[None, :], np.ones((1, rows), np.int64)], [y]


def _is_f32(value: Any) -> bool:
    return getattr(value, "dtype", None) == "float32" and value.ndim > 0 and value.size > 0


def outcome(name: str, model: Any, data_sets: Any, tolerance: float, max_tokens: int | None = None) -> Outcome:
    """Compile one model and, if it compiles, compare the core with what onnx expects.

    Args:
        data_sets: pairs of inputs and outputs, in the order of the graph's.
        tolerance: relative to the greatest expected value.
        max_tokens: to tell the compiler that a fixed length is meant.
    """
    from potstill.compile import compile_onnx
    from potstill.errors import PotstillError

    with tempfile.TemporaryDirectory() as folder:
        path, still = Path(folder) / "model.onnx", Path(folder) / "model.still"
        path.write_bytes(model.SerializeToString())
        try:
            compile_onnx(path, still, scheme="fp32", max_tokens=max_tokens)
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
    from potstill.runtime.rows import TokenRows

    source = load_onnx(path)
    roles = classify_inputs(source)
    names = [value.name for value in source.model.graph.input]
    core = open_backend("native", still, 1)
    for inputs, outputs in data_sets:
        ids = np.asarray(dict(zip(names, inputs, strict=True))[roles.ids])
        results = core.run(TokenRows(ids.tolist()))
        ours = [np.asarray(found) for found in (results.logits, results.embedding) if found is not None]
        for wanted in map(np.asarray, outputs):
            near = [got.reshape(wanted.shape) for got in ours if got.size == wanted.size]
            limit = tolerance * max(float(np.abs(wanted).max()), 1e-6)
            if not any(np.abs(got - wanted).max() <= limit for got in near):
                return f"the core gives {[got.tolist() for got in ours]}, onnx expects {wanted.tolist()}"
    return ""


def _both_forms(index: int) -> list[Outcome]:
    case = _cases[index]
    found = [outcome(case.name, case.model, case.data_sets, case.rtol)]
    behind = behind_table(case.model, *case.data_sets[0])
    if behind is not None:
        model, inputs, outputs = behind
        name = case.name + BEHIND
        found.append(outcome(name, model, [(inputs, outputs)], case.rtol, max_tokens=inputs[0].size))
    return found


def outcomes(workers: int) -> Iterator[Outcome]:
    """Of all node tests, in their order, from `workers` processes; a process that dies ends the run with an error."""
    _cases[:] = node_tests()
    with ProcessPoolExecutor(workers, multiprocessing.get_context("fork")) as pool:
        for found in pool.map(_both_forms, range(len(_cases)), chunksize=CHUNK):
            yield from found


def main() -> int:
    """Print the counts and every fault; the exit code."""
    found = list(outcomes(os.cpu_count() or 1))
    faults = [item for item in found if item.kind in ("wrong", "traceback")]
    for item in faults:
        print(f"{item.name}: {item.kind}\n{item.detail}")
    plain = [item for item in found if not item.name.endswith(BEHIND)]
    _show("node tests of onnx", plain)
    _show("the same behind an embedding table", [item for item in found if item.name.endswith(BEHIND)])
    if len(plain) < FEWEST:
        print(f"at least {FEWEST:,} were expected: the node tests of this onnx were not found")
    right = any(item.kind == "right" for item in found)
    if not right:
        print("none compiled: nothing was compared")
    return 1 if faults or len(plain) < FEWEST or not right else 0


def _show(title: str, found: list[Outcome]) -> None:
    kinds = Counter(item.kind for item in found)
    codes = Counter(item.detail for item in found if item.kind == "refused")
    print(f"{title}: {len(found):,}")
    for kind in ("right", "refused", "wrong", "traceback"):
        print(f"  {kind:<10} {kinds[kind]:>6,}")
    print("  refused by code: " + ", ".join(f"{code} {count:,}" for code, count in sorted(codes.items())))


if __name__ == "__main__":
    sys.exit(main())
