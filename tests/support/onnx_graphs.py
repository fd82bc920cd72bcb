"""Hand-written ONNX encoders in many spellings: what exporters differ in is an argument here.

One layer, 4 heads of 8, 32 columns, 48 in the feed-forward, 61 token ids, 24 positions, 3 classes. Built from numpy
alone, so that a variant costs milliseconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from potstill.compile import CompileReport

Array = NDArray[Any]

VOCABULARY, POSITIONS, WIDTH, HEADS, HEAD, INNER, CLASSES = 61, 24, 32, 4, 8, 48, 3


@dataclass(frozen=True)
class Compiled:
    """The plain encoder as ONNX and as files of both schemes, with the reports of compiling (by scheme)."""

    onnx: Path
    fp32: Path
    int8: Path
    reports: dict[str, CompileReport]


class Builder:
    """Collects nodes and weights; every method returns the name of the value it made."""

    def __init__(self, seed: int = 0) -> None:
        self.random = np.random.default_rng(seed)
        self.nodes: list[Any] = []
        self.weights: list[Any] = []
        self.count = 0

    def name(self, stem: str) -> str:
        self.count += 1
        return f"{stem}_{self.count}"

    def const(self, value: Any, dtype: Any = np.float32) -> str:
        name = self.name("const")
        self.weights.append(numpy_helper.from_array(np.asarray(value, dtype), name))
        return name

    def ints(self, *values: int) -> str:
        return self.const(values, np.int64)

    def weight(self, *shape: int, scale: float = 0.2, mean: float = 0.0) -> str:
        return self.const(self.random.normal(mean, scale, shape))

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        return self.ops(1, kind, *inputs, **attributes)[0]

    def ops(self, outputs: int, kind: str, *inputs: str, domain: str = "", **attributes: Any) -> list[str]:
        made = [self.name(kind.lower()) for _ in range(outputs)]
        self.nodes.append(helper.make_node(kind, list(inputs), made, self.name(kind), domain=domain, **attributes))
        return made

    def save(self, path: Path, outputs: dict[str, str], inputs: dict[str, int], **options: Any) -> Path:
        """`outputs`: output name -> value; `inputs`: input name -> TensorProto type."""
        for final, value in outputs.items():
            self.nodes.append(helper.make_node("Identity", [value], [final]))
        shape = options.get("shape", ["batch", "length"])
        ranks = options.get("ranks", {})  # of single outputs, where they differ
        graph = helper.make_graph(
            self.nodes,
            "encoder",
            [helper.make_tensor_value_info(name, kind, shape) for name, kind in inputs.items()],
            [
                helper.make_tensor_value_info(name, TensorProto.FLOAT, [None] * ranks.get(name, options.get("rank", 2)))
                for name in outputs
            ],
            self.weights,
        )
        opsets = [helper.make_opsetid("", options.get("opset", 17)), helper.make_opsetid("com.microsoft", 1)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=options.get("ir_version", 9))
        onnx.save(model, str(path))
        return path


def linear(b: Builder, x: str, inputs: int, outputs: int, spelling: str = "matmul") -> str:
    """x [1, L, inputs] -> [1, L, outputs]."""
    bias = b.weight(outputs, scale=0.1)
    if spelling == "gemm":
        rows = b.op("Reshape", x, b.ints(-1, inputs))
        y = b.op("Gemm", rows, b.weight(outputs, inputs), bias, transB=1)
        return b.op("Reshape", y, b.op("Concat", b.op("Shape", x, end=2), b.ints(outputs), axis=0))
    if spelling == "einsum":
        return b.op("Add", b.op("Einsum", x, b.weight(inputs, outputs), equation="btc,cd->btd"), bias)
    if spelling == "transposed":
        return b.op("Add", bias, b.op("MatMul", x, b.op("Transpose", b.weight(outputs, inputs), perm=[1, 0])))
    return b.op("Add", b.op("MatMul", x, b.weight(inputs, outputs)), bias)


def norm(b: Builder, x: str, spelling: str = "op") -> str:
    gamma, beta = b.weight(WIDTH, scale=0.1, mean=1.0), b.weight(WIDTH, scale=0.1)
    if spelling == "op":
        return b.op("LayerNormalization", x, gamma, beta, axis=-1, epsilon=1e-5)
    eps = b.const(1e-5)
    mean = b.op("ReduceMean", x, axes=[-1])
    centred = b.op("Sub", x, mean)
    if spelling == "pow":
        variance = b.op("ReduceMean", b.op("Pow", centred, b.const(2.0)), axes=[-1])
        normal = b.op("Div", centred, b.op("Sqrt", b.op("Add", variance, eps)))
        return b.op("Add", b.op("Mul", normal, gamma), beta)
    if spelling == "rsqrt":
        variance = b.op("ReduceMean", b.op("Mul", centred, centred), axes=[-1])
        inverse = b.op("Reciprocal", b.op("Sqrt", b.op("Add", eps, variance)))
        return b.op("Add", beta, b.op("Mul", gamma, b.op("Mul", inverse, centred)))
    # As Keras writes it: x * k + (beta - mean * k) with k = gamma / sqrt(variance + eps).
    variance = b.op("ReduceMean", b.op("Mul", centred, centred), axes=[-1])
    k = b.op("Mul", b.op("Reciprocal", b.op("Sqrt", b.op("Add", variance, eps))), gamma)
    return b.op("Add", b.op("Mul", x, k), b.op("Sub", beta, b.op("Mul", mean, k)))


def activation(b: Builder, x: str, spelling: str) -> str:
    root, half, one = np.sqrt(2.0), 0.5, 1.0
    if spelling == "relu":
        return b.op("Relu", x)
    if spelling == "max0":
        return b.op("Max", x, b.const(0.0))
    if spelling == "tanh":
        return b.op("Tanh", x)
    if spelling == "contrib":
        return b.op("Gelu", x, domain="com.microsoft")
    if spelling == "silu":
        return b.op("Mul", x, b.op("Sigmoid", x))
    if spelling == "erf_div":  # x * (0.5 * (1 + erf(x / sqrt 2)))
        inner = b.op("Add", b.op("Erf", b.op("Div", x, b.const(root))), b.const(one))
        return b.op("Mul", x, b.op("Mul", b.const(half), inner))
    if spelling == "erf_mul":  # (x * 0.5) * (1 + erf(x * 0.7071))
        inner = b.op("Add", b.const(one), b.op("Erf", b.op("Mul", b.const(1 / root), x)))
        return b.op("Mul", b.op("Mul", x, b.const(half)), inner)
    if spelling == "erf_late":  # (x * (erf + 1)) * 0.5
        inner = b.op("Add", b.op("Erf", b.op("Div", x, b.const(root))), b.const(one))
        return b.op("Mul", b.op("Mul", x, inner), b.const(half))
    assert spelling == "tanh_form"
    cube = b.op("Mul", b.const(0.044715), b.op("Pow", x, b.const(3.0)))
    inner = b.op("Tanh", b.op("Mul", b.const(np.sqrt(2 / np.pi)), b.op("Add", x, cube)))
    return b.op("Mul", b.op("Mul", b.const(half), x), b.op("Add", b.const(one), inner))


def mask_bias(b: Builder, mask: str) -> str:
    """[1, 1, 1, L]: 0 where the mask is 1, about -3.4e38 where it is 0."""
    wide = b.op("Cast", b.op("Unsqueeze", mask, b.ints(1, 2)), to=TensorProto.FLOAT)
    return b.op("Mul", b.op("Sub", b.const(1.0), wide), b.const(np.finfo(np.float32).min))


def heads_of(b: Builder, x: str, order: list[int], size: int = HEAD) -> str:
    split = b.op("Reshape", x, b.ints(0, 0, HEADS, size))
    return b.op("Transpose", split, perm=order)


def attend(b: Builder, x: str, mask: str, **o: Any) -> str:
    """Attention with the given spelling; [1, L, WIDTH] -> [1, L, WIDTH] before the output projection."""
    kind, scale = o.get("qkv", "split"), o.get("scale", "div")
    if kind == "split":
        q, k, v = (linear(b, x, WIDTH, WIDTH, o.get("linear", "matmul")) for _ in range(3))
        q, v = heads_of(b, q, [0, 2, 1, 3]), heads_of(b, v, [0, 2, 1, 3])
        k = heads_of(b, k, [0, 2, 3, 1])
    else:
        fused = linear(b, x, WIDTH, 3 * WIDTH, o.get("linear", "matmul"))
        if kind == "fused":  # q | k | v
            q, k, v = b.ops(3, "Split", fused, b.ints(WIDTH, WIDTH, WIDTH), axis=2)
            q, v, k = heads_of(b, q, [0, 2, 1, 3]), heads_of(b, v, [0, 2, 1, 3]), heads_of(b, k, [0, 2, 3, 1])
        elif kind == "fused_5d":  # as timm: reshape to [1, L, 3, heads, d], transpose, Gather 0, 1, 2
            five = b.op("Transpose", b.op("Reshape", fused, b.ints(0, 0, 3, HEADS, HEAD)), perm=[2, 0, 3, 1, 4])
            q, k, v = (b.op("Gather", five, b.const(i, np.int64), axis=0) for i in range(3))
            k = b.op("Transpose", k, perm=[0, 1, 3, 2])
        else:  # interleaved, as GPT-NeoX: for each head q, k, v
            per_head = heads_of(b, fused, [0, 2, 1, 3], 3 * HEAD)
            q, k, v = (
                b.op("Slice", per_head, b.ints(i * HEAD), b.ints((i + 1) * HEAD), b.ints(3)) for i in range(3)
            )  # fmt: skip
            k = b.op("Transpose", k, perm=[0, 1, 3, 2])
    if scale == "q":
        q = b.op("Mul", q, b.const(HEAD**-0.5))
    if scale == "both":
        q, k = (b.op("Mul", part, b.const(HEAD**-0.25)) for part in (q, k))
    scores = b.op("MatMul", q, k)
    if scale == "div":
        scores = b.op("Div", scores, b.const(HEAD**0.5))
    if scale == "mul":
        scores = b.op("Mul", b.const(HEAD**-0.5), scores)
    masking = o.get("masking", "add")
    if masking == "add":
        scores = b.op("Add", scores, mask_bias(b, mask))
    elif masking == "where":
        hidden = b.op("Equal", b.op("Unsqueeze", mask, b.ints(1, 2)), b.const(0, np.int64))
        scores = b.op("Where", b.op("Expand", hidden, b.op("Shape", scores)), b.const(-1e9), scores)
    elif masking == "position":
        scores = b.op("Add", scores, b.weight(1, HEADS, 1, 1))
    elif masking == "distance":
        spot = b.op("Range", b.const(0, np.int64), b.op("Squeeze", b.op("Shape", mask, start=1)), b.const(1, np.int64))
        scores = b.op("Sub", scores, b.op("Cast", spot, to=TensorProto.FLOAT))
    if "bias" in o:
        scores = o["bias"](b, scores)
    p = b.op("Softmax", scores, axis=-1)
    if o.get("nan_guard", False):
        p = b.op("Where", b.op("IsNaN", p), b.const(0.0), p)
    context = b.op("Transpose", b.op("MatMul", p, v), perm=[0, 2, 1, 3])
    return b.op("Reshape", context, b.ints(0, 0, WIDTH))


def embed(b: Builder, ids: str, types: str | None, spelling: str) -> str:
    word = b.op("Gather", b.weight(VOCABULARY, WIDTH), ids)
    if types is not None:
        word = b.op("Add", word, b.op("Gather", b.weight(2, WIDTH), types))
    length = b.op("Shape", ids, start=1)
    if spelling == "none":
        return word
    table = b.weight(POSITIONS, WIDTH)
    if spelling == "slice":
        place = b.op("Slice", b.const([list(range(POSITIONS))], np.int64), b.ints(0), length, b.ints(1))
        return b.op("Add", word, b.op("Gather", table, place))
    if spelling == "rows":
        return b.op("Add", b.op("Slice", table, b.ints(0), length, b.ints(0)), word)
    spot = b.op("Range", b.const(0, np.int64), b.op("Squeeze", length), b.const(1, np.int64))
    if spelling == "offset":  # RoBERTa: positions 2, 3, ... counted over ids that are not padding (1)
        real = b.op("Cast", b.op("Not", b.op("Equal", ids, b.const(1, np.int64))), to=TensorProto.INT64)
        spot = b.op("Add", b.op("Mul", b.op("CumSum", real, b.const(1, np.int64)), real), b.const(1, np.int64))
    return b.op("Add", word, b.op("Gather", table, spot))


def pool(b: Builder, x: str, mask: str, spelling: str) -> str:
    if spelling == "cls":
        return b.op("Gather", x, b.const(0, np.int64), axis=1)
    if spelling == "cls_slice":
        return b.op("Squeeze", b.op("Slice", x, b.ints(0), b.ints(1), b.ints(1)), b.ints(1))
    if spelling == "plain_mean":
        return b.op("ReduceMean", x, axes=[1], keepdims=0)
    wide = b.op("Cast", b.op("Unsqueeze", mask, b.ints(2)), to=TensorProto.FLOAT)
    if spelling == "matmul":
        share = b.op("Div", wide, b.op("ReduceSum", wide, b.ints(1), keepdims=1))
        return b.op("Squeeze", b.op("MatMul", b.op("Transpose", share, perm=[0, 2, 1]), x), b.ints(1))
    if spelling == "last":
        return b.op("Gather", x, b.const(-1, np.int64), axis=1)
    if spelling == "max":
        return b.op("ReduceMax", x, axes=[1], keepdims=0)
    total = b.op("ReduceSum", b.op("Mul", x, wide), b.ints(1), keepdims=0)
    if spelling == "sum":
        return total
    count = b.op("Clip", b.op("ReduceSum", wide, b.ints(1), keepdims=0), b.const(1e-9))
    return b.op("Div", total, count)


def unit(b: Builder, x: str, spelling: str) -> str:
    """The pooled vector divided by its length, or by something that looks like it."""
    if spelling == "lp":
        return b.op("LpNormalization", x, axis=-1, p=2)
    if spelling == "l1":
        return b.op("Div", x, b.op("ReduceSum", b.op("Abs", x), b.ints(1), keepdims=1))
    square = b.op("Pow", x, b.const(2.0)) if spelling == "pow" else b.op("Mul", x, x)
    squares = b.op("ReduceSum", square, b.ints(1), keepdims=1)
    if spelling == "rms":
        return b.op("Div", x, b.op("Sqrt", b.op("Div", squares, b.const(WIDTH))))
    if spelling == "rsqrt":  # TensorFlow's: eps below the root
        return b.op("Mul", b.op("Reciprocal", b.op("Sqrt", b.op("Max", squares, b.const(1e-12)))), x)
    if spelling == "reduce_sum_square":
        length = b.op("Sqrt", b.op("ReduceSumSquare", x, axes=[-1]))
    else:
        length = b.op("ReduceL2", x, axes=[1]) if spelling in ("clip", "expand") else b.op("Sqrt", squares)
    if spelling == "added":
        length = b.op("Add", length, b.const(1e-6))
    if spelling in ("clip", "expand", "pow"):
        length = b.op("Clip", length, b.const(1e-12))
    if spelling == "expand":  # as torch's F.normalize exports
        length = b.op("Expand", length, b.op("Shape", x))
    return b.op("Div", x, length)


def encoder(path: Path, **o: Any) -> Path:
    """Write the encoder; every option has the plainest spelling as its default."""
    b = Builder(o.get("seed", 0))
    integer = o.get("integer", TensorProto.INT64)
    inputs = {"input_ids": integer, "attention_mask": integer}
    types = None
    if o.get("types", "none") == "input":
        inputs["token_type_ids"] = integer
        types = "token_type_ids"
    elif o.get("types") == "zeros":
        types = b.op("ConstantOfShape", b.op("Shape", "input_ids"), value=helper.make_tensor("z", 7, [1], [0]))
    mask = "attention_mask"
    if integer != TensorProto.INT64:
        mask = b.op("Cast", mask, to=TensorProto.INT64)
    x = embed(b, "input_ids", types, o.get("positions", "slice"))
    x = norm(b, x, o.get("norm", "op"))
    context = attend(b, x, mask, **o)
    spelling = o.get("linear", "matmul")
    x = norm(b, b.op("Add", linear(b, context, WIDTH, WIDTH, spelling), x), o.get("norm", "op"))
    inner = activation(b, linear(b, x, WIDTH, INNER, spelling), o.get("activation", "erf_div"))
    x = norm(b, b.op("Add", x, linear(b, inner, INNER, WIDTH, spelling)), o.get("norm", "op"))
    save = {key: o[key] for key in ("opset", "shape") if key in o}
    if o.get("head", "logits") == "tokens":
        return b.save(path, {"last_hidden_state": x}, inputs, rank=3, **save)
    if o.get("head") == "tagger":
        return b.save(
            path, {"logits": linear(b, x, WIDTH, o.get("classes", CLASSES), spelling)}, inputs, rank=3, **save
        )
    pooled = pool(b, x, mask, o.get("pool", "mean"))
    if o.get("head") == "pooler":
        pooled = activation(b, linear2(b, pooled, WIDTH, WIDTH), "tanh")
    if o.get("head") == "normalized":
        name = o.get("vector", "embedding")
        return b.save(path, {name: unit(b, pooled, o.get("length", "sqrt"))}, inputs, **save)
    logits = linear2(b, pooled, WIDTH, o.get("classes", CLASSES))
    if o.get("head") == "softmax":
        logits = b.op("Softmax", logits, axis=-1)
    names = o.get("names", ("logits", "embedding"))
    return b.save(path, dict(zip(names, (logits, pooled), strict=False)), inputs, **save)


def linear2(b: Builder, x: str, inputs: int, outputs: int) -> str:
    """On [1, inputs]: a Gemm, as exporters write heads."""
    return b.op("Gemm", x, b.weight(outputs, inputs), b.weight(outputs, scale=0.1), transB=1)
