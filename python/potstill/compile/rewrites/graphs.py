"""A graph with some of its nodes replaced, and one whose constants are computed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from potstill.compile.load import Node, Source, flatten
from potstill.compile.run import SHAPE_OPS, names_used, run_onnx
from potstill.compile.steady import DRAWS
from potstill.still.arrays import Array


def rebuilt(source: Source, nodes: Iterable[Any], weights: Mapping[str, Array]) -> Source:
    """The source with other nodes and more constants; constants that nothing reads are dropped."""
    import onnx
    from onnx import numpy_helper

    whole, nodes = source.model.graph, list(nodes)
    model = onnx.ModelProto(ir_version=source.model.ir_version)
    model.opset_import.extend(source.model.opset_import)
    model.metadata_props.extend(source.model.metadata_props)
    graph, used = model.graph, names_used(nodes) | {value.name for value in whole.output}
    graph.name = whole.name
    graph.node.extend(nodes)
    graph.input.extend(whole.input)
    graph.output.extend(whole.output)
    graph.initializer.extend(tensor for tensor in whole.initializer if tensor.name in used)
    graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in weights.items() if name in used)
    made = flatten(model, source.path)
    made.halved = source.halved
    return made


def protos(source: Source) -> list[tuple[Any, Node | None]]:
    """The nodes as they are stored, each with its reading; constants have none."""
    read = {id(node.proto): node for node in source.nodes}
    return [(proto, read.get(id(proto))) for proto in source.model.graph.node]


def folded(source: Source) -> Source:
    """The source with what is computed from constants alone computed, by onnxruntime."""
    constant, kept, gone = set(source.constants), [], []
    inputs = {value.name for value in source.model.graph.input}
    for proto, node in protos(source):
        if node is None:
            kept.append(proto)
        elif (
            node.op not in (*SHAPE_OPS, *DRAWS) and any(node.inputs) and names_used([proto]) - {""} <= constant - inputs
        ):
            constant.update(node.outputs)
            gone.append(node)
        else:
            kept.append(proto)
    read = names_used(kept) | set(source.outputs)
    wanted = [name for node in gone for name in node.outputs if name in read]
    return rebuilt(source, kept, run_onnx(source, {}, wanted)) if wanted else source
