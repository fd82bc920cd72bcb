"""What a foreign file may ask for: refused before onnx, numpy or onnxruntime allocate it, run it or fall over it."""

from __future__ import annotations

import contextlib
import os
import resource
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from potstill.errors import CompileError

if TYPE_CHECKING:
    from potstill.still.arrays import Array
# Functions that call functions: PyTorch's exporter nests two deep. The inliner itself recurses, and has no bound.
_DEEPEST_CALL = 64
_MOST_NODES = 1_000_000  # after inlining; the largest encoders have some thousands
# What computing the graph's values may take. The largest intermediate of a large encoder at 4,096 tokens is 1 GiB.
_MEMORY = 4 << 30
_bounding = threading.Lock()  # the bound is the whole process's
_MEMORY_SHARE = 2  # and never more than this part of the machine's


def first_line(error: BaseException) -> str:
    """What a library said, in one line of at most 300 characters."""
    lines = str(error).strip().splitlines()
    return lines[0][:300] if lines else type(error).__name__


def array_of(tensor: Any, where: str) -> Array:
    """The values of a `TensorProto`.

    Raises:
        CompileError: its values do not fit its type and shape, or its type is unknown.
    """
    from onnx import numpy_helper

    try:
        if any(size < 0 for size in tensor.dims):
            raise ValueError(f"its shape is {list(tensor.dims)}")
        return numpy_helper.to_array(tensor)
    except (KeyError, NotImplementedError, OverflowError, TypeError, ValueError) as error:
        what = f"the tensor {tensor.name!r} cannot be read ({first_line(error)})"
        raise CompileError("C120", what, where, "export the model again") from error


def nodes_within(nodes: Iterable[Any]) -> Iterator[Any]:
    """The nodes and those of their subgraphs; protobuf itself bounds how deep these nest."""
    for node in nodes:
        yield node
        for attribute in node.attribute:
            for graph in (attribute.g, *attribute.graphs):
                yield from nodes_within(graph.node)


def check_functions(model: Any, path: Path) -> None:
    """Refuse functions that call themselves, nest too deeply or multiply beyond reason.

    Raises:
        CompileError: they call themselves or grow too far.
    """
    functions = {(f.domain, f.name): f for f in model.functions}
    known: dict[tuple[str, str], int] = {}

    def size(nodes: Iterable[Any], depth: int) -> int:
        if depth > _DEEPEST_CALL:
            raise _functions(f"call each other more than {_DEEPEST_CALL} deep, or themselves", path)
        total = 0
        for node in nodes_within(nodes):
            key = (node.domain, node.op_type)
            if key in functions and key not in known:
                known[key] = size(functions[key].node, depth + 1)
            total += known.get(key, 1)
        if total > _MOST_NODES:
            raise _functions(f"make more than {_MOST_NODES:,} nodes", path)
        return total

    size(model.graph.node, 0)


def _functions(problem: str, path: Path) -> CompileError:
    return CompileError("C121", f"the model's functions {problem}", str(path), "export a plain graph without functions")


@contextlib.contextmanager
def memory_bound() -> Iterator[None]:
    """Let the process have `_MEMORY` more than it has: a graph that asks for more fails, and not the machine."""
    statm = Path("/proc/self/statm")
    if not statm.exists() or not _bounding.acquire(blocking=False):
        yield  # not Linux, or another thread's bound is in force
        return
    try:
        with _bounded(statm):
            yield
    finally:
        _bounding.release()


@contextlib.contextmanager
def _bounded(statm: Path) -> Iterator[None]:
    page = os.sysconf("SC_PAGE_SIZE")
    more = min(_MEMORY, os.sysconf("SC_PHYS_PAGES") * page // _MEMORY_SHARE)
    data = int(statm.read_text(encoding="ascii").split()[5]) * page
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    bound = data + more
    if any(limit != resource.RLIM_INFINITY and limit <= bound for limit in (soft, hard)):
        yield  # the user's own bound is tighter
        return
    resource.setrlimit(resource.RLIMIT_DATA, (bound, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))
