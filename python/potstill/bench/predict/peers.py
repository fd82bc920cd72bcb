"""File size and peak memory of a model on onnxruntime and LiteRT, from processes seen on x86-64.

Python 3.11 with onnxruntime 1.32 or LiteRT 2.3 and one of three encoders with BERT's vocabulary (4 x 312, 6 x 384,
12 x 768), 64 tokens, 1 thread, `potstill.bench.memory`: the formulas give all twelve peaks within 5 %. On a board they
are estimates.
"""

from __future__ import annotations

from potstill.bench.predict.model import CostModel

# (engine, precision): bytes without a model, and of copies an engine keeps of each byte of the products' weights.
_MEMORY = {
    ("onnxruntime", "fp32"): (90.9e6, 0.34),
    ("onnxruntime", "int8"): (66.1e6, 0.94),
    ("litert", "fp32"): (41.3e6, 1.82),
    ("litert", "int8"): (48.8e6, 1.88),
}
# Bytes of a file for each weight: int8 files have scales and a few f32 tables beside their weights (seen: within 5 %).
_FILE = {"fp32": {"onnxruntime": 4.0, "litert": 4.02}, "int8": {"onnxruntime": 1.01, "litert": 1.06}}


def peer_file_bytes(engine: str, model: CostModel, precision: str) -> int:
    """Size of the exported ONNX or TFLite file; `precision`: ``fp32`` or ``int8``."""
    return round(model.parameters * _FILE[precision][engine])


def peer_peak_bytes(engine: str, model: CostModel) -> int:
    """Peak resident memory of a Python process that runs `model`, whose scheme is the file's precision."""
    base, copies = _MEMORY[engine, model.scheme]
    weights = model.layer_weights * (4 if model.scheme == "fp32" else 1)
    return round(base + peer_file_bytes(engine, model, model.scheme) + copies * weights)
