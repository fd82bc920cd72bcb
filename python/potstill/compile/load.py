"""Read an ONNX file into one flat graph: functions inlined, half precision widened."""

from __future__ import annotations

import contextlib
import importlib
import math
import os
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from potstill.card.notes import notes_in
from potstill.compile.bounds import array_of, check_functions, first_line, nodes_within
from potstill.compile.halves import widen_halves
from potstill.errors import CompileError, missing_package

if TYPE_CHECKING:
    from potstill.still.arrays import Array
_STANDARD_DOMAINS = ("", "ai.onnx")
_LOOPS = ("Loop", "Scan")
_LONGEST_NAME = 200  # of a node, as errors show it


@dataclass
class Node:
    """One ONNX node: attributes decoded to Python values (tensors to numpy arrays)."""

    op: str
    domain: str
    name: str
    inputs: list[str]
    outputs: list[str]
    attributes: dict[str, Any]
    proto: Any

    @property
    def label(self) -> str:
        """How errors name it: operator and node name (or first output when the node has no name)."""
        return label_of(self.op, self.name, self.outputs)


def label_of(op: str, name: str, outputs: Sequence[str]) -> str:
    """See `Node.label`; a node without name and outputs is known by its operator alone."""
    own = name or next(iter(outputs), "")
    return f"{op} node {own[:_LONGEST_NAME]!r}" if own else f"{op} node"


@dataclass
class Source:
    """A loaded model: the ONNX protobuf, its nodes and its constants by value name."""

    path: Path
    model: Any
    nodes: list[Node]
    constants: dict[str, Array]
    sessions: dict[tuple[str, ...], Any] = field(default_factory=dict)  # onnxruntime's, by what they compute
    halved: bool = False  # the file held numbers in half precision
    causes: dict[str, str] = field(default_factory=dict)  # why a node, by its first output, was not rewritten

    @property
    def inputs(self) -> list[Any]:
        """Graph inputs that are not initializers."""
        return [value for value in self.model.graph.input if value.name not in self.constants]

    @property
    def opset(self) -> int:
        """Version of the standard operators; 1 when the model imports none."""
        return next((int(o.version) for o in self.model.opset_import if o.domain in _STANDARD_DOMAINS), 1)

    @property
    def notes(self) -> dict[str, Any]:
        """What the exporter noted of the model: see `potstill.card.notes`."""
        return notes_in({prop.key: prop.value for prop in self.model.metadata_props})

    @property
    def outputs(self) -> list[str]:
        return [value.name for value in self.model.graph.output]


def load_onnx(path: Path) -> Source:
    """Load, check and flatten an ONNX model.

    Args:
        path: the `.onnx` file; weights may lie in external data files beside it.

    Raises:
        CompileError: no such file; not an ONNX model or cut short; external data missing or too short,
            the graph is not valid ONNX; control flow that depends on the text; a tensor that cannot be
            read; functions without end; sparse weights.
    """
    try:
        import onnx
        import onnx.inliner
    except ImportError as error:
        raise missing_package("onnx", "build", "potstill compile") from error

    model = _parse(path)
    _check(model, path)
    if model.functions:
        check_functions(model, path)
        model = onnx.inliner.inline_local_functions(model)
    if model.graph.sparse_initializer:
        raise CompileError("C122", "sparse weights are not supported", str(path), "export the weights as plain tensors")
    halved = widen_halves(model, str(path))
    source = flatten(model, path)
    source.halved = halved
    return source


def flatten(model: Any, path: Path) -> Source:
    """The `Source` view of an ONNX protobuf; Constant nodes become constants."""
    from onnx import helper

    constants: dict[str, Array] = {i.name: array_of(i, str(path)) for i in model.graph.initializer}
    nodes = []
    for proto in model.graph.node:
        attributes = {}
        for attribute in proto.attribute:
            value = helper.get_attribute_value(attribute)
            if attribute.type == attribute.TENSOR:
                value = array_of(value, str(path))
            elif attribute.type == attribute.STRING:
                value = value.decode("utf-8", "replace")
            attributes[attribute.name] = value
        domain = "" if proto.domain in _STANDARD_DOMAINS else proto.domain
        node = Node(proto.op_type, domain, proto.name, list(proto.input), list(proto.output), attributes, proto)
        if node.op in _LOOPS:  # before any is run: it might never end
            raise CompileError(
                "C009", "loops are not supported", node.label, "export the encoder with torch.onnx.export(dynamo=True)"
            )
        if node.op == "Constant" and not domain:
            constants[node.outputs[0]] = _constant_value(node)
        else:
            nodes.append(node)
    return Source(path, model, nodes, constants)


