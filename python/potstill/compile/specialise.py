"""Fix the batch to 1, the length to a number and the mask to ones, then fold everything that no longer depends on text.

The core runs every text by itself, unpadded. Under exactly these conditions the mask, the position ids and all shape
arithmetic of any exporter are constants, so onnxruntime is asked for the value of every node once, and what remains
is the arithmetic on token ids alone. A wrong guess cannot hide: the compiled graph is compared with the original at
several lengths afterwards (verify.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from potstill.compile.bounds import first_line, memory_bound
from potstill.compile.load import Node, Source, flatten
from potstill.errors import CompileError, missing_package

Array = NDArray[Any]

# Any small prime would do: a length that no other dimension of a model is likely to share.
PROBE_LENGTH = 7

_SHAPE_OPS = ("Shape", "Size")
_CONTROL_FLOW = ("Loop", "Scan")


@dataclass(frozen=True)
class Inputs:
    """The graph's inputs by role; each is the input's ONNX name or None."""

    ids: str
    mask: str | None
    token_types: str | None
    positions: str | None
    dtypes: dict[str, Any]
    fixed_length: int | None

    def feed(
        self, ids: Sequence[int], mask: Sequence[int] | None = None, types: Sequence[int] | None = None
    ) -> dict[str, Array]:
        """Arrays for one sequence; the mask is ones unless given, token types 0 unless given, positions 0, 1, ..."""
        length = len(ids)
        values: dict[str | None, Array] = {
            self.ids: np.asarray([ids]),
            self.mask: np.ones((1, length)) if mask is None else np.asarray([mask]),
            self.token_types: np.zeros((1, length)) if types is None else np.asarray([types]),
            self.positions: np.arange(length)[None, :],
        }
        return {name: value.astype(self.dtypes[name]) for name, value in values.items() if name is not None}


@dataclass
class Specialised:
    """The graph at one length: what is constant, and the nodes that compute on token ids."""

    source: Source
    inputs: Inputs
    length: int
    values: dict[str, Array]  # every value that does not depend on the ids
    shapes: dict[str, tuple[int, ...]]  # of values that do
    nodes: list[Node]  # those that depend on the ids, in order
    sample_id: int = 0  # an id the graph was run with; not its padding id
    notes: list[str] = field(default_factory=list)


def classify_inputs(source: Source) -> Inputs:
    """Tell the roles of the inputs by their names, as exporters and HF models name them.

    Raises:
        CompileError: C007 an input with no known role, or none that can be the token ids; C008 a fixed batch above 1.
    """
    from onnx import helper

    roles: dict[str, str] = {}
    dtypes = {}
    fixed = None
    for value in source.inputs:
        name, tensor = value.name, value.type.tensor_type
        if tensor.elem_type not in helper.get_all_tensor_dtypes():  # of sequences, maps and optional values it is 0
            raise CompileError(
                "C007", f"the input {name!r} is not a tensor of numbers", str(source.path),
                "export the encoder with input_ids and attention_mask only",
            )  # fmt: skip
        dtypes[name] = helper.tensor_dtype_to_np_dtype(tensor.elem_type)
        lower = name.lower()
        if "mask" in lower:
            role = "mask"
        elif "type" in lower or "segment" in lower:
            role = "token_types"
        elif "position" in lower:
            role = "positions"
        elif np.issubdtype(dtypes[name], np.integer):
            role = "ids"
        else:
            role = ""
        if not role or role in roles:
            raise CompileError(
                "C007", f"the input {name!r} is not one of token ids, attention mask, token types, position ids",
                str(source.path), "export the encoder with input_ids and attention_mask only",
            )  # fmt: skip
        roles[role] = name
        dims = [dim.dim_value if dim.HasField("dim_value") else None for dim in tensor.shape.dim]
        if tensor.HasField("shape"):
            if len(dims) != 2:
                raise CompileError(
                    "C007", f"the input {name!r} has {len(dims)} dimensions, expected [batch, length]",
                    str(source.path), "export the encoder with two-dimensional inputs",
                )  # fmt: skip
            if dims[0] is not None and dims[0] > 1:
                raise CompileError(
                    "C008", f"the batch is fixed to {dims[0]}", str(source.path),
                    "export with a dynamic batch, or with batch 1",
                )  # fmt: skip
            fixed = dims[1] if dims[1] else fixed
    if "ids" not in roles:
        raise CompileError(
            "C007", "no integer input that can be the token ids", str(source.path), "export the encoder with input_ids"
        )
    return Inputs(
        roles["ids"], roles.get("mask"), roles.get("token_types"), roles.get("positions"), dtypes, fixed
    )  # fmt: skip


def run_onnx(source: Source, feed: dict[str, Array], wanted: Sequence[str]) -> dict[str, Any]:
    """Values of the named outputs or inner values, computed by onnxruntime without graph optimisation.

    Raises:
        CompileError: C008 onnxruntime cannot run the model at this shape.
        SystemFailure: S010 onnxruntime is not installed.
    """
    wanted = [name for name in dict.fromkeys(wanted) if name]
    key = tuple(wanted)
    if key not in source.sessions:
        source.sessions[key] = _session(_part(source, wanted), source)
    session = source.sessions[key]
    known = {value.name for value in session.get_inputs()}
    try:
        with memory_bound():
            results = session.run(None, {name: value for name, value in feed.items() if name in known})
    except Exception as error:  # onnxruntime raises its own types, all derived from Exception only
        raise _cannot_run(source, error) from error
    return dict(zip(wanted, results, strict=True))


def _part(source: Source, wanted: Sequence[str]) -> Any:
    """The part of the model that the wanted values need, with them as outputs."""
    import onnx

    whole = source.model.graph
    keep = _ancestors(whole.node, wanted)
    nodes = [node for index, node in enumerate(whole.node) if index in keep]
    used = _names_used(nodes) | set(wanted)
    model = onnx.ModelProto(ir_version=source.model.ir_version)
    model.opset_import.extend(source.model.opset_import)
    model.graph.name = "part"
    model.graph.node.extend(nodes)
    model.graph.initializer.extend(tensor for tensor in whole.initializer if tensor.name in used)
    model.graph.input.extend(value for value in whole.input if value.name in used)
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
        "C008", f"onnxruntime cannot run the model on one text ({first_line(error)})", str(source.path),
        "export with dynamic batch and length, and check the model with onnxruntime",
    )  # fmt: skip


def specialise(source: Source, ids: Sequence[int], inputs: Inputs) -> Specialised:
    """Run the graph on one sequence and separate constants from the arithmetic on ids.

    Raises:
        CompileError: C008 the graph cannot run at this length, C009 control flow that depends on the text.
    """
    source = _resolve_branches(source, ids, inputs)
    names = [name for node in source.nodes for name in node.outputs if name]
    found = run_onnx(source, inputs.feed(ids), names)
    for name, value in inputs.feed(ids).items():
        found[name] = value
    return _split(source, inputs, found, len(ids))


def _split(source: Source, inputs: Inputs, found: dict[str, Any], length: int) -> Specialised:
    depends = {inputs.ids}
    result = Specialised(source, inputs, length, dict(source.constants), {}, [])
    # ONNX allows an initializer of the same name as an input (a default value): the input wins.
    result.values.update({k: v for k, v in found.items() if k in inputs.dtypes and k != inputs.ids})
    result.shapes[inputs.ids] = (1, length)
    result.sample_id = int(found[inputs.ids].reshape(-1)[0])
    for node in source.nodes:
        if node.op in _CONTROL_FLOW:
            raise CompileError(
                "C009", "loops are not supported", node.label, "export the encoder with torch.onnx.export(dynamo=True)"
            )
        tainted = node.op not in _SHAPE_OPS and any(name in depends for name in node.inputs)
        if tainted and _pad_test(node, result, inputs, found):
            tainted = False
        if tainted:
            depends.update(name for name in node.outputs if name)
            result.nodes.append(node)
        for name in node.outputs:
            if name and isinstance(found.get(name), np.ndarray):
                if tainted:
                    result.shapes[name] = found[name].shape
                else:
                    result.values[name] = found[name]
    return result


def _pad_test(node: Node, result: Specialised, inputs: Inputs, found: dict[str, Any]) -> bool:
    """`ids == pad`, with which RoBERTa-like graphs build positions or masks: false for every id of an unpadded text."""
    if node.op != "Equal":
        return False
    other = [result.values[name] for name in node.inputs if name in result.values]
    if len(other) != 1 or other[0].size != 1 or found[node.outputs[0]].any():
        return False
    note = f"the id {int(other[0].reshape(-1)[0])} marks padding and must not occur inside a sequence"
    if note not in result.notes:
        result.notes.append(note)
    return True


def _ancestors(nodes: Sequence[Any], wanted: Iterable[str]) -> set[int]:
    """Indices of the nodes that the wanted values need."""
    needed, keep = set(wanted), set()
    for index in range(len(nodes) - 1, -1, -1):
        if needed.intersection(nodes[index].output):
            keep.add(index)
            needed |= _names_used([nodes[index]])
    return keep


def _names_used(nodes: Sequence[Any]) -> set[str]:
    """Names the nodes read, including what branches of If nodes capture."""
    used: set[str] = set()
    for node in nodes:
        used.update(node.input)
        for attribute in node.attribute:
            if attribute.type == attribute.GRAPH:
                used |= _names_used(attribute.g.node)
                used.update(value.name for value in attribute.g.output)
    return used


def _resolve_branches(source: Source, ids: Sequence[int], inputs: Inputs) -> Source:
    """Replace every If whose condition does not depend on the ids by the branch it takes."""
    import onnx

    for _ in range(64):  # nested conditionals are resolved level by level
        index = next((i for i, n in enumerate(source.model.graph.node) if n.op_type == "If"), None)
        if index is None:
            return source
        node = source.model.graph.node[index]
        label = f"If node {node.name or node.output[0]!r}"
        if _depends_on_ids(source, node.input[0], inputs.ids):
            raise CompileError(
                "C009", "a branch depends on the text", label, "export the encoder without data-dependent control flow"
            )
        name = node.input[0]
        if name in source.constants:
            condition = source.constants[name]
        else:
            condition = run_onnx(source, inputs.feed(ids), [name])[name]
        branch = next(
            a.g for a in node.attribute if a.name == ("then_branch" if bool(np.all(condition)) else "else_branch")
        )
        graph = onnx.ModelProto()
        graph.CopyFrom(source.model)
        del graph.graph.node[index:]
        graph.graph.node.extend(branch.node)
        graph.graph.initializer.extend(branch.initializer)
        for inner, outer in zip(branch.output, node.output, strict=True):
            graph.graph.node.append(onnx.helper.make_node("Identity", [inner.name], [outer]))
        graph.graph.node.extend(source.model.graph.node[index + 1 :])
        source = flatten(graph, source.path)
    raise CompileError("C009", "conditionals nest too deeply", str(source.path), "export a plain graph")


def _depends_on_ids(source: Source, name: str, ids: str) -> bool:
    depends = {ids}
    for node in source.model.graph.node:
        if node.op_type not in _SHAPE_OPS and _names_used([node]) & depends:
            depends.update(node.output)
    return name in depends
