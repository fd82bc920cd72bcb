"""The conversion itself, run as ``python -m potstill.export.tflite_worker`` in a process of its own.

litert-torch imports JAX, changes logging for good, prints its progress and keeps several copies of the weights; all of
that ends with the process. The job is one JSON object on standard input; the last line of standard output is its
JSON answer.
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path
from typing import Any

_PER_CHANNEL_VERSION = 12
# Vtable entry of OperatorCode.version: third field of the table in the public TFLite schema.
_VERSION_SLOT = 8


def convert(job: dict[str, Any]) -> dict[str, Any]:
    """Convert a classifier folder: one signature ``tokens_N`` for each length, weights shared between them."""
    from potstill.card.notes import notes_of
    from potstill.export.plain import load_plain

    # Before the converter's slow imports: a folder without a model is told at once.
    plain, card = load_plain(Path(job["model_dir"]))
    import litert_torch
    import torch

    lengths = sorted({min(int(length), card.max_tokens) for length in job["lengths"]}, reverse=True)
    card.max_tokens = lengths[0]

    class Named(torch.nn.Module):
        """Gives the outputs their names."""

        def __init__(self) -> None:
            super().__init__()
            self.plain = plain

        def forward(
            self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor | None = None
        ) -> dict[str, torch.Tensor]:
            return dict(zip(card.outputs, self.plain(input_ids, attention_mask, token_type_ids), strict=True))

    named = Named().eval()
    converter: Any = litert_torch
    with plain.plain_masks(), torch.no_grad():
        for length in lengths:
            ids = torch.zeros(1, length, dtype=torch.int32)
            given = (ids, torch.ones_like(ids), torch.zeros_like(ids))
            sample = dict(zip(card.inputs, given, strict=False))
            converter = converter.signature(f"tokens_{length}", named, sample_kwargs=sample)
        converter.convert().export(job["out"])
    return {**notes_of(card), "lengths": lengths}


def quantize(job: dict[str, Any]) -> dict[str, Any]:
    """Dynamic-range int8: weights and the embedding table int8, activations quantized at run time."""
    from ai_edge_quantizer import qtyping, quantizer

    granularity = qtyping.QuantGranularity.CHANNELWISE if job["per_channel"] else qtyping.QuantGranularity.TENSORWISE
    worker = quantizer.Quantizer(job["fp32"])
    worker.add_dynamic_config(".*", qtyping.TFLOperationName.ALL_SUPPORTED, 8, granularity)
    worker.quantize().export_model(job["out"], overwrite=True)
    if job["per_channel"]:
        _require_per_channel(Path(job["out"]))
    return {}


def _require_per_channel(path: Path) -> None:
    """Raise the version of FULLY_CONNECTED to 12, the first that knows scales per channel with float activations.

    The quantizer leaves version 5, so tflite-runtime 2.14 would load the file, use the first channel's scale for all
    and give wrong numbers; with version 12 it refuses the file.
    """
    from ai_edge_litert import schema_py_generated as schema

    data = bytearray(path.read_bytes())
    model = schema.Model.GetRootAs(data, 0)
    for index in range(model.OperatorCodesLength()):
        code = model.OperatorCodes(index)
        if code.BuiltinCode() != schema.BuiltinOperator.FULLY_CONNECTED or code.Version() >= _PER_CHANNEL_VERSION:
            continue
        field = code._tab.Offset(_VERSION_SLOT)
        if not field:
            raise RuntimeError("the quantizer wrote FULLY_CONNECTED without a version")
        place = code._tab.Pos + field
        data[place : place + 4] = _PER_CHANNEL_VERSION.to_bytes(4, "little")
    path.write_bytes(data)


def main() -> int:
    """Run the job on standard input."""
    warnings.simplefilter("ignore")
    job = json.load(sys.stdin)
    answer = {"convert": convert, "quantize": quantize}[job["work"]](job)
    print("\n" + json.dumps(answer), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