def _parse(path: Path) -> Any:
    import onnx

    # protobuf comes with onnx; it ships no types, so it is imported as a value
    decode_error: type[Exception] = importlib.import_module("google.protobuf.message").DecodeError
    if not os.path.isfile(path):  # noqa: PTH113 (Path.is_file fails on names that no system takes)
        raise CompileError("C001", "no such ONNX file", str(path), "check the path or export the model first")
    try:
        model = onnx.load(str(path), load_external_data=False)
    except OSError as error:
        raise CompileError("C001", f"cannot read the file: {error}", str(path), "check its permissions") from error
    except (decode_error, MemoryError, ValueError, TypeError) as error:
        raise _not_onnx(path) from error
    if not model.graph.node or not model.opset_import:
        raise _not_onnx(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of keys that onnx does not know: they change nothing
            onnx.load_external_data_for_model(model, str(path.parent))
    except (MemoryError, OSError, RuntimeError, TypeError, ValueError, onnx.checker.ValidationError) as error:
        raise CompileError(
            "C003",
            f"the weights kept outside the ONNX file cannot be read ({first_line(error)})",
            str(path),
            "put its data files beside it, or export with external_data=False",
        ) from error
    for tensor in model.graph.initializer:
        _check_size(tensor, path)
    return model


def _not_onnx(path: Path) -> CompileError:
    return CompileError(
        "C002", "this is not an ONNX model, or the file is cut short", str(path), "export or copy the file again"
    )


def _check_size(tensor: Any, path: Path) -> None:
    """A data file cut short gives a tensor with fewer bytes than its shape needs."""
    from onnx import helper

    if tensor.HasField("raw_data") and tensor.data_type in helper.get_all_tensor_dtypes():
        item = helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
        if len(tensor.raw_data) < math.prod(tensor.dims) * item and tensor.data_type not in _SUB_BYTE:
            raise CompileError(
                "C003",
                f"the weight {tensor.name!r} has {len(tensor.raw_data)} bytes, its shape needs more",
                str(path),
                "the file or its data file is cut short: export or copy it again",
            )


# uint4, int4, float4: several values a byte.
_SUB_BYTE = (21, 22, 23)


def _check(model: Any, path: Path) -> None:
    import onnx

    try:
        with _of_its_own_domain(model):
            onnx.checker.check_model(model)
    except (onnx.checker.ValidationError, ValueError) as error:
        # ValueError: a model above the 2 GiB limit of protobuf cannot be handed to the checker.
        raise CompileError(
            "C004", f"the graph is not valid ONNX ({first_line(error)})", str(path), "export the model again"
        ) from error


# onnxruntime's optimizers write these among the standard operators, whatever the opset; standard since, if ever.
_AMONG_STANDARD = {"LayerNormalization": 17, "SimplifiedLayerNormalization": math.inf}


@contextlib.contextmanager
def _of_its_own_domain(model: Any) -> Iterator[None]:
    """Operators of onnxruntime among the standard ones, for as long as the checker looks, in a domain unknown to it."""
    from onnx import helper

    opset = max((int(o.version) for o in model.opset_import if o.domain in _STANDARD_DOMAINS), default=1)
    own = [
        node for node in nodes_within(model.graph.node)
        if not node.domain and opset < _AMONG_STANDARD.get(node.op_type, 0)
    ]  # fmt: skip
    if own:
        model.opset_import.append(helper.make_opsetid("potstill.unchecked", 1))
    for node in own:
        node.domain = "potstill.unchecked"
    try:
        yield
    finally:
        for node in own:
            node.domain = ""
        if own:
            model.opset_import.pop()


def _constant_value(node: Node) -> Array:
    import numpy as np

    for key, dtype in (
        ("value_float", np.float32),
        ("value_floats", np.float32),
        ("value_int", np.int64),
        ("value_ints", np.int64),
    ):
        if key in node.attributes:
            return np.asarray(node.attributes[key], dtype)
    value = node.attributes.get("value")
    if value is None:
        raise CompileError(
            "C006", "a constant of this kind is not supported", node.label, "export the model with plain tensors"
        )
    return np.asarray(value)
