"""Fix the batch to 1, the length to a number and the mask to ones, then fold everything that no longer depends on text.

The core runs every text by itself, unpadded. Under exactly these conditions the mask, the position ids and all shape
arithmetic of any exporter are constants, so onnxruntime is asked for the value of every node once, and what remains
is the arithmetic on token ids alone. A wrong guess cannot hide: the compiled graph is compared with the original at
several lengths afterwards (verify.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from potstill.compile.ids import IdTest, compared_with, id_tests
from potstill.compile.load import Node, Source, flatten
from potstill.compile.run import SHAPE_OPS, names_used, run_onnx
from potstill.errors import CompileError
from potstill.still.arrays import Array

# Any small prime would do: a length that no other dimension of a model is likely to share.
PROBE_LENGTH = 7
_LONGEST = 1 << 16  # tokens of a fixed length that are worth trying; files take fewer


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

    whole: Source  # as it was read
    source: Source  # with each branch on shapes replaced by the side that is taken at this length
    inputs: Inputs
    length: int
    values: dict[str, Array]  # every value that does not depend on the ids
    shapes: dict[str, tuple[int, ...]]  # of values that do
    nodes: list[Node]  # those that depend on the ids, in order
    sample_id: int = 0  # an id the graph was run with; not its padding id
    tests: Mapping[str, IdTest] = field(default_factory=dict)  # values taken for constant, by name
    notes: list[str] = field(default_factory=list)


def classify_inputs(source: Source) -> Inputs:
    """Tell the roles of the inputs by their names, as exporters and HF models name them.

    Raises:
        CompileError: an input with no known role, or none that can be the token ids; a fixed batch above 1.
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
    if fixed is not None and not 0 < fixed <= _LONGEST:
        raise CompileError(
            "C124", f"the model takes texts of {fixed:,} tokens", str(source.path), "export it with a dynamic length"
        )
    if "ids" not in roles:
        raise CompileError(
            "C007", "no integer input that can be the token ids", str(source.path), "export the encoder with input_ids"
        )
    return Inputs(
        roles["ids"], roles.get("mask"), roles.get("token_types"), roles.get("positions"), dtypes, fixed
    )  # fmt: skip


def specialise(source: Source, ids: Sequence[int], inputs: Inputs) -> Specialised:
    """Run the graph on one sequence and separate constants from the arithmetic on ids.

    Raises:
        CompileError: the graph cannot run at this length; control flow that depends on the text.
    """
    whole, source = source, _resolve_branches(source, ids, inputs)
    tests = id_tests(source, inputs)
    special = {i for test in tests.values() for i in test.others}
    plain = next((i for i in ids if i not in special), None)
    if plain is None:  # every id of the sample is one that the graph asks for
        plain = next(i for i in range(len(special) + 1) if i not in special)
    ids = [plain if i in special else i for i in ids]
    names = [name for node in source.nodes for name in node.outputs if name]
    try:
        found = run_onnx(source, inputs.feed(ids), names)
    except CompileError as error:
        raise _only_with(source, inputs, ids, names) or error from error
    for name, value in inputs.feed(ids).items():
        found[name] = value
    result = Specialised(whole, source, inputs, len(ids), dict(source.constants), {}, [], tests=tests)
    _split(result, found)
    return result


def _only_with(source: Source, inputs: Inputs, ids: Sequence[int], names: Sequence[str]) -> CompileError | None:
    """Whether the model runs on texts with a certain id only, as one that looks for its place."""
    for special in compared_with(source, inputs.ids):
        try:
            run_onnx(source, inputs.feed([special, *ids[1:]]), names)
        except CompileError:
            continue
        return CompileError(
            "C102", f"the model runs only on texts with the id {special}", str(source.path),
            "use a model that pools by mean or by the first token, or the onnxruntime backend",
        )  # fmt: skip
    return None


def _split(result: Specialised, found: dict[str, Any]) -> None:
    """Fill in values, shapes and nodes."""
    source, inputs, tests = result.source, result.inputs, result.tests
    depends = {inputs.ids}
    # ONNX allows an initializer of the same name as an input (a default value): the input wins.
    result.values.update({k: v for k, v in found.items() if k in inputs.dtypes and k != inputs.ids})
    result.shapes[inputs.ids] = (1, result.length)
    result.sample_id = int(found[inputs.ids].reshape(-1)[0])
    for node in source.nodes:
        tainted = node.op not in SHAPE_OPS and any(name in depends for name in node.inputs)
        if tainted and node.outputs[0] in tests:
            tainted = False  # the same for all ids that a text may have (ids.py)
        if tainted:
            depends.update(name for name in node.outputs if name)
            result.nodes.append(node)
        for name in node.outputs:
            if name and isinstance(found.get(name), np.ndarray):
                if tainted:
                    result.shapes[name] = found[name].shape
                else:
                    result.values[name] = found[name]


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
        resolved = flatten(graph, source.path)
        resolved.halved, resolved.causes = source.halved, source.causes
        source = resolved
    raise CompileError("C009", "conditionals nest too deeply", str(source.path), "export a plain graph")


def _depends_on_ids(source: Source, name: str, ids: str) -> bool:
    depends = {ids}
    for node in source.model.graph.node:
        if node.op_type not in SHAPE_OPS and names_used([node]) & depends:
            depends.update(node.output)
    return name in depends
