"""Distilling teachers with other tokenizers than WordPiece to students of fewer pieces."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from datasets import Dataset

import trained
from potstill.data.splits import Splits
from potstill.distil import distillation as run
from potstill.models.classifier import load_classifier, load_encoder
from potstill.models.evaluation import accuracy
from potstill.models.tokens import load_tokenizer
from potstill.recipe.schema import Recipe
from potstill.work.progress import QuietProgress

LABELS = ["a", "b"]
# Kind of tokenizer, the teacher's model, and the tokenizer's class.
TEACHERS = [("unigram", "XLMRoberta"), ("byte-level", "Roberta")]


@pytest.fixture(params=TEACHERS, ids=lambda pair: str(pair[1]))
def teacher(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A random model of two layers and its tokenizer, as a folder."""
    kind, name = request.param
    base = trained.fast(trained.KINDS[kind](trained.Texts(1).make(1000), 700))
    base.save_pretrained(tmp_path / "plain")
    tokenizer = getattr(transformers, f"{name}Tokenizer").from_pretrained(tmp_path / "plain")
    sizes: dict[str, Any] = {"num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48}
    config = getattr(transformers, f"{name}Config")(
        vocab_size=len(tokenizer), hidden_size=24, max_position_embeddings=66, pad_token_id=tokenizer.pad_token_id,
        bos_token_id=0, eos_token_id=2, **sizes,
    )  # fmt: skip
    torch.manual_seed(1)
    getattr(transformers, f"{name}Model")(config).save_pretrained(tmp_path / "encoder")
    load_encoder(tmp_path / "encoder", labels=LABELS, seed=2).save_pretrained(tmp_path / "teacher")
    tokenizer.save_pretrained(tmp_path / "teacher")
    return tmp_path / "teacher"


def splits() -> Splits:
    """Made-up texts; those of the test are of other words and have an unknown one."""

    def rows(source: trained.Texts, count: int, more: str = "") -> Any:
        texts = [text + more for text in source.make(count)]
        return Dataset.from_dict({"text": texts, "label": [len(text) % 2 for text in texts]})

    usual = trained.Texts(1)
    return Splits(
        rows(usual, 48), rows(usual, 16), rows(trained.Texts(2), 32, " 日"), rows(usual, 8), LABELS, "one", "two"
    )


def test_a_student_of_the_pieces_seen(teacher: Path, tmp_path: Path) -> None:
    """With a loss token by token, for which both read the same cut."""
    student = {"layers": 1, "hidden": 16, "heads": 4, "intermediate": 32, "init": "random"}
    recipe = Recipe.model_validate(
        {
            "name": "tiny",
            "teacher": {"model": str(teacher)},
            "data": {"source": "unused.csv", "max_tokens": 24},
            "student": {**student, "vocabulary": "seen", "vocabulary_characters": "seen"},
            "distil": {"epochs": 1, "precision": "fp32", "batch_size": 16, "hidden": 1.0},
        }
    )
    data, out = splits(), tmp_path / "student"
    facts = run.distil(
        recipe, data, teacher, out, cache=tmp_path / "cache", work=tmp_path / "work", progress=QuietProgress()
    )
    found = facts["vocabulary"]
    tokenizer = load_tokenizer(out)
    assert found["size"] == len(tokenizer) < found["teacher_size"]
    assert found["test_recut"] > 0 and 0 < found["test_unknown_teacher"] <= found["test_unknown"] < 0.5
    assert load_classifier(out).backbone.embeddings.word_embeddings.num_embeddings == len(tokenizer)
    assert accuracy(out, data.test, 24) == pytest.approx(facts["test_accuracy"])
    theirs = load_tokenizer(teacher)
    for text in data.train["text"]:
        assert tokenizer.convert_ids_to_tokens(tokenizer(text)["input_ids"]) == theirs.convert_ids_to_tokens(
            theirs(text)["input_ids"]
        )
