"""What stages with the real names and keys leave behind in tests that replace their work."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from potstill.card import Card, heads_of
from potstill.models.recipes import load_recipe
from potstill.recipe import Recipe

ALL = ["data", "teacher", "student", "onnx", "tflite", "still", "verify", "bench"]
ROWS = "text,label\n" + "".join(f"text {i},{'ab'[i % 2]}\n" for i in range(20))
FILES = {
    "onnx": ["model.onnx", "model.int8.onnx"],
    "tflite": ["model.tflite", "model.int8.tflite"],
    "still": ["model.still", "model.fp32.still", "tokenizer/vocab.txt"],
    "teacher": ["model.safetensors", "config.json"],
    "student": ["model.safetensors", "vocab.txt"],
}
FACTS: dict[str, dict[str, Any]] = {
    "data": {"labels": ["a", "b"], "fingerprint": "f", "labelled_fingerprint": "l", "rows": {"train": 16}},
    "teacher": {"test_accuracy": 0.9, "validation_accuracy": 0.8},
    "student": {"test_accuracy": 0.85},
    "still": {"scheme": "int8", "card": Card("mine", heads_of(["a", "b"]), 16, scheme="int8").info()},
    "verify": {
        "parity": [{"export": "onnx", "length": 8, "batch": 1, "max_abs_difference": 1e-6}],
        "texts": {},
        "label_agreement": {"onnx": 1.0, "still": 0.99},
        "accuracy": {"onnx": 0.85, "still": 0.855},
    },
    "bench": {"bench": [{"engine": "Potstill", "median_ms": 1.0}]},
}


def write_recipe(folder: Path, *settings: str) -> Recipe:
    folder.mkdir(exist_ok=True)
    (folder / "rows.csv").write_text(ROWS)
    path = folder / "mine.toml"
    path.write_text('name = "mine"\n[teacher]\nmodel = "demo:all-minilm-l6-v2"\n[data]\nsource = "rows.csv"\n')
    return load_recipe(path, settings)
