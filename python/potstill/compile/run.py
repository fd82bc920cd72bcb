"""Parts of an ONNX graph, run by onnxruntime."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from potstill.compile.bounds import first_line, memory_bound
from potstill.compile.load import Source
from potstill.errors import CompileError, missing_package
from potstill.still.arrays import Array

SHAPE_OPS = ("Shape", "Size")


def run_onnx(
    source: Source, feed: dict[str, Array], wanted: Sequence[str], given: Mapping[str, Array] | None = None
) -> dict[str, Any]:
    """Values of the named outputs or inner values, computed by onnxruntime without graph optimisation.

    `given` are inner values to be taken as they are, and not computed.

    Raises:
        CompileError: onnxruntime cannot run the model at this shape.
        SystemFailure: onnxruntime is not installed.
    """
    wanted = [name for name in dict.fromkeys(wanted) if name]
    given = given or {}
    key = (*wanted, "given", *given) if given else tuple(wanted)
    if key not in source.sessions:
        source.sessions[key] = _session(_part(source, wanted, given), source)
    session = source.sessions[key]
    known = {value.name for value in session.get_inputs()}
    try:
        with memory_bound():
            results = session.run(None, {name: value for name, value in {**feed, **given}.items() if name in known})
    except Exception as error:  # onnxruntime raises its own types, all derived from Exception only
        raise _cannot_run(source, error) from error
    return dict(zip(wanted, results, strict=True))


def _part(source: Source, wanted: Sequence[str], given: Mapping[str, Array]) -> Any:
    """The part of the model that the wanted values need, with them as outputs."""
    import onnx

    whole = source.model.graph
    keep = _ancestors(whole.node, wanted, given)
    nodes = [node for index, node in enumerate(whole.node) if index in keep]
    used = names_used(nodes) | set(wanted)
    model = onnx.ModelProto(ir_version=source.model.ir_version)
    model.opset_import.extend(source.model.opset_import)
    model.graph.name = "part"
    model.graph.node.extend(nodes)
    model.graph.initializer.extend(tensor for tensor in whole.initializer if tensor.name in used)
    model.graph.input.extend(value for value in whole.input if value.name in used)
    for name, value in given.items():
        kind = onnx.helper.np_dtype_to_tensor_dtype(value.dtype)
        model.graph.input.append(onnx.helper.make_tensor_value_info(name, kind, [None] * value.ndim))
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in wanted)
    return model


def _session(model: Any, source: Source) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise missing_package("onnxruntime", "build", "potstill compile") from error
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    try:
        with memory_bound():
            return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise _cannot_run(source, error) from error


def _cannot_run(source: Source, error: Exception) -> CompileError:
    return CompileError(
        "C125", f"onnxruntime cannot run the model on one text ({first_line(error)})", str(source.path),
        "export with dynamic batch and length, and check the model with onnxruntime",
    )  # fmt: skip


def _ancestors(nodes: Sequence[Any], wanted: Iterable[str], given: Iterable[str]) -> set[int]:
    """Indices of the nodes that the wanted values need beside the given ones."""
    needed, keep = set(wanted).difference(given), set()
    for index in range(len(nodes) - 1, -1, -1):
        if needed.intersection(nodes[index].output):
            keep.add(index)
            needed |= names_used([nodes[index]]).difference(given)
    return keep


def names_used(nodes: Sequence[Any]) -> set[str]:
    """Names the nodes read, including what branches of If nodes capture."""
    used: set[str] = set()
    for node in nodes:
        used.update(node.input)
        for attribute in node.attribute:
            if attribute.type == attribute.GRAPH:
                used |= names_used(attribute.g.node)
                used.update(value.name for value in attribute.g.output)
    return used
