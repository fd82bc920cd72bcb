"""Students: sizes, copies, projections, and settings that cannot work."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch

from potstill.distil.students import basis, inits, kinds
from potstill.distil.students.job import Job, make_student, spread_layers
from potstill.errors import TrainError
from potstill.models.classifier import load_classifier
from potstill.models.evaluation import outputs
from potstill.recipe.schema import Student
from potstill.runtime.rows import TokenRows

LABELS = ["negative", "positive"]


def settings(**changes: Any) -> Student:
    base: dict[str, Any] = {
        "architecture": "bert",
        "layers": 2,
        "hidden": 16,
        "heads": 4,
        "intermediate": 32,
        "init": "pca",
        "init_layers": None,
        "pooling": "mean",
    }
    return Student.model_construct(**{**base, **changes})


def sample(rows: int = 200) -> TokenRows:
    random = np.random.default_rng(1)
    return TokenRows([np.array([2, *random.integers(5, 21, random.integers(2, 14)), 3]) for _ in range(rows)])


def relative_error(student: Any, teacher: Any, rows: TokenRows) -> float:
    ours, theirs = outputs(student, rows).logits, outputs(teacher, rows).logits
    return float(np.sqrt(((ours - theirs) ** 2).mean() / theirs.var()))


def test_the_articles_students_can_be_built() -> None:
    from transformers import BertConfig, BertForSequenceClassification

    from potstill.models.split_classifier import SplitClassifier

    # BERT-base, shrunk in its tables and depth only.
    config = BertConfig(vocab_size=50, num_hidden_layers=4, intermediate_size=256, max_position_embeddings=32)
    torch.manual_seed(0)
    teacher = SplitClassifier(BertForSequenceClassification(config)).eval()
    for heads in (6, 12):
        wanted = settings(layers=4, hidden=312, heads=heads, intermediate=1200)
        job = make_student(Job(wanted, teacher, LABELS, sample(24)))
        backbone = job.student.backbone.config
        assert (backbone.num_hidden_layers, backbone.hidden_size, backbone.num_attention_heads) == (4, 312, heads)
        assert backbone.vocab_size == 50 and job.student.config.id2label == {0: "negative", 1: "positive"}
        assert job.projection is not None and job.projection.shape == (768, 312)
        assert all(torch.isfinite(tensor).all() for tensor in job.student.state_dict().values())


def test_copy_is_exact(tiny_teacher: Path) -> None:
    teacher = load_classifier(tiny_teacher)
    job = make_student(
        Job(settings(init="copy", hidden=24, intermediate=48, init_layers=[2, 0]), teacher, LABELS, sample())
    )
    for own, index in zip(job.student.backbone.encoder.layer, (2, 0), strict=True):
        for name, tensor in teacher.backbone.encoder.layer[index].state_dict().items():
            assert own.state_dict()[name].equal(tensor), name
    for name, tensor in teacher.backbone.embeddings.state_dict().items():
        assert job.student.backbone.embeddings.state_dict()[name].equal(tensor), name
    assert job.student.classifier.weight.equal(teacher.classifier.weight)


def test_copy_of_all_layers_is_the_teacher(tiny_teacher: Path) -> None:
    teacher = load_classifier(tiny_teacher)
    job = make_student(Job(settings(init="copy", layers=3, hidden=24, intermediate=48), teacher, LABELS, sample()))
    rows = sample(20)
    np.testing.assert_allclose(outputs(job.student, rows).logits, outputs(teacher, rows).logits, atol=1e-5)


def test_pca_at_the_teachers_sizes_is_the_teacher(tiny_teacher: Path) -> None:
    teacher = load_classifier(tiny_teacher)
    job = make_student(Job(settings(layers=3, hidden=24, intermediate=48), teacher, LABELS, sample()))
    fresh = sample(60)
    ours, theirs = outputs(job.student, fresh), outputs(teacher, fresh)
    np.testing.assert_allclose(ours.pooled, theirs.pooled, atol=2e-3)
    # The head is fitted with a ridge, so it is near, not equal.
    assert relative_error(job.student, teacher, fresh) < 0.1


def test_pca_is_nearer_the_teacher_than_random(tiny_teacher: Path) -> None:
    teacher = load_classifier(tiny_teacher)
    rows = sample(60)
    errors = {
        init: relative_error(make_student(Job(settings(init=init), teacher, LABELS, sample())).student, teacher, rows)
        for init in ("pca", "random")
    }
    assert errors["pca"] < 0.8
    assert errors["random"] > 0.95


@pytest.mark.parametrize("heads", [2, 4, 8])
def test_pca_with_fewer_longer_and_more_heads(tiny_teacher: Path, heads: int) -> None:
    teacher = load_classifier(tiny_teacher)
    job = make_student(Job(settings(heads=heads), teacher, LABELS, sample()))
    assert job.student.backbone.config.num_attention_heads == heads
    assert relative_error(job.student, teacher, sample(60)) < 0.9


def test_students_are_repeatable(tiny_teacher: Path) -> None:
    teacher = load_classifier(tiny_teacher)
    first, second = (make_student(Job(settings(), teacher, LABELS, sample())).student.state_dict() for _ in range(2))
    assert all(first[name].equal(second[name]) for name in first)


def test_initialising_leaves_the_teacher_alone(tiny_teacher: Path) -> None:
    teacher = load_classifier(tiny_teacher)
    before = {name: tensor.clone() for name, tensor in teacher.state_dict().items()}
    make_student(Job(settings(), teacher, LABELS, sample()))
    assert all(tensor.equal(before[name]) for name, tensor in teacher.state_dict().items())
    assert not teacher.backbone.encoder.layer[0]._forward_hooks


@pytest.mark.parametrize(
    ("changes", "code", "hint"),
    [
        ({"heads": 5}, "T040", "2, 4, 8"),
        ({"hidden": 32}, "T047", "24 or less"),
        ({"layers": 4}, "T045", "at most 3"),
        ({"init": "copy"}, "T043", "pca"),
        ({"init_layers": [0]}, "T046", "[0, 1]"),
        ({"init_layers": [0, 3]}, "T046", "0 to 2"),
        ({"architecture": "lstm"}, "T044", "bert"),
        ({"init": "magic"}, "T044", "pca"),
        ({"pooling": "max"}, "T010", "mean or cls"),
        ({"intermediate": 0}, "T041", "1 or more"),
    ],
)
def test_settings_that_cannot_work(tiny_teacher: Path, changes: dict[str, Any], code: str, hint: str) -> None:
    with pytest.raises(TrainError) as error:
        make_student(Job(settings(**changes), load_classifier(tiny_teacher), LABELS, sample()))
    assert error.value.code == code
    assert hint in str(error.value)


def test_pca_needs_text(tiny_teacher: Path) -> None:
    with pytest.raises(TrainError) as error:
        make_student(Job(settings(), load_classifier(tiny_teacher), LABELS, TokenRows([])))
    assert error.value.code == "T048"


def test_a_recipe_can_name_what_has_a_file() -> None:
    assert set(inits.NAMES) == set(get_args(Student.model_fields["init"].annotation))
    assert Student.model_fields["architecture"].default in kinds.NAMES


def test_spread_layers() -> None:
    assert spread_layers(3, 6) == [0, 2, 4]
    assert spread_layers(6, 6) == [0, 1, 2, 3, 4, 5]
    assert spread_layers(4, 12) == [0, 3, 6, 9]


def test_principal_axes() -> None:
    random = np.random.default_rng(0)
    axes, _ = np.linalg.qr(random.normal(size=(6, 6)))
    rows = random.normal(size=(500, 2)) @ axes[:, :2].T
    found = basis.principal_basis(rows, 2)
    np.testing.assert_allclose(found.T @ found, np.eye(2), atol=1e-5)
    np.testing.assert_allclose(rows @ found @ found.T, rows, atol=1e-5)
    np.testing.assert_array_equal(basis.principal_basis(rows, 6), np.eye(6))


def test_shrinking_is_exact_where_the_rank_allows() -> None:
    random = np.random.default_rng(0)
    queries = random.normal(size=(300, 3)) @ random.normal(size=(3, 8))
    keys = random.normal(size=(300, 8))
    a, b = basis.shrink_bilinear(queries.T @ queries / 300, keys.T @ keys / 300, 3)
    exact = queries @ keys.T
    assert np.abs((queries @ a.T) @ (keys @ b.T).T - exact).max() < 1e-2 * np.abs(exact).max()
    values, out = queries, random.normal(size=(5, 8))
    a, b = basis.shrink_product(values.T @ values / 300, out, 3)
    assert np.abs(values @ a.T @ b.T - values @ out.T).max() < 1e-2 * np.abs(values @ out.T).max()


def test_ridge_and_norm_fits() -> None:
    random = np.random.default_rng(0)
    inputs, weight, bias = random.normal(size=(400, 5)), random.normal(size=(3, 5)), random.normal(size=3)
    found, offset = basis.ridge(inputs, inputs @ weight.T + bias, strength=1e-9)
    np.testing.assert_allclose(found, weight, atol=1e-6)
    np.testing.assert_allclose(offset, bias, atol=1e-6)
    gain, shift = basis.gain_and_bias(inputs, inputs * 3.0 - 1.0)
    np.testing.assert_allclose(gain, 3.0)
    np.testing.assert_allclose(shift, -1.0, atol=1e-12)
