"""Rewrites of an exported ONNX graph: constant reshape targets, opset 13, tidy names."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

# IR versions of the first onnx releases with these opsets, so that old runtimes take the file.
_IR_OF_OPSET = {13: 7, 14: 7, 15: 8, 16: 8, 17: 8, 18: 8, 19: 9, 20: 9}


def rename_outputs(model: Any, names: list[str]) -> None:
    """Give the graph outputs these names, also where an inner value already has one of them."""
    graph = model.graph
    final = dict(zip([output.name for output in graph.output], names, strict=True))
    taken = {name for node in graph.node for name in node.output} - set(final)
    inner = {name: f"inner_{name}" for name in names if name in taken}
    mapping = {**inner, **final}
    for node in graph.node:
        for names_of in (node.input, node.output):
            for index, name in enumerate(names_of):
                names_of[index] = mapping.get(name, name)
    for value in [*graph.value_info, *graph.output]:
        value.name = mapping.get(value.name, value.name)


def constant_reshapes(model: Any) -> int:
    """Replace computed targets of Reshape by constants where the first two axes are kept (0 = copy); returns how many.

    Attention splits and joins heads between ``[batch, length, width]`` and ``[batch, length, heads, size]``; exporters
    compute that target with Shape and Concat nodes, which static engines and compilers refuse.
    """
    graph = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    shapes = {value.name: _dims(value) for value in [*graph.value_info, *graph.input, *graph.output]}
    constants = {tensor.name for tensor in model.graph.initializer}
    done = 0
    for node in model.graph.node:
        before, after = shapes.get(node.input[0], []), shapes.get(node.output[0], [])
        if node.op_type != "Reshape" or node.input[1] in constants or len(before) < 3 or len(after) < 3:
            continue
        if before[:2] != after[:2] or not all(isinstance(size, int) and size > 0 for size in after[2:]):
            continue
        name = f"{node.output[0]}_target"
        model.graph.initializer.append(numpy_helper.from_array(np.array([0, 0, *after[2:]], np.int64), name))
        node.input[1] = name
        # The exporter sets allowzero, under which 0 would mean an empty axis instead of a copied one.
        del node.attribute[:]
        done += 1
    _drop_dead(model)
    return done


def _dims(value: Any) -> list[Any]:
    return [d.dim_value if d.HasField("dim_value") else d.dim_param for d in value.type.tensor_type.shape.dim]


def _drop_dead(model: Any) -> None:
    graph = model.graph
    while True:
        used = {name for node in graph.node for name in node.input} | {output.name for output in graph.output}
        dead = [node for node in graph.node if not used.intersection(node.output)]
        if not dead:
            break
        for node in dead:
            graph.node.remove(node)
    for tensor in [tensor for tensor in graph.initializer if tensor.name not in used]:
        graph.initializer.remove(tensor)


def to_opset_13(model: Any) -> None:
    """Rewrite an opset 18 graph in place with operators of opset 13.

    LayerNormalization (17) becomes its definition in ReduceMean, Sub, Mul, Add, Sqrt and Div; ReduceMean and its kin
    (18) take their axes as an attribute again; a part of a shape (15) is cut by Slice. The rest of an encoder's graph
    reads the same in both.
    """
    graph = model.graph
    held = {tensor.name: tensor for tensor in graph.initializer}
    nodes = []
    for node in graph.node:
        if node.op_type == "LayerNormalization":
            nodes += _layer_norm(node, graph)
        elif node.op_type in ("ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd") and len(node.input) > 1:
            axes = numpy_helper.to_array(held[node.input[1]]).ravel().tolist()
            del node.input[1:]
            node.attribute.append(helper.make_attribute("axes", axes))
            nodes.append(node)
        elif node.op_type == "Reshape":
            # allowzero (14): no target of an encoder has an empty axis, so the older meaning of 0 fits.
            del node.attribute[:]
            nodes.append(node)
        elif node.op_type == "Shape" and node.attribute:
            nodes += _shape_part(node, graph)
        else:
            nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)
    set_opset(model, 13)
    _drop_dead(model)


def _layer_norm(node: Any, graph: Any) -> list[Any]:
    given = {a.name: a.f for a in node.attribute if a.name == "epsilon"}
    x, gamma, *beta = node.input
    out = node.output[0]
    epsilon = f"{out}_epsilon"
    graph.initializer.append(numpy_helper.from_array(np.array(given.get("epsilon", 1e-5), np.float32), epsilon))
    name = {part: f"{out}_{part}" for part in ("mean", "centred", "square", "variance", "shifted", "deviation", "unit")}
    scaled = f"{out}_scaled" if beta and beta[0] else out
    steps = [
        helper.make_node("ReduceMean", [x], [name["mean"]], axes=[-1], keepdims=1),
        helper.make_node("Sub", [x, name["mean"]], [name["centred"]]),
        helper.make_node("Mul", [name["centred"], name["centred"]], [name["square"]]),
        helper.make_node("ReduceMean", [name["square"]], [name["variance"]], axes=[-1], keepdims=1),
        helper.make_node("Add", [name["variance"], epsilon], [name["shifted"]]),
        helper.make_node("Sqrt", [name["shifted"]], [name["deviation"]]),
        helper.make_node("Div", [name["centred"], name["deviation"]], [name["unit"]]),
        helper.make_node("Mul", [name["unit"], gamma], [scaled]),
    ]
    if scaled != out:
        steps.append(helper.make_node("Add", [scaled, beta[0]], [out]))
    return steps


def _shape_part(node: Any, graph: Any) -> list[Any]:
    bounds = {a.name: a.i for a in node.attribute}
    out = node.output[0]
    inputs = [f"{out}_whole"]
    for key, default in (("start", 0), ("end", np.iinfo(np.int64).max)):
        inputs.append(f"{out}_{key}")
        graph.initializer.append(numpy_helper.from_array(np.array([bounds.get(key, default)], np.int64), inputs[-1]))
    return [helper.make_node("Shape", [node.input[0]], inputs[:1]), helper.make_node("Slice", inputs, [out])]


def set_opset(model: Any, opset: int) -> None:
    """Write the opset of the default domain and the oldest IR version that goes with it."""
    del model.opset_import[:]
    model.opset_import.append(helper.make_opsetid("", opset))
    model.ir_version = _IR_OF_OPSET.get(opset, 10)
