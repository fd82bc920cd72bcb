"""Hand-written encoders of the operators that onnxruntime's optimizers make, with their variants as arguments.

As `onnx_graphs`: one layer, 4 heads of 8, 32 columns, 48 in the feed-forward, 61 token ids, 24 positions, 3 classes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from onnx import TensorProto

from onnx_graphs import CLASSES, HEAD, HEADS, INNER, POSITIONS, VOCABULARY, WIDTH, Builder, linear2

MS = "com.microsoft"


def fused_encoder(path: Path, **o: Any) -> Path:
    """Write the encoder.

    Options, the first of each is the default: `embed` "fused", "positions", "plain" · `attention` "packed", "index",
    "mask3d", "sizes", "multi", "multi_bias", "rotary", "onnx" · `gelu` "bias", "fast", "fused", "quick" · `product`
    "plain", "fused", "turned" · `head` "gemm", "fused" · `extra`: attributes of the attention · `opset`.
    """
    b = Builder(o.get("seed", 0))
    inputs = dict.fromkeys(("input_ids", "attention_mask"), TensorProto.INT32)
    x, counted = _embed(b, o.get("embed", "fused"))
    mask = counted if o.get("attention") == "index" else "attention_mask"
    context = _attend(b, x, mask, o.get("attention", "packed"), o.get("extra", {}))
    out = _product(b, context, WIDTH, WIDTH, o.get("product", "plain"))
    x = _skip(b, out, x)
    inner = _feed(b, x, o.get("gelu", "bias"))
    x = _skip(b, _product(b, inner, INNER, WIDTH, "plain"), x)
    pooled = b.op("Gather", x, b.const(0, "int64"), axis=1)
    if o.get("head") == "fused":
        pooled = b.op(
            "FusedGemm", pooled, b.weight(WIDTH, WIDTH), b.weight(WIDTH), domain=MS, transB=1, activation="Tanh"
        )
    return b.save(path, {"logits": linear2(b, pooled, WIDTH, CLASSES)}, inputs, opset=o.get("opset", 14))


def _embed(b: Builder, kind: str) -> tuple[str, str]:
    """The normalised embeddings, and how many tokens the mask shows."""
    tables = [b.weight(VOCABULARY, WIDTH), b.weight(POSITIONS, WIDTH), b.weight(2, WIDTH)]
    gamma, beta = b.weight(WIDTH, scale=0.1, mean=1.0), b.weight(WIDTH, scale=0.1)
    if kind == "fused":
        types = b.op("Mul", "input_ids", b.const(0, "int32"))
        inputs = ["input_ids", types, *tables, gamma, beta, "attention_mask"]
        x, counted = b.ops(2, "EmbedLayerNormalization", *inputs, domain=MS, epsilon=1e-5)
        return x, counted
    length = b.op("Shape", "input_ids")
    size = b.op("Slice", length, b.ints(1), b.ints(2))
    if kind == "positions":
        zero, one = b.const(0, "int32"), b.const(1, "int32")
        end = b.op("Cast", b.op("Reshape", size, b.const([], "int64")), to=TensorProto.INT32)
        places = b.op("Expand", b.op("Range", zero, end, one), length)
        inputs = ["input_ids", "", *tables[:2], "", gamma, beta, "", places]
        return b.ops(2, "EmbedLayerNormalization", *inputs, domain=MS, epsilon=1e-5)[0], ""
    rows = b.op("Slice", tables[1], b.ints(0), size, b.ints(0))
    word = b.op("Gather", tables[0], "input_ids")
    # As the optimizers of opset 11 to 16 write it: among the standard operators.
    return b.op("LayerNormalization", b.op("Add", word, rows), gamma, beta, axis=-1, epsilon=1e-5), ""


def _attend(b: Builder, x: str, mask: str, kind: str, extra: dict[str, Any]) -> str:
    if kind in ("packed", "index", "mask3d", "sizes"):
        if kind == "mask3d":
            row = b.op("Unsqueeze", mask, b.ints(1))
            length = b.op(
                "Concat", b.op("Shape", mask), b.op("Slice", b.op("Shape", mask), b.ints(1), b.ints(2)), axis=0
            )
            mask = b.op("Expand", row, length)
        if kind == "sizes":
            extra = {**extra, "qkv_hidden_sizes": [WIDTH, WIDTH, WIDTH]}
        inputs = [x, b.weight(WIDTH, 3 * WIDTH), b.weight(3 * WIDTH, scale=0.1), mask]
        return b.op("Attention", *inputs, domain=MS, num_heads=HEADS, **extra)
    if kind == "onnx":
        q, k, v = (b.op("MatMul", x, b.weight(WIDTH, WIDTH)) for _ in range(3))
        return b.op("Attention", q, k, v, q_num_heads=HEADS, kv_num_heads=HEADS)
    options = {"domain": MS, "num_heads": HEADS, **extra}
    q, k, v = (b.op("MatMul", x, b.weight(WIDTH, WIDTH)) for _ in range(3))
    bias = b.weight(3 * WIDTH, scale=0.1) if kind == "multi_bias" else ""
    if kind == "rotary":
        tables = [b.weight(POSITIONS, HEAD // 2) for _ in range(2)]
        q, k = (b.op("RotaryEmbedding", y, b.ints(0), *tables, domain=MS, num_heads=HEADS) for y in (q, k))
    return b.op("MultiHeadAttention", q, k, v, bias, mask, **options)


def _product(b: Builder, x: str, inputs: int, outputs: int, kind: str) -> str:
    if kind == "fused":  # the factor and the transpose are undone by the weight
        return b.op("FusedMatMul", x, b.weight(outputs, inputs), domain=MS, alpha=0.5, transB=1)
    if kind == "turned":
        sideways = b.op("Transpose", x, perm=[0, 2, 1])
        return b.op("FusedMatMul", sideways, b.weight(inputs, outputs), domain=MS, transA=1)
    return b.op("MatMul", x, b.weight(inputs, outputs))


def _skip(b: Builder, x: str, residual: str) -> str:
    inputs = [x, residual, b.weight(WIDTH, scale=0.1, mean=1.0), b.weight(WIDTH, scale=0.1), b.weight(WIDTH)]
    return b.op("SkipLayerNormalization", *inputs, domain=MS, epsilon=1e-5)


def _feed(b: Builder, x: str, kind: str) -> str:
    bias = b.weight(INNER)
    y = b.op("MatMul", x, b.weight(WIDTH, INNER))
    if kind == "bias":
        return b.op("BiasGelu", y, bias, domain=MS)
    if kind == "fast":
        return b.op("FastGelu", y, bias, domain=MS)
    return b.op("QuickGelu" if kind == "quick" else "Gelu", b.op("Add", y, bias), domain=MS)
