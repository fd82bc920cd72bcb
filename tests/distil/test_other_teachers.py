"""Teachers of other kinds than BERT: attention, positions and activation of their students."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

from potstill.distil.students.inherited import activation_of
from potstill.distil.students.job import Job, make_student
from potstill.models.attention import with_attention
from potstill.models.classifier import EncoderClassifier, load_classifier, load_encoder
from potstill.models.positions import usable_positions
from potstill.recipe.schema import Student
from potstill.runtime.rows import TokenRows

SIZES = {"vocab_size": 40, "hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48}
ROWS = [np.array([2, 5, 9, 7, 3], np.int32), np.array([2, 11, 3], np.int32)]


def config(kind: str, **more: Any) -> Any:
    names: dict[str, Any] = {**SIZES, **more}
    if kind == "XLNet":
        names = {"vocab_size": 40, "d_model": 24, "n_layer": 2, "n_head": 4, "d_inner": 48, **more}
    return getattr(transformers, f"{kind}Config")(**names)


def teacher(kind: str, folder: Path, **more: Any) -> EncoderClassifier:
    torch.manual_seed(1)
    getattr(transformers, f"{kind}Model")(config(kind, **more)).save_pretrained(folder)
    return load_encoder(folder, labels=["a", "b"]).eval()


def student(found: EncoderClassifier, longest: int | None = None, pad_id: int = 0, **more: Any) -> Job:
    settings = {"architecture": "bert", "layers": 1, "hidden": 16, "heads": 4, "intermediate": 32, "pooling": "mean"}
    given = Student.model_construct(**{**settings, "init": "random", **more})
    return make_student(Job(given, found, ["a", "b"], TokenRows(ROWS, pad_id=pad_id), longest=longest))


@pytest.mark.parametrize("kind", ["MPNet", "DebertaV2", "XLNet"])
def test_a_teacher_without_fused_attention_runs_with_the_eager_one(kind: str, tmp_path: Path) -> None:
    """As the model that is trained, and as the folder that is loaded again, with a head of its own too."""
    found = teacher(kind, tmp_path)
    assert found.backbone.config._attn_implementation == "eager"
    found.save_pretrained(tmp_path / "ours")
    ids = torch.tensor([[2, 5, 9, 7, 3]])
    torch.testing.assert_close(load_classifier(tmp_path / "ours")(ids).logits, found(ids).logits)
    getattr(transformers, f"{kind}ForSequenceClassification")(config(kind)).save_pretrained(tmp_path / "theirs")
    assert load_classifier(tmp_path / "theirs")(ids).logits.shape == (1, 2)
    assert student(found).student(ids).logits.shape == (1, 2)


def test_only_missing_attention_is_made_up_for() -> None:
    def make(kind: str) -> str:
        if kind == "sdpa":
            raise ValueError("hidden_size is not a multiple")
        return kind

    with pytest.raises(ValueError, match="multiple"):
        with_attention(make, "sdpa")


def test_positions_are_those_that_a_text_can_use(tmp_path: Path) -> None:
    """RoBERTa's kind numbers positions from behind the padding id."""
    limits = {"MPNet": 64, "Roberta": 64, "Bert": 66, "DistilBert": 66}
    for kind, limit in limits.items():
        names = {"max_position_embeddings": 66} | ({"pad_token_id": 1} if limit == 64 else {})
        if kind == "DistilBert":
            model: Any = transformers.DistilBertModel(
                transformers.DistilBertConfig(vocab_size=40, dim=24, n_layers=1, n_heads=4, hidden_dim=48, **names)
            )
        else:
            model = getattr(transformers, f"{kind}Model")(config(kind, **names))
        assert usable_positions(model) == limit, kind


def test_a_student_has_its_own_padding_id_and_positions(tmp_path: Path) -> None:
    found = teacher("MPNet", tmp_path, max_position_embeddings=66, pad_token_id=1)
    backbone = student(found, pad_id=1).student.backbone
    assert (backbone.config.pad_token_id, backbone.config.max_position_embeddings) == (1, 64)


@pytest.mark.parametrize("init", ["random", "copy", "pca"])
def test_positions_of_a_long_context_teacher_are_cut(init: str, tmp_path: Path) -> None:
    """To 512 or what the recipe needs; fewer than that stay as they are."""
    sizes = {"hidden": 24, "intermediate": 48} if init == "copy" else {}
    found = teacher("Bert", tmp_path / "long", max_position_embeddings=2048)
    for longest, wanted in ((100, 512), (600, 600), (5000, 2048)):
        made = student(found, longest, init=init, **sizes).student.backbone
        assert made.embeddings.position_embeddings.weight.shape[0] == made.config.max_position_embeddings == wanted
    if init == "copy":
        table = found.backbone.embeddings.position_embeddings.weight
        assert made.embeddings.position_embeddings.weight.equal(table)
    usual = teacher("Bert", tmp_path / "usual", max_position_embeddings=128)
    assert student(usual, 100, init=init, **sizes).student.backbone.config.max_position_embeddings == 128


def test_an_activation_is_inherited_or_given(tmp_path: Path) -> None:
    found = teacher("Llama", tmp_path, num_key_value_heads=4)
    assert student(found).student.backbone.config.hidden_act == "gelu"  # the core has no SiLU
    assert student(found, activation="relu").student.backbone.config.hidden_act == "relu"
    names = {"GPT2": "gelu_new", "ModernBert": "gelu", "DistilBert": "gelu", "XLNet": "gelu"}
    for kind, name in names.items():
        assert activation_of(getattr(transformers, f"{kind}Config")()) == name
