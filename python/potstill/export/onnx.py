"""ONNX export: one plain graph, dynamic batch and length, one file; and its int8 version.

Inputs ``input_ids`` and ``attention_mask``, int64 ``[batch, length]`` (and ``token_type_ids`` for pairs of texts);
outputs ``logits`` f32 ``[batch, labels]`` (not of a sentence encoder) and ``embedding`` f32 ``[batch, hidden]`` (the
vector the head reads), of a model that labels words ``logits`` f32 ``[batch, length, labels]`` alone.
``metadata_props`` carry ``labels`` (JSON list), ``max_tokens``, ``pad_id``, ``vocabulary``, ``task``, ``producer``, and
``multi_label`` where labels do not exclude each other, ``normalized`` where vectors have the length 1.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from potstill.card import Card
from potstill.card.notes import properties_of
from potstill.errors import ExportError, missing_package
from potstill.export.quiet import producer, quiet
from potstill.work.atomic import atomic_write

OPSETS = (13, 18)
# Operators that mark a mask or shape built by index arithmetic: engines on boards refuse them.
_JUNK = frozenset({"IsNaN", "Where", "Expand", "GatherND", "Range", "ScatterND", "ConstantOfShape", "NonZero", "If"})
# Simplifier steps that fold a linear layer on [batch, length, width] into Reshape, Gemm, Reshape, or three layers into
# one: the plain form is what engines and our compiler match.
_SKIPPED = ("fuse_matmul_add_bias_into_gemm", "fuse_matmul_add_bias_into_gemm_batched", "fuse_qkv")
# Largest difference of a logit or pooled value allowed by the check right after export.
_TOLERANCE = 1e-3
# What the exporter and the simplifier raise; torch's exporter errors are RuntimeErrors.
_FAILURES = (RuntimeError, ValueError, TypeError, AttributeError, KeyError)


def export_onnx(model_dir: Path, out: Path, *, opset: int = 18, max_tokens: int | None = None) -> Path:
    """Export a classifier folder to one ONNX file, checked against PyTorch at three shapes before it is published.

    Args:
        model_dir: folder of a classifier (`EncoderClassifier` or any ``*ForSequenceClassification``).
        out: path of the ONNX file; replaced only when the export is right.
        opset: 18, or 13 for old runtimes.
        max_tokens: limit of tokens to record; default: the smaller of the tokenizer's limit and the position table.

    Returns:
        `out`.

    Raises:
        ExportError: opset not offered; the exporter failed; operators that boards refuse; the
            file differs from PyTorch.
        TrainError: the folder holds no classifier.
        SystemFailure: a file cannot be written; a package is missing.
    """
    if opset not in OPSETS:
        raise ExportError(
            "X001", f"opset {opset} is not offered", out.name, f"use one of {', '.join(map(str, OPSETS))}"
        )
    try:
        with quiet():
            import onnx
            import onnxsim

            from potstill.export import graph_passes as passes
            from potstill.export.plain import load_plain
    except ImportError as error:
        raise missing_package(error.name or "onnx", "build", "ONNX export") from error
    with quiet():
        plain, card = load_plain(model_dir)
        card.max_tokens = min(max_tokens or card.max_tokens, card.max_tokens)
        try:
            model = _traced(plain, card)
            passes.rename_outputs(model, list(card.outputs))
            passes.constant_reshapes(model)
            model, agrees = onnxsim.simplify(model, skipped_optimizers=list(_SKIPPED))
            if not agrees:
                raise RuntimeError("the simplified graph differs from the traced one")
            passes.constant_reshapes(model)
            if opset == 13:
                passes.to_opset_13(model)
            else:
                passes.set_opset(model, opset)
            _finish(model, card)
            onnx.checker.check_model(model, full_check=True)
        except _FAILURES as error:
            raise _failed(model_dir, error) from error
        except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
            raise _failed(model_dir, error) from error
        found = sorted({node.op_type for node in model.graph.node} & _JUNK)
        if found:
            raise ExportError(
                "X003",
                f"the graph holds {', '.join(found)}, which engines on boards refuse",
                str(model_dir),
                "use a student of a BERT-like architecture (bert, distilbert, roberta, electra)",
            )
        data = model.SerializeToString()
        _check_against(plain, data, card, model_dir)
    with atomic_write(out) as temporary:
        temporary.write_bytes(data)
    return out


def _traced(plain: Any, card: Card) -> Any:
    import onnx
    import torch

    inputs, limit = card.inputs, card.max_tokens
    # Sizes 2 and 7 differ from each other and from 1, which torch.export would take for constants.
    length = min(7, limit)
    ids = torch.zeros(2, length, dtype=torch.int64)
    batch_axis, length_axis = torch.export.Dim("batch"), torch.export.Dim("length", min=1, max=limit)
    axes = {0: batch_axis, 1: length_axis}
    with tempfile.TemporaryDirectory() as folder, plain.plain_masks(), torch.no_grad():
        path = Path(folder) / "traced.onnx"
        torch.onnx.export(
            plain,
            (ids, torch.ones_like(ids), torch.zeros_like(ids))[: len(inputs)],
            str(path),
            input_names=list(inputs),
            opset_version=18,
            dynamo=True,
            external_data=False,
            dynamic_shapes=dict.fromkeys(inputs, axes),
        )
        return onnx.load(str(path))


def _finish(model: Any, card: Card) -> None:
    """Producer, metadata and dimension names; drops the exporter's notes (source paths of the building machine)."""
    graph = model.graph
    graph.name = "classifier"
    model.producer_name, model.producer_version = producer().split()
    model.doc_string = ""
    del model.metadata_props[:]
    del model.functions[:]
    del graph.value_info[:]
    for item in [*graph.node, *graph.input, *graph.output, *graph.initializer, graph]:
        item.doc_string = ""
        if hasattr(item, "metadata_props"):
            del item.metadata_props[:]
    for index, node in enumerate(graph.node):
        node.name = f"{node.op_type}_{index}"
    for value in graph.input:
        for axis, name in zip(value.type.tensor_type.shape.dim, ("batch", "length"), strict=True):
            axis.dim_param = name
    for value in graph.output:
        axes = value.type.tensor_type.shape.dim
        axes[0].dim_param = "batch"
        if len(axes) == 3:
            axes[1].dim_param = "length"
    set_metadata(model, properties_of(card))


