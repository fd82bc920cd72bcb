"""ONNX graphs with up to three things changed at random: compiled and right, or a numbered error, never a traceback."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from onnx_graphs import encoder
from potstill.compile import compile_onnx
from potstill.errors import PotstillError

MUTATIONS = 160


def words(text: str) -> list[str]:
    return text.split()


OPS = words(
    "Add Sub Mul Div Pow Max Min Sqrt Neg Abs Exp Erf Tanh Relu Sigmoid Identity Dropout Cast IsNaN Where Gather "
    "LayerNormalization Expand Transpose Split Slice Softmax MatMul Gemm Einsum Reshape Flatten Squeeze Unsqueeze "
    "ReduceMean ReduceSum Clip Concat Shape Size NonZero ArgMax TopK Equal Not And Range Tile Pad CumSum OneHot "
    "Sin Gelu Attention ConstantOfShape Constant GatherND ScatterND If Loop SequenceConstruct SplitToSequence "
    "Optional StringNormalizer QuantizeLinear Bernoulli RandomNormal Trilu Mod Compress Unique DFT EyeLike "
    "Hardmax"
)
VARIANTS: tuple[dict[str, Any], ...] = (
    {"qkv": "fused_5d", "norm": "rsqrt", "activation": "tanh_form", "types": "input"},
    {"linear": "einsum", "masking": "where", "nan_guard": True, "pool": "matmul"},
    {"norm": "pow", "linear": "gemm", "qkv": "fused", "scale": "q", "activation": "erf_mul", "pool": "cls_slice"},
    {"shape": [1, 9], "positions": "rows", "head": "tokens"},
)
NUMBERS = (-(2**63), -(2**31), -100, -2, -1, 0, 1, 2, 3, 7, 32, 61, 1000, 2**31, 2**40, 2**62)
SHAPES: tuple[tuple[int, ...], ...] = (
    (),
    (0,),
    (1,),
    (32,),
    (0, 32),
    (61, 0),
    (1, 1),
    (32, 32),
    (1, 7),
    (7, 32),
    (2, 3, 4),
)
TYPES = range(28)


def change(model: Any, random: np.random.Generator) -> str:
    """Change one thing; says what."""
    graph = model.graph

    def pick(items: Any) -> Any:
        return items[int(random.integers(len(items)))]

    names = [n for node in graph.node for n in (*node.input, *node.output)] + [t.name for t in graph.initializer]
    node, weight = pick([n for n in graph.node if n.input]), pick(graph.initializer)
    kind = int(random.integers(16))
    if kind == 0:
        node.op_type = pick(OPS)
    elif kind == 1:
        node.input[int(random.integers(len(node.input)))] = pick([*names, "", "input_ids", "no_such_value"])
    elif kind == 2:
        del node.input[int(random.integers(len(node.input))) :]
    elif kind == 3:
        node.input.append(pick([*names, ""]))
    elif kind == 4:
        del graph.node[int(random.integers(len(graph.node)))]
    elif kind == 5:
        graph.node.insert(int(random.integers(len(graph.node))), helper.make_node(pick(OPS), [pick(names)], ["made"]))
        node.input[0] = "made"
    elif kind == 6:
        shape = pick(SHAPES)
        values = random.standard_normal(shape) * float(pick((1.0, 1e-40, 1e38, np.nan)))
        dtype = pick((np.float32, np.float64, np.float16, np.int64, np.int32, np.int8, bool, np.complex64))
        with np.errstate(all="ignore"):
            weight.CopyFrom(numpy_helper.from_array(np.asarray(np.nan_to_num(values)).astype(dtype), weight.name))
    elif kind == 7:
        weight.data_type = int(pick(TYPES))
    elif kind == 8 and weight.dims:
        weight.dims[int(random.integers(len(weight.dims)))] = pick(NUMBERS)
    elif kind == 9:
        weight.CopyFrom(helper.make_tensor(weight.name, TensorProto.STRING, [2], [b"a", b"\xff\x1b["]))
    elif kind == 10 and node.attribute:
        attribute = pick(node.attribute)
        attribute.i = pick(NUMBERS)
        for index in range(len(attribute.ints)):
            attribute.ints[index] = pick(NUMBERS)
        attribute.f = float(pick((0.0, -1.0, np.inf, np.nan, 1e-30)))
    elif kind == 11:
        node.attribute.append(helper.make_attribute(pick(("axis", "axes", "to", "perm", "keepdims")), pick(NUMBERS)))
    elif kind == 12:
        value = pick([*graph.input, *graph.output])
        value.type.tensor_type.elem_type = int(pick(TYPES))
    elif kind == 13:
        value = pick(graph.input)
        dims = value.type.tensor_type.shape.dim
        dims[int(random.integers(len(dims)))].dim_value = pick(NUMBERS)
    elif kind == 14:
        graph.output[0].name = pick(names)
    else:
        values = np.array(pick(((), (0,), (-1,), (2**62,), (1, 7, 32), (7,), (-1, 0), (1, 2, 3, 4, 5))), np.int64)
        weight.CopyFrom(numpy_helper.from_array(values, weight.name))
    return f"{kind} at {node.name} or {weight.name}"


BINARY = ("Add", "Sub", "Mul", "Div", "Pow", "Max", "Min", "MatMul", "Mod", "Equal", "PRelu", "Gemm")
UNARY = words(
    "Sqrt Neg Abs Exp Erf Tanh Relu Sigmoid Identity Dropout Softmax Softplus Sin Sign IsNaN Floor Transpose "
    "Shape Size Flatten Squeeze ReduceMean ReduceSum ReduceMax ArgMax NonZero LogSoftmax CumSum Cast"
)
TARGETS = ((-1,), (1, -1), (0, -1), (1, -1, 1), (-1, 32), (32, -1), (1, 7, 4, 8), (1, 4, -1, 8), (0, 0, 32), (0,))


def change_mildly(model: Any, random: np.random.Generator) -> str:
    """Change one thing so that the graph mostly stays valid, and gets as far as the compiler's own parts."""
    graph = model.graph

    def pick(items: Any) -> Any:
        return items[int(random.integers(len(items)))]

    node = pick([n for n in graph.node if n.input])
    place = list(graph.node).index(node)
    kind, count = int(random.integers(9)), len(graph.node)
    made = f"made_{count}"

    def insert(op: str, inputs: list[str], **attributes: Any) -> None:
        """Between the node and its first input."""
        graph.node.insert(place, helper.make_node(op, inputs, [made], f"inserted_{count}", **attributes))
        graph.node[place + 1].input[0] = made

    def constant(values: Any, dtype: Any = np.int64) -> str:
        name = f"constant_{count}_{len(graph.initializer)}"
        graph.initializer.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    x = node.input[0]
    if kind == 0:
        same = BINARY if node.op_type in BINARY else UNARY
        node.op_type = pick(same)
    elif kind == 1:
        insert(pick(UNARY), [x])
    elif kind == 2:
        insert(pick(BINARY), [x, pick((x, constant(pick((0.0, 1.0, -1.0, 2.0)), np.float32)))])
    elif kind == 3:
        insert("Reshape", [x, constant(pick(TARGETS))])
    elif kind == 4:
        start, end, axis, step = (int(random.integers(low, high)) for low, high in ((-2, 3), (-2, 9), (-3, 3), (1, 3)))
        insert("Slice", [x, constant([start]), constant([end]), constant([axis]), constant([step])])
    elif kind == 5:
        insert("Unsqueeze", [x, constant([int(random.integers(-3, 3))])])
    elif kind == 6:
        insert("Gather", [x, constant(pick((0, -1, [0], [0, 1], [1, 0], [], [[0]])))], axis=int(random.integers(-2, 3)))
    elif kind == 7 and node.attribute:
        attribute = pick(node.attribute)
        attribute.i = int(random.integers(-3, 4))
        for index in range(len(attribute.ints)):
            attribute.ints[index] = int(random.integers(-3, 4))
        attribute.f = float(pick((0.0, -1.0, 1e-12, 3.0)))
    else:
        weight = pick(graph.initializer)
        shape = pick((tuple(weight.dims), tuple(weight.dims)[-1:], (1,), (), (1, *weight.dims), (0,)))
        dtype = helper.tensor_dtype_to_np_dtype(weight.data_type)
        fill = pick((0, 1, 2, -1))
        weight.CopyFrom(numpy_helper.from_array(np.full(shape, fill, dtype), weight.name))
    return f"mildly {kind} at {node.name}"


