"""Students beyond plain BERT: pruned by importance, factorized, static, and all of them over a pruned vocabulary."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import lettered
from potstill.distil.students import projection
from potstill.distil.students.inits.prune import importance
from potstill.distil.students.job import Job, make_student
from potstill.distil.students.teacher_view import Taps, encoder_of
from potstill.distil.vocabulary.choice import Vocabulary, aligned, choose_vocabulary
from potstill.errors import TrainError
from potstill.models.classifier import load_classifier
from potstill.models.evaluation import outputs
from potstill.models.tokens import encode
from potstill.recipe.schema import Student
from potstill.runtime.rows import TokenRows

LABELS = ["negative", "positive"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The lettered teacher's folder."""
    return lettered.teacher(tmp_path_factory.mktemp("lettered"))


@pytest.fixture
def teacher(folder: Path) -> Any:
    """The lettered teacher."""
    return load_classifier(folder)


def settings(**changes: Any) -> Student:
    base: dict[str, Any] = {
        "architecture": "bert",
        "layers": 3,
        "hidden": 24,
        "heads": 4,
        "intermediate": 48,
        "init": "pca",
        "init_layers": None,
        "pooling": "mean",
        "embedding_size": None,
        "head_hidden": 0,
    }
    return Student.model_construct(**{**base, **changes})


def pruned(texts: list[str]) -> Vocabulary:
    wanted = Student(vocabulary="seen")
    tokenizer = lettered.tokenizer()
    return choose_vocabulary(wanted, tokenizer, encode(tokenizer, texts, 32))


def make(teacher: Any, vocabulary: Vocabulary | None = None, count: int = 120, **changes: Any) -> Job:
    """A student over the sample texts; with a vocabulary, over its ids."""
    tokenizer = lettered.tokenizer() if vocabulary is None else vocabulary.tokenizer
    rows = rows_of(tokenizer, lettered.texts(count)) if count else TokenRows([], pad_id=tokenizer.pad_token_id)
    kept = None if vocabulary is None else vocabulary.kept
    return make_student(Job(settings(**changes), teacher, LABELS, rows, kept=kept))


def rows_of(tokenizer: Any, texts: list[str]) -> TokenRows:
    return TokenRows(encode(tokenizer, texts, 32), pad_id=tokenizer.pad_token_id)


def error_of(job: Job, teacher: Any, texts: list[str], vocabulary: Vocabulary | None = None) -> float:
    """Root mean square error of the student's logits over the standard deviation of the teacher's, same pieces."""
    tokenizer = lettered.tokenizer() if vocabulary is None else vocabulary.tokenizer
    rows = rows_of(tokenizer, texts)
    ours = outputs(job.student, rows).logits
    theirs = outputs(teacher, aligned(rows, None if vocabulary is None else vocabulary.kept)).logits
    return float(np.sqrt(((ours - theirs) ** 2).mean() / theirs.var()))


OTHERS = lettered.texts(80, seed=7)


@pytest.mark.parametrize("init", ["pca", "prune", "copy"])
@pytest.mark.parametrize("architecture", ["bert", "factorized"])
def test_at_the_teachers_sizes_the_student_is_the_teacher(teacher: Any, init: str, architecture: str) -> None:
    """Over fewer pieces too, also for texts that are cut anew: every row of the table is its teacher's."""
    vocabulary = pruned(lettered.texts(60))
    size = 24 if architecture == "factorized" else None
    job = make(teacher, vocabulary, init=init, architecture=architecture, embedding_size=size)
    embeddings = job.student.backbone.embeddings
    assert embeddings.word_embeddings.num_embeddings == vocabulary.size < vocabulary.teacher_size
    assert job.student.backbone.config.pad_token_id == vocabulary.pad_id != job.teacher_rows.pad_id
    rows = rows_of(vocabulary.tokenizer, [*OTHERS, "unseen words", "goodness"])
    theirs, ours = outputs(teacher, aligned(rows, vocabulary.kept)), outputs(job.student, rows)
    np.testing.assert_allclose(ours.pooled, theirs.pooled, atol=2e-4)
    if init == "copy":  # the others fit the head to the sample
        np.testing.assert_allclose(ours.logits, theirs.logits, atol=2e-3)