def set_metadata(model: Any, values: Mapping[str, str]) -> None:
    """Set entries of ``metadata_props``."""
    for key, value in values.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value


def _failed(model_dir: Path, error: BaseException) -> ExportError:
    lines = str(error).strip().splitlines()
    reason = lines[0] if lines else type(error).__name__
    return ExportError(
        "X002",
        f"ONNX export failed ({reason})",
        str(model_dir),
        "use a student of a BERT-like architecture (bert, distilbert, roberta, electra)",
    )


def _check_against(plain: Any, data: bytes, card: Card, model_dir: Path) -> None:
    import numpy as np
    import onnxruntime
    import torch

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = torch.get_num_threads(), 3
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    generator, limit = np.random.default_rng(0), card.max_tokens
    for batch, length in ((1, 1), (3, min(9, limit)), (1, limit)):
        ids = generator.integers(0, card.vocabulary, (batch, length))
        mask = np.ones_like(ids)
        # The last row of the batch is shorter: padding must not change it.
        if batch > 1:
            mask[-1, (length + 1) // 2 :] = 0
        # The second half of a pair's tokens, as the second text.
        types = np.broadcast_to((np.arange(length) >= length // 2).astype(np.int64), (batch, length)).copy()
        feed = dict(zip(card.inputs, (ids, mask, types), strict=False))
        with torch.inference_mode():
            wanted = plain(*(torch.from_numpy(value) for value in feed.values()))
        found = session.run(list(card.outputs), feed)
        for want, got in zip(wanted, found, strict=True):
            difference = float(np.abs(want.numpy() - got).max())
            if not difference <= _TOLERANCE:
                raise ExportError(
                    "X004",
                    f"the exported graph differs from PyTorch by {difference:.2g}",
                    f"{model_dir}, batch {batch}, {length} tokens",
                    "report this model; it must not be used",
                )


def quantize_onnx_int8(fp32: Path, out: Path) -> Path:
    """Quantize an ONNX file for onnxruntime: dynamic int8, weights per output channel.

    Linear layers get int8 weights per output channel and uint8 activations quantized at run time; the word table
    becomes int8 too.

    Raises:
        ExportError: `fp32` cannot be read as ONNX; the quantizer failed.
        SystemFailure: a file cannot be written; onnxruntime or onnx is missing.
    """
    try:
        from onnxruntime.quantization import QuantType, quantize_dynamic
    except ImportError as error:
        raise missing_package(error.name or "onnxruntime", "build", "ONNX int8") from error

    def quantize(made: str) -> None:
        quantize_dynamic(str(fp32), made, per_channel=True, weight_type=QuantType.QInt8)

    return write_quantized(fp32, out, quantize)


def write_quantized(fp32: Path, out: Path, quantize: Callable[[str], None]) -> Path:
    """Have a quantizer write a file, give it the metadata of `fp32` and our name as producer, and put it in place.

    Args:
        fp32: the file it starts from.
        out: path of the new file; replaced only when it is whole.
        quantize: writes the quantized model to the path it is given.

    Returns:
        `out`.

    Raises:
        ExportError: `fp32` cannot be read as ONNX, or the quantizer failed.
        SystemFailure: writing fails, or onnx is missing.
    """
    try:
        import onnx
    except ImportError as error:
        raise missing_package("onnx", "build", "ONNX int8") from error
    try:
        metadata = {entry.key: entry.value for entry in onnx.load(str(fp32), load_external_data=False).metadata_props}
    except Exception as error:  # protobuf's and the system's exceptions share no base
        raise ExportError(
            "X005", "the file cannot be read as ONNX", str(fp32), "give the file export_onnx wrote"
        ) from error
    with atomic_write(out) as temporary:
        with quiet():
            try:
                quantize(str(temporary))
                model = onnx.load(str(temporary))
            except (RuntimeError, ValueError, TypeError, KeyError) as error:
                raise ExportError("X006", f"quantization failed ({error})", str(fp32), "report this model") from error
        del model.metadata_props[:]
        set_metadata(model, metadata)
        model.producer_name, model.producer_version = producer().split()
        temporary.write_bytes(model.SerializeToString())
    return out
