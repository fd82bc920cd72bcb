"""What `compile_onnx` says of the file that it wrote."""

from __future__ import annotations

import dataclasses
import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from potstill.still.packed import PackedModel


@dataclass(frozen=True)
class CompileReport:
    """What was written.

    Attributes:
        bytes: size of the file.
        scheme: its name: "fp32", "int8", "int4", "int4+embedding-int8", "mixed" and so on.
        max_tokens: longest text accepted, specials included.
        parameters: number of weights (logical, without padding and tokenizer tables).
        tensors: for each tensor its name, dtype, layout, shape and stored bytes.
        ops: number of operators by kind.
        labels: class labels in the order of the logits.
        notes: assumptions about the input that the user should know.
        differences: of the self-check, for each output and length the relative difference to the ONNX.
        rounding: of a quantized ONNX, how far onnxruntime's answers to it are from those without its rounding of
            activations (`compile.beside.Beside`), for each output and length.
        forbidden_ids: token ids that a text must not have; the core refuses them.
    """

    bytes: int
    scheme: str
    max_tokens: int
    parameters: int
    tensors: list[dict[str, Any]]
    ops: dict[str, int]
    labels: list[str]
    notes: list[str]
    differences: list[dict[str, Any]]
    forbidden_ids: list[int] = dataclasses.field(default_factory=list)
    rounding: list[dict[str, Any]] = dataclasses.field(default_factory=list)

    def to_json(self) -> str:
        """The report as a JSON object."""
        return json.dumps(dataclasses.asdict(self), ensure_ascii=False)


def report(
    model: PackedModel, size: int, notes: Sequence[str], differences: list[dict[str, Any]],
    rounding: list[dict[str, Any]],
) -> CompileReport:  # fmt: skip
    """Facts about a packed model."""
    from potstill.still.schema import kind

    header, helpers = model.header, ("scaleT", "colsumT", "wordScaleT")
    learned = {
        index for op in header.ops for field, index in vars(op.body).items()
        if field.endswith("T") and field not in helpers and index >= 0
    }  # fmt: skip
    tensors = [
        {
            "name": tensor.name, "dtype": model.dtype(index), "layout": model.layout(index),
            "shape": list(model.shape(index)), "bytes": model.sections[index].nbytes,
        }
        for index, tensor in enumerate(header.tensors)
    ]  # fmt: skip
    return CompileReport(
        bytes=size,
        scheme=header.card.scheme,
        max_tokens=header.input.maxTokens,
        parameters=sum(math.prod(tensors[index]["shape"]) for index in learned),
        tensors=tensors,
        ops=dict(sorted(Counter(kind(op) for op in header.ops).items())),
        labels=next((list(head.labels) for head in header.heads if head.labels), []),
        notes=list(notes),
        differences=differences,
        rounding=rounding,
        forbidden_ids=list(header.input.forbiddenIds or []),
    )
