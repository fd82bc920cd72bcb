"""The ONNX rewrites, each on a graph of a few nodes, against onnxruntime."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from potstill.export import graph_passes as passes


def model_of(
    nodes: list[Any], constants: dict[str, Any], inputs: dict[str, list[Any]], outputs: dict[str, list[Any]]
) -> Any:
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


def run(model: Any, **feed: Any) -> list[Any]:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return list(session.run(None, feed))


def heads_model() -> Any:
    """[batch, length, 6] to [batch, length, 2, 3] with a target computed from the shape, as exporters write it."""
    nodes = [
        helper.make_node("Shape", ["x"], ["batch"], start=0, end=1),
        helper.make_node("Shape", ["x"], ["length"], start=1, end=2),
        helper.make_node("Concat", ["batch", "length", "heads", "size"], ["target"], axis=0),
        helper.make_node("Reshape", ["x", "target"], ["y"], allowzero=1),
    ]
    constants = {"heads": np.array([-1], np.int64), "size": np.array([3], np.int64)}
    return model_of(nodes, constants, {"x": ["b", "n", 6]}, {"y": ["b", "n", 2, 3]})


def test_constant_reshapes() -> None:
    model = heads_model()
    assert passes.constant_reshapes(model) == 1
    assert [node.op_type for node in model.graph.node] == ["Reshape"]
    onnx.checker.check_model(model, full_check=True)
    for shape in ((1, 1, 6), (4, 5, 6)):
        x = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
        np.testing.assert_array_equal(run(model, x=x)[0], x.reshape(*shape[:2], 2, 3))
    assert passes.constant_reshapes(model) == 0


def test_a_reshape_that_moves_the_first_axes_is_left_alone() -> None:
    nodes = [
        helper.make_node("Shape", ["x"], ["length"], start=1, end=2),
        helper.make_node("Concat", ["length", "rest", "three"], ["target"], axis=0),
        helper.make_node("Reshape", ["x", "target"], ["y"]),
    ]
    constants = {"rest": np.array([-1], np.int64), "three": np.array([3], np.int64)}
    model = model_of(nodes, constants, {"x": ["b", "n", 6]}, {"y": ["n", "m", 3]})
    assert passes.constant_reshapes(model) == 0
    assert len(model.graph.node) == 3


def test_outputs_get_their_names_even_if_taken() -> None:
    # "embedding" is an inner value here, as torch names the word lookup.
    nodes = [helper.make_node("Neg", ["x"], ["embedding"]), helper.make_node("Exp", ["embedding"], ["out_7"])]
    model = model_of(nodes, {}, {"x": [2]}, {"out_7": [2]})
    passes.rename_outputs(model, ["embedding"])
    onnx.checker.check_model(model, full_check=True)
    assert [value.name for value in model.graph.output] == ["embedding"]
    np.testing.assert_allclose(run(model, x=np.array([0, 1], np.float32))[0], np.exp([0, -1]), rtol=1e-6)


def test_opset_13_layer_norm_and_shape() -> None:
    nodes = [
        helper.make_node("LayerNormalization", ["x", "gain", "shift"], ["normed"], axis=-1, epsilon=1e-3),
        helper.make_node("LayerNormalization", ["normed", "gain"], ["again"], axis=-1),
        helper.make_node("ReduceMax", ["again", "axes"], ["top"], keepdims=1),
        helper.make_node("Shape", ["x"], ["length"], start=1, end=2),
        helper.make_node("Slice", ["table", "zero", "length", "one"], ["part"]),
        helper.make_node("Add", ["top", "part"], ["y"]),
    ]
    generator = np.random.default_rng(1)
    constants = {
        "gain": generator.normal(size=6).astype(np.float32),
        "shift": generator.normal(size=6).astype(np.float32),
        "axes": np.array([-1], np.int64),
        "table": generator.normal(size=(1, 9, 6)).astype(np.float32),
        "zero": np.array([0], np.int64),
        "one": np.array([1], np.int64),
    }
    model = model_of(nodes, constants, {"x": ["b", "n", 6]}, {"y": ["b", "n", 6]})
    x = generator.normal(size=(2, 5, 6)).astype(np.float32)
    wanted = run(model, x=x)[0]
    passes.to_opset_13(model)
    onnx.checker.check_model(model, full_check=True)
    assert model.opset_import[0].version == 13
    assert "LayerNormalization" not in {node.op_type for node in model.graph.node}
    np.testing.assert_allclose(run(model, x=x)[0], wanted, rtol=0, atol=1e-5)