def test_pca_is_the_same_whatever_the_numbers_of_the_pieces(teacher: Any) -> None:
    """On texts that both cut alike, a pruned vocabulary is nothing but another numbering."""
    vocabulary = pruned(lettered.texts(120))
    first, second = make(teacher, layers=2, hidden=16), make(teacher, vocabulary, layers=2, hidden=16)
    assert error_of(first, teacher, OTHERS) == pytest.approx(error_of(second, teacher, OTHERS, vocabulary), abs=1e-3)
    assert error_of(first, teacher, OTHERS) < 0.9


def test_importance_finds_what_the_output_hangs_on(teacher: Any) -> None:
    """Units that nothing reads score 0, all others more."""
    encoder = encoder_of(teacher, "prune")
    with torch.no_grad():
        encoder.layers[1].attention_out.weight[:, 6:12] = 0.0  # head 1
        encoder.layers[1].down.weight[:, 5] = 0.0
    rows = rows_of(lettered.tokenizer(), lettered.texts(40))
    taps = Taps(encoder.module, rows)
    channels, layers = importance(teacher, encoder, taps.batches)
    assert layers[1].heads[1] == 0.0 and (np.delete(layers[1].heads, 1) > 0).all()
    assert layers[1].neurons[5] == 0.0 and (layers[1].neurons > 0).sum() > 40
    assert channels.shape == (24,) and channels.sum() == pytest.approx(1.0)
    assert all(parameter.requires_grad for parameter in teacher.parameters())
    assert all(parameter.grad is None for parameter in teacher.parameters())
    assert not encoder.layers[1].down._forward_pre_hooks


def test_importance_equals_the_derivative_by_a_switch(teacher: Any) -> None:
    """A neuron's score is the mean over texts of |d margin / d factor|: by finite differences."""
    encoder = encoder_of(teacher, "prune")
    rows = rows_of(lettered.tokenizer(), lettered.texts(6))
    _, layers = importance(teacher, encoder, Taps(encoder.module, rows).batches)

    def margins(factor: float) -> np.ndarray:
        weight = encoder.layers[0].down.weight
        with torch.no_grad():
            original = weight[:, 2].clone()
            weight[:, 2] *= factor
            logits = np.sort(outputs(teacher.double(), rows).logits.astype(np.float64), axis=1)
            weight[:, 2] = original
        return logits[:, -1] - logits[:, -2]

    slopes = (margins(1.05) - margins(0.95)) / 0.1
    assert np.abs(slopes).mean() == pytest.approx(layers[0].neurons[2], rel=0.05)


def test_prune_cuts_whole_channels_heads_and_neurons(teacher: Any) -> None:
    job = make(teacher, init="prune", layers=2, hidden=18, heads=3, intermediate=20, init_layers=[0, 2])
    assert job.projection is not None and job.projection.shape == (24, 18)
    assert set(np.unique(job.projection)) == {0.0, 1.0}
    assert (job.projection.sum(axis=0) == 1).all() and (job.projection.sum(axis=1) <= 1).all()
    words = job.teacher.backbone.embeddings.word_embeddings.weight.detach().numpy()
    mine = job.student.backbone.embeddings.word_embeddings.weight.detach().numpy()
    np.testing.assert_allclose(mine, words @ job.projection, atol=1e-6)
    random = make(teacher, init="random", layers=2, hidden=18, heads=3, intermediate=20)
    assert error_of(job, teacher, OTHERS) < min(0.95, error_of(random, teacher, OTHERS))


def test_factorized_is_small_and_close(teacher: Any) -> None:
    """The error of the tables falls with their width; the default is 128 or the hidden size."""
    errors = []
    for size in (4, 12, 24):
        job = make(teacher, architecture="factorized", embedding_size=size)
        embeddings = job.student.backbone.embeddings
        assert embeddings.word_embeddings.weight.shape == (len(lettered.VOCABULARY), size)
        assert embeddings.position_embeddings.weight.shape == (48, size)
        errors.append(error_of(job, teacher, OTHERS))
    assert errors[0] > errors[1] > errors[2]
    job = make(teacher, architecture="factorized", init="random")
    assert job.student.backbone.config.embedding_size == 24
    with pytest.raises(TrainError) as error:
        make(teacher, architecture="factorized", embedding_size=25)
    assert error.value.code == "T063"


