"""Tiny random models for the tests of exports, backends and benchmarks; each is made once for all workers of a run."""

from __future__ import annotations

import fcntl
import json
import pickle
import shutil
import warnings
from collections.abc import Callable
from functools import cache, wraps
from pathlib import Path
from typing import Any, TypeVar
from unittest import mock

import numpy as np

LABELS = ["cold", "mild", "hot"]
MAX_TOKENS = 24
WORDS = ["the", "soup", "is", "cold", "hot", "mild", "very", "not", "a", "bowl", "of", "tea", "and", "."]
VOCABULARY = 160
# Tracing costs about 1.5 s a layer: two layers in the model that everything uses, one in the others.
LAYERS = {"mean": 2, "cls": 1, "bert": 1, "roberta": 1, "distilbert": 1}
SIZES: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 48,
    "num_attention_heads": 4,
    "intermediate_size": 96,
    "max_position_embeddings": 40,
}
_TRACES: dict[str, Any] = {}
NAMES = {"id2label": dict(enumerate(LABELS)), "label2id": {name: index for index, name in enumerate(LABELS)}}


def texts(count: int) -> list[str]:
    """Sentences of 1 to 30 words, reproducible."""
    generator = np.random.default_rng(5)
    return [" ".join(generator.choice(WORDS, int(generator.integers(1, 31)))) for _ in range(count)]


def dataset(count: int = 48) -> dict[str, list[Any]]:
    """Columns ``text`` and ``label``."""
    generator = np.random.default_rng(6)
    return {"text": texts(count), "label": generator.integers(0, len(LABELS), count).tolist()}


def ragged(count: int = 5, longest: int = MAX_TOKENS) -> list[list[int]]:
    """Id lists of different lengths; the first is a single token, the last has `longest` tokens."""
    generator = np.random.default_rng(7)
    sizes = [1, *generator.integers(2, longest, count - 2).tolist(), longest]
    return [generator.integers(4, VOCABULARY, size).tolist() for size in sizes]


Made = TypeVar("Made", Path, dict[str, Path])


def once(make: Callable[..., Made]) -> Callable[..., Made]:
    """`make`, a function of a folder and names, called by one of a run's processes only; the others wait for it."""

    @cache
    @wraps(make)
    def made(base: Path, *names: Any) -> Made:
        note = base / "-".join([f".{make.__name__}", *map(str, names)])
        with note.open("a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if not note.stat().st_size:
                file.write(pickle.dumps(make(base, *names)))
            file.seek(0)
            found: Made = pickle.load(file)
        return found

    return made


@once
def model(base: Path, kind: str) -> Path:
    """A classifier folder: ``mean`` or ``cls`` (ours over BERT), or the hub's ``bert``, ``roberta``, ``distilbert``."""
    import torch
    import transformers

    from potstill.models.classifier import EncoderClassifier, EncoderClassifierConfig

    folder = base / f"model-{kind}"
    torch.manual_seed(len(kind))
    sizes = {**SIZES, "num_hidden_layers": LAYERS[kind]}
    if kind in ("mean", "cls"):
        backbone = transformers.BertConfig(**sizes)
        made: Any = EncoderClassifier(EncoderClassifierConfig(backbone=backbone, pooling=kind, **NAMES))
    elif kind == "distilbert":
        made = transformers.DistilBertForSequenceClassification(
            transformers.DistilBertConfig(
                vocab_size=VOCABULARY,
                n_layers=LAYERS[kind],
                dim=48,
                n_heads=4,
                hidden_dim=96,
                max_position_embeddings=40,
                **NAMES,
            )
        )
    else:
        family = {"bert": "Bert", "roberta": "Roberta"}[kind]
        config = getattr(transformers, f"{family}Config")(**sizes, **NAMES)
        made = getattr(transformers, f"{family}ForSequenceClassification")(config)
    for name, value in made.named_parameters():
        # Fresh models have zero biases and unit gains, equal in all layers: a mixed-up tensor would go unnoticed.
        if value.ndim == 1:
            torch.nn.init.normal_(value, mean=1.0 if "LayerNorm.weight" in name else 0.0, std=0.2)
        else:
            torch.nn.init.normal_(value, std=0.15)
    made.save_pretrained(folder)
    _write_tokenizer(folder)
    return folder


def _write_tokenizer(folder: Path) -> None:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS, *"abcdefghijklmnopqrstuvwxyz"]
    vocabulary = {piece: index for index, piece in enumerate(dict.fromkeys(pieces))}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]", max_input_chars_per_word=100))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    tokenizer.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]"])
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "BertTokenizer",
        "do_lower_case": True,
        "model_max_length": MAX_TOKENS,
        "unk_token": "[UNK]",
        "cls_token": "[CLS]",
        "sep_token": "[SEP]",
        "pad_token": "[PAD]",
        "mask_token": None,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")


@once
def onnx_file(base: Path, kind: str, opset: int = 18) -> Path:
    """The fp32 ONNX of a model. Tracing, the slow part, does not depend on the opset and is done once a model."""
    from potstill.export import onnx as exporter

    trace = exporter._traced

    def traced_once(*arguments: Any) -> Any:
        if kind not in _TRACES:
            _TRACES[kind] = trace(*arguments)
        copy = type(_TRACES[kind])()
        copy.CopyFrom(_TRACES[kind])
        return copy

    with mock.patch.object(exporter, "_traced", traced_once):
        return exporter.export_onnx(model(base, kind), base / f"{kind}.opset{opset}.onnx", opset=opset)


@once
def build(base: Path) -> dict[str, Path]:
    """A folder as `potstill build` leaves it: all six exports of the model ``mean``, keys as in the parity table."""
    from potstill.compile import compile_onnx
    from potstill.export.onnx import quantize_onnx_int8
    from potstill.export.tflite import export_tflite, quantize_tflite_int8

    out, source = base / "build", model(base, "mean")
    out.mkdir()
    shutil.copyfile(onnx_file(base, "mean"), out / "model.onnx")
    files = {
        "onnx": out / "model.onnx",
        "tflite": export_tflite(source, out / "model.tflite", length=MAX_TOKENS, short_lengths=(8,)),
    }
    files["onnx_int8"] = quantize_onnx_int8(files["onnx"], out / "model.int8.onnx")
    files["tflite_int8"] = quantize_tflite_int8(files["tflite"], out / "model.int8.tflite")
    for key, name, scheme in (("still_fp32", "model.fp32.still", "fp32"), ("still", "model.still", "int8")):
        compile_onnx(files["onnx"], out / name, scheme=scheme, tokenizer=source, labels=LABELS, max_tokens=MAX_TOKENS)
        files[key] = out / name
    return files


@cache
def reference(folder: Path) -> Any:
    """The model in PyTorch, as it was saved."""
    from potstill.models.classifier import load_classifier

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return load_classifier(folder)


def torch_outputs(folder: Path, ids: list[list[int]]) -> tuple[Any, Any]:
    """Logits and pooled vectors of PyTorch, one sequence at a time and so without any padding."""
    import torch

    with torch.inference_mode():
        rows = [reference(folder)(input_ids=torch.tensor([row])) for row in ids]
    return np.concatenate([row.logits.numpy() for row in rows]), np.concatenate([row.pooled.numpy() for row in rows])
