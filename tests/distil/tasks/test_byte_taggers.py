"""A tagger's teacher of RoBERTa's kind, whose tokenizer cuts a word by whether a space is before it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from datasets import Dataset

import families
from longer import longer
from potstill.compile.tokenizers import read_tokenizer
from potstill.data.splits import Splits
from potstill.distil.distillation import distil
from potstill.distil.teacher.finetune import finetune
from potstill.models.tokens import load_tokenizer
from potstill.models.words import encode_words
from potstill.work.progress import QuietProgress

pytest.importorskip("potstill._core", reason="the native module is not built")

from toolchains.tokenizers.native import native

LABELS = ["O", "B-GOOD", "B-BAD"]
OWN = {"student__tokenizer": "own", "student__tokenizer_model": "wordpiece", "student__tokenizer_size": 200}


def tagged(count: int, seed: int) -> Dataset:
    """Sentences whose words of praise and of blame are entities."""
    rows = [text.split() for text in families.sentences(count, seed)]
    kinds = {word: index + 1 for index, words in enumerate((families.GOOD, families.BAD)) for word in words}
    return Dataset.from_dict({"text": rows, "label": [[kinds.get(word, 0) for word in row] for row in rows]})


@pytest.mark.parametrize("settings", [OWN, *longer({"student__vocabulary": "seen"})], ids=["own", "pruned"])
def test_it_is_trained_and_teaches_a_student(
    settings: dict[str, Any], make_recipe: Callable[..., Any], tmp_path: Path
) -> None:
    teacher = families.write("roberta", tmp_path / "given")
    recipe = make_recipe(
        teacher__model=str(teacher), teacher__epochs=10, teacher__learning_rate=1e-2,
        teacher__early_stopping_patience=0, distil__epochs=4,
        distil__hidden=0.1, data__max_tokens=48, **settings,
    ).model_copy(update={"task": "token-classification"})  # fmt: skip
    splits = Splits(tagged(128, 1), tagged(24, 2), tagged(24, 3), None, LABELS, "byte taggers", "bytes", units="words")
    places = {"cache": tmp_path / "cache", "progress": QuietProgress()}
    taught = finetune(recipe, splits, tmp_path / "teacher", work=tmp_path / "teacher.work", **places)
    assert taught["fine_tuned"] and taught["test_accuracy"] > 0.9, taught
    made = distil(recipe, splits, tmp_path / "teacher", tmp_path / "student", work=tmp_path / "work", **places)
    assert made["test_accuracy"] > 0.8 and made["agreement"] > 0.8, made
    # What is packed cuts each word as the student read it.
    student, core = load_tokenizer(tmp_path / "student"), native(read_tokenizer(tmp_path / "student"))
    for row in splits.test["text"]:
        ids, words = encode_words(student, [row], 48)
        content = np.concatenate([core.encode_with_offsets(word)[0] for word in row])
        assert ids[0][1:-1].tolist() == content.tolist() and len(words[0]) == len(row)