@pytest.mark.parametrize(
    "changes",
    [
        {"architecture": "factorized", "embedding_size": 8, "hidden": 16, "layers": 2},
        {"architecture": "static", "hidden": 12},
        {"architecture": "static", "hidden": 12, "head_hidden": 8},
    ],
)
def test_saved_and_loaded_the_same(teacher: Any, tmp_path: Path, changes: dict[str, Any]) -> None:
    job = make(teacher, **changes)
    job.student.eval().save_pretrained(tmp_path)
    rows = rows_of(lettered.tokenizer(), OTHERS)
    again = outputs(load_classifier(tmp_path), rows)
    np.testing.assert_array_equal(again.logits, outputs(job.student, rows).logits)
    assert again.pooled.shape[1] == (changes["hidden"])


def test_padding_does_not_matter(teacher: Any) -> None:
    for changes in ({"architecture": "static", "hidden": 12}, {"architecture": "factorized", "embedding_size": 8}):
        model = make(teacher, **changes).student.eval()
        row = torch.from_numpy(encode(lettered.tokenizer(), ["good film"], 32)[0])[None].long()
        padded = torch.cat([row, torch.full((1, 5), 9)], dim=1)
        mask = torch.tensor([[1] * row.shape[1] + [0] * 5])
        with torch.no_grad():
            torch.testing.assert_close(model(padded, mask).logits, model(row).logits, atol=1e-5, rtol=1e-5)


def test_static_starts_from_the_teacher(teacher: Any) -> None:
    """Better than random; its special tokens start at 0; rare tokens are longer than frequent ones."""
    vocabulary = pruned(lettered.texts(60))
    for head in (0, 16):
        job = make(teacher, vocabulary, count=300, architecture="static", hidden=12, head_hidden=head)
        assert error_of(job, teacher, OTHERS, vocabulary) < 0.9
        assert job.layers == [] and job.projection is not None and job.projection.shape == (24, 12)
        table = job.student.backbone.embeddings.word_embeddings.weight.detach().numpy()
        names = vocabulary.tokenizer.get_vocab()
        for token in ("[CLS]", "[SEP]", "[PAD]"):
            assert not table[names[token]].any()
        assert table[names["film"]].any()
        lengths = np.linalg.norm(table, axis=1)
        assert lengths[names["film"]] < np.median([lengths[names[letter]] for letter in "qxzj"])


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"pooling": "cls"}, "T064"),
        ({"hidden": 25}, "T065"),
        ({"hidden": 0}, "T041"),
        ({"head_hidden": -1}, "T041"),
        ({"init": "copy"}, "T044"),
        ({"init": "prune"}, "T044"),
        ({"count": 0}, "T048"),
    ],
)
def test_static_settings_that_cannot_work(teacher: Any, changes: dict[str, Any], code: str) -> None:
    with pytest.raises(TrainError) as error:
        make(teacher, **{"architecture": "static", "hidden": 12, **changes})
    assert error.value.code == code


def test_static_at_random_may_be_wider(teacher: Any) -> None:
    assert make(teacher, architecture="static", hidden=64, init="random").student.config.hidden_size == 64


def test_prune_cannot_widen(teacher: Any) -> None:
    with pytest.raises(TrainError) as error:
        make(teacher, init="prune", hidden=32)
    assert error.value.code == "T047"


def test_sample_rows_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = TokenRows([np.zeros(10, np.int32)] * 9)
    assert len(projection.sample_rows(rows, "pca")) == 9
    monkeypatch.setattr(projection, "SAMPLE_TOKENS", 35)
    assert len(projection.sample_rows(rows, "pca")) == 3
    monkeypatch.setattr(projection, "SAMPLE_ROWS", 2)
    assert len(projection.sample_rows(rows, "pca")) == 2
