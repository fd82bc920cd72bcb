"""A tiny BERT teacher, a tokenizer and a small task that it can learn: which of two word groups a text draws on."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import bert

WORDS = {"negative": ["bad", "dull", "poor", "sad"], "positive": ["good", "fine", "great", "happy"]}
FILLERS = ["the", "film", "was", "and", "we", "saw", "it", "then"]
VOCABULARY = [*bert.SPECIAL, *FILLERS, *WORDS["negative"], *WORDS["positive"]]


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a random 3-layer BERT encoder (hidden 24, 4 heads, 48 neurons) and its tokenizer."""
    return bert.encoder(tmp_path_factory.mktemp("encoder"), VOCABULARY, layers=3)


@pytest.fixture(scope="session")
def tiny_teacher(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an `EncoderClassifier` over the tiny encoder, head random."""
    from potstill.models.classifier import load_encoder

    folder = tmp_path_factory.mktemp("teacher")
    load_encoder(tiny_encoder, labels=list(WORDS), seed=5).save_pretrained(folder)
    bert.tokenizer(VOCABULARY).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_graph(tiny_teacher: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The fused graph of the tiny teacher, for texts of 16 tokens: its export takes longer than its training."""
    from potstill.compile.import_onnx import import_onnx
    from potstill.export.onnx import export_onnx

    return import_onnx(export_onnx(tiny_teacher, tmp_path_factory.mktemp("onnx") / "m.onnx", max_tokens=16)).graph


@pytest.fixture
def layout(tiny_teacher: Path, tiny_graph: Any) -> Any:
    """What of the tiny teacher becomes which rounded operator."""
    from potstill.models.classifier import load_classifier
    from potstill.quantize.fused_layers import match_layers

    return match_layers(load_classifier(tiny_teacher), tiny_graph)


def make_texts(count: int, seed: int) -> tuple[list[str], list[int]]:
    """Texts of 3 to 12 words and their labels."""
    source = random.Random(seed)
    texts, labels = [], []
    for _ in range(count):
        label = source.randrange(2)
        words = source.choices(FILLERS, k=source.randint(2, 10)) + source.choices(list(WORDS.values())[label], k=1)
        source.shuffle(words)
        texts.append(" ".join(words))
        labels.append(label)
    return texts, labels


def make_dataset(count: int, seed: int) -> Any:
    """The same as a Dataset with the columns text and label."""
    from datasets import Dataset

    texts, labels = make_texts(count, seed)
    return Dataset.from_dict({"text": texts, "label": labels})


@pytest.fixture
def splits() -> Any:
    """Splits as `potstill.data.load_data` gives them: 96 train, 32 validation, 32 test, 16 unlabelled."""
    from datasets import Dataset

    return SimpleNamespace(
        train=make_dataset(96, 1),
        validation=make_dataset(32, 2),
        test=make_dataset(32, 3),
        unlabelled=Dataset.from_dict({"text": make_texts(16, 4)[0]}),
        labels=list(WORDS),
        fingerprint="tiny",
        units="",
    )


@pytest.fixture
def make_recipe(tiny_encoder: Path) -> Callable[..., Any]:
    """Make a recipe over the tiny encoder; keywords ``section__key`` set keys."""
    from potstill.recipe.schema import Recipe

    def make(**changes: Any) -> Any:
        content: dict[str, Any] = {
            "name": "tiny",
            "teacher": {"model": str(tiny_encoder), "epochs": 3, "learning_rate": 5e-3, "precision": "fp32"},
            "data": {"source": "unused.csv", "max_tokens": 16},
            "student": {"layers": 2, "hidden": 16, "heads": 4, "intermediate": 32},
            "distil": {"epochs": 3, "learning_rate": 5e-3, "precision": "fp32", "save_steps": 2},
        }
        content["teacher"]["batch_size"] = content["distil"]["batch_size"] = 16
        for name, value in changes.items():
            section, _, key = name.partition("__")
            content[section][key] = value
        return Recipe.model_validate(content)

    return make