def seeds(folder: Path) -> list[bytes]:
    """Encoders in different spellings."""
    made = [encoder(folder / "plain.onnx")]
    for index, options in enumerate(VARIANTS):
        made.append(encoder(folder / f"{index}.onnx", **options))
    return [path.read_bytes() for path in made]


def tried(data: bytes, seed: int, folder: Path) -> str:
    """The error's code, or "compiled"."""
    random = np.random.default_rng(seed)
    model = onnx.load_model_from_string(data)
    changed, most = (change_mildly, 3) if random.integers(4) else (change, 2)
    said = [changed(model, random) for _ in range(int(random.integers(1, most + 1)))]
    path, out = folder / "m.onnx", folder / "m.still"
    path.write_bytes(model.SerializeToString())
    try:
        compile_onnx(path, out, scheme="fp32", max_tokens=9)
    except PotstillError as error:
        assert not out.exists()
        assert len(str(error).splitlines()) == 1 and str(error).isprintable()
        return error.code
    except Exception as error:
        raise AssertionError(f"seed {seed}: {said}: {error!r}") from error
    out.unlink()
    return "compiled"


def test_changed_graphs(tmp_path: Path) -> None:
    made = seeds(tmp_path)
    found = Counter(tried(made[seed % len(made)], seed, tmp_path) for seed in range(MUTATIONS))
    # Neither everything refused at the door nor everything accepted: the changes reach all parts of the compiler.
    assert len(found) >= 10 and 0 < found["compiled"] < MUTATIONS // 2, found


if __name__ == "__main__":
    pytest.main([__file__])
