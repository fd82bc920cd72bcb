"""Sentence-transformers folders as teachers: vectors are those that their users know, or the folder is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from transformers import AutoModel

import bert
from potstill.distil import distillation as run
from potstill.distil.teacher import finetune as teacher
from potstill.distil.teacher.sentence import sentence_model, teacher_vectors
from potstill.errors import TrainError
from potstill.models.classifier import load_classifier, load_encoder
from potstill.models.evaluation import predictions
from potstill.models.tokens import load_tokenizer
from potstill.models.vectors import pool, unit_length
from potstill.work.progress import QuietProgress
from tiny_task import VOCABULARY, make_dataset

HIDDEN = 24
IDS = torch.tensor([[2, 5, 14, 9, 3], [2, 18, 3, 0, 0]])
MASK = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])
FLAGS = {
    "cls": "pooling_mode_cls_token",
    "max": "pooling_mode_max_tokens",
    "mean": "pooling_mode_mean_tokens",
    "mean_sqrt_len": "pooling_mode_mean_sqrt_len_tokens",
    "weightedmean": "pooling_mode_weightedmean_tokens",
    "lasttoken": "pooling_mode_lasttoken",
}


def sentence_folder(
    source: Path,
    root: Path,
    pooling: str = "mean",
    *,
    dense: tuple[tuple[int, str], ...] = (),
    normalize: bool = False,
    encoder: str = "",
    safetensors: bool = False,
    settings: dict[str, Any] | None = None,
    general: dict[str, Any] | None = None,
) -> Path:
    """The encoder at `source` as a folder of sentence-transformers; `dense`: outputs and activation of each layer."""
    shutil.copytree(source, root / encoder, dirs_exist_ok=True)
    parts = pooling.split("+")
    modules = [("Transformer", encoder), ("Pooling", "1_Pooling")]
    _write(
        root / "1_Pooling/config.json",
        {"word_embedding_dimension": HIDDEN, **{f: n in parts for n, f in FLAGS.items()}},
    )
    width = HIDDEN * len(parts)
    for number, (outputs, activation) in enumerate(dense, 2):
        path = root / f"{number}_Dense"
        kind = f"torch.nn.modules.activation.{activation}"
        _write(
            path / "config.json",
            {"in_features": width, "out_features": outputs, "bias": True, "activation_function": kind},
        )
        torch.manual_seed(number)
        weights = {"linear.weight": torch.randn(outputs, width), "linear.bias": torch.randn(outputs)}
        if safetensors:
            from safetensors.torch import save_file

            save_file(weights, path / "model.safetensors")
        else:
            torch.save(weights, path / "pytorch_model.bin")
        modules.append(("Dense", path.name))
        width = outputs
    if normalize:
        modules.append(("Normalize", f"{len(modules)}_Normalize"))
    listed = [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{name}"}
        for i, (name, path) in enumerate(modules)
    ]
    _write(root / "modules.json", listed)
    if settings is not None:
        _write(root / encoder / "sentence_bert_config.json", settings)
    if general is not None:
        _write(root / "config_sentence_transformers.json", general)
    return root


def _write(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")


def by_hand(source: Path, pooling: str, ids: list[int]) -> torch.Tensor:
    """The pooled vector of one text without padding, straight from the encoder's states."""
    with torch.no_grad():
        states = AutoModel.from_pretrained(source)(torch.tensor([ids])).last_hidden_state[0].double()
    places = torch.arange(1, len(ids) + 1).double()[:, None]
    made = {
        "cls": states[0],
        "max": states.max(0).values,
        "mean": states.mean(0),
        "mean_sqrt_len": states.sum(0) / len(ids) ** 0.5,
        "weightedmean": (states * places).sum(0) / places.sum(),
        "lasttoken": states[-1],
    }
    return torch.cat([made[name] for name in pooling.split("+")])


@pytest.mark.parametrize("pooling", [*FLAGS, "cls+mean", "max+lasttoken"])
def test_poolings_are_those_of_each_text_alone(tiny_encoder: Path, pooling: str) -> None:
    with torch.no_grad():
        states = AutoModel.from_pretrained(tiny_encoder)(IDS, MASK).last_hidden_state
    found = pool(states, MASK, pooling)
    for row, ids in enumerate(([2, 5, 14, 9, 3], [2, 18, 3])):
        torch.testing.assert_close(found[row].double(), by_hand(tiny_encoder, pooling, ids), rtol=1e-5, atol=1e-5)


def test_unit_length_is_that_of_torch() -> None:
    vectors = torch.cat([torch.randn(5, 7), torch.zeros(1, 7), torch.full((1, 7), 1e-13)])
    torch.testing.assert_close(unit_length(vectors), nn.functional.normalize(vectors), rtol=1e-6, atol=1e-7)
    vectors.requires_grad_()
    unit_length(vectors).sum().backward()
    assert vectors.grad is not None and torch.isfinite(vectors.grad).all()


CASES: list[dict[str, Any]] = [
    {"pooling": "cls"},
    {"pooling": "mean", "normalize": True},
    {"pooling": "cls", "dense": ((10, "Tanh"),)},
    {"pooling": "max", "dense": ((30, "Identity"), (7, "GELU")), "normalize": True, "safetensors": True},
    {"pooling": "cls+mean_sqrt_len", "encoder": "0_Transformer"},
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_teacher_gives_the_vectors_of_the_folder(tiny_encoder: Path, tmp_path: Path, case: dict[str, Any]) -> None:
    root = sentence_folder(tiny_encoder, tmp_path / "st", **case)
    facts = _teacher(_recipe(root), tmp_path / "made")
    assert facts["pooling"] == case["pooling"] and facts["normalized"] is case.get("normalize", False)
    assert facts["warnings"] == []
    found = load_classifier(tmp_path / "made")(IDS, MASK).pooled
    for row, ids in enumerate(([2, 5, 14, 9, 3], [2, 18, 3])):
        wanted = by_hand(tiny_encoder, case["pooling"], ids)
        for number, (outputs, activation) in enumerate(case.get("dense", ()), 2):
            torch.manual_seed(number)
            weight, bias = torch.randn(outputs, len(wanted)).double(), torch.randn(outputs).double()
            wanted = getattr(nn, activation)()(weight @ wanted + bias)
        if case.get("normalize"):
            wanted = wanted / wanted.norm()
        torch.testing.assert_close(found[row].double(), wanted, rtol=1e-5, atol=1e-5)


def _recipe(model: Path, **changes: Any) -> Any:
    from potstill.recipe.schema import Recipe

    content: dict[str, Any] = {
        "name": "tiny",
        "task": "embedding",
        "teacher": {"model": str(model), "precision": "fp32"},
        "data": {"source": "unused.csv", "max_tokens": 16},
        "student": {"layers": 2, "hidden": 16, "heads": 4, "intermediate": 32},
        "distil": {"epochs": 1, "precision": "fp32", "batch_size": 16},
    }
    for name, value in changes.items():
        section, _, key = name.partition("__")
        content[section][key] = value
    return Recipe.model_validate(content)


def _teacher(recipe: Any, out: Path) -> dict[str, Any]:
    part = make_dataset(4, 1)
    splits = SimpleNamespace(
        train=part, validation=part, test=part, unlabelled=None, labels=[], fingerprint="none", units=""
    )
    return teacher.finetune(recipe, splits, out, cache=out.parent, work=out.parent / "work", progress=QuietProgress())


@pytest.mark.parametrize(
    ("options", "code", "named"),
    [
        ({"general": {"prompts": {"q": "query: "}, "default_prompt_name": "q"}}, "T120", "query: "),
        ({"general": {"prompts": {"q": "query: "}}, "include_prompt": False}, "T121", "pooling"),
        ({"settings": {"max_seq_length": 12}}, "T123", "12"),
        ({"dense": ((10, "Tanh"),), "broken": "cut"}, "T124", "pytorch_model.bin"),
        ({"dense": ((10, "Tanh"),), "broken": "gone"}, "T124", "2_Dense"),
        ({"dense": ((10, "Tanh"),), "broken": "shape"}, "T124", "weights"),
        ({"pooling": "cls+mean", "dense": ((10, "Tanh"),), "wanted": "cls"}, "T124", "auto"),
    ],
)
def test_what_cannot_be_adopted_is_refused(
    tiny_encoder: Path, tmp_path: Path, options: dict[str, Any], code: str, named: str
) -> None:
    broken, wanted = options.pop("broken", None), options.pop("wanted", "auto")
    include = options.pop("include_prompt", True)
    root = sentence_folder(tiny_encoder, tmp_path / "st", **options)
    if not include:
        _write(root / "1_Pooling/config.json", {"pooling_mode": "mean", "include_prompt": False})
    weights = root / "2_Dense/pytorch_model.bin"
    if broken == "cut":
        weights.write_bytes(weights.read_bytes()[:100])
    elif broken == "gone":
        weights.unlink()
    elif broken == "shape":
        torch.save({"linear.weight": torch.zeros(3, 3)}, weights)
    with pytest.raises(TrainError) as error:
        _teacher(_recipe(root, teacher__pooling=wanted), tmp_path / "made")
    assert error.value.code == code and named in str(error.value)
    assert not (tmp_path / "made").exists()


def test_a_key_that_contradicts_the_folder_wins_and_is_told(tiny_encoder: Path, tmp_path: Path) -> None:
    root = sentence_folder(tiny_encoder, tmp_path / "st", "cls", general={"prompts": {"query": "query: "}})
    facts = _teacher(_recipe(root, teacher__pooling="mean"), tmp_path / "made")
    assert facts["pooling"] == "mean"
    assert "mean" in facts["warnings"][0] and "cls" in facts["warnings"][0]
    assert "query" in facts["warnings"][1]
    assert _teacher(_recipe(root, teacher__pooling="cls"), tmp_path / "again")["warnings"] == facts["warnings"][1:]


def test_without_a_folder_of_sentence_transformers_it_is_the_mean(tiny_encoder: Path) -> None:
    for wanted, pooling in (("auto", "mean"), ("mean", "mean"), ("cls", "cls")):
        found = teacher_vectors(tiny_encoder, sentence_model(tiny_encoder), wanted, labelled=False, max_tokens=16)
        assert (found.source, found.pooling, found.notes) == (tiny_encoder, wanted, [])
        assert load_encoder(tiny_encoder, labels=[], pooling=found.pooling).config.pooling == pooling


def test_a_classifier_takes_the_pooling_alone(tiny_encoder: Path, tmp_path: Path) -> None:
    root = sentence_folder(tiny_encoder, tmp_path / "st", "cls+max", dense=((10, "Tanh"),), normalize=True)
    found = teacher_vectors(root, sentence_model(root), "auto", labelled=True, max_tokens=500)
    assert found.pooling == "cls+max" and found.sentence is None
    assert "dense layers and normalisation" in found.notes[0]
    model = load_encoder(found.source, labels=["a", "b"], pooling=found.pooling).eval()
    assert model(IDS, MASK).pooled.shape == (2, 2 * HIDDEN) and model(IDS, MASK).logits.shape == (2, 2)


def test_texts_are_lower_cased_where_the_folder_says_so(tiny_encoder: Path, tmp_path: Path) -> None:
    root = sentence_folder(tiny_encoder, tmp_path / "st", settings={"do_lower_case": True, "max_seq_length": 32})
    bert.tokenizer(VOCABULARY, lower=False).save_pretrained(root)
    assert load_tokenizer(root)("The FILM").input_ids == [2, 1, 1, 3]
    _teacher(_recipe(root), tmp_path / "made")
    made = load_tokenizer(tmp_path / "made")
    assert made("The FILM").input_ids == made("the film").input_ids == [2, 5, 6, 3]
    # Accents are kept: the folder speaks of the case alone.
    assert made("f\u00eflm").input_ids == [2, 1, 3]


def test_a_tokenizer_that_cannot_lower_case_is_refused(tiny_encoder: Path, tmp_path: Path) -> None:
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from transformers import PreTrainedTokenizerFast

    root = sentence_folder(tiny_encoder, tmp_path / "st", settings={"do_lower_case": True})
    words = {word: index for index, word in enumerate(VOCABULARY)}
    for name in ("tokenizer.json", "tokenizer_config.json", "vocab.txt"):
        (root / name).unlink(missing_ok=True)
    plain = Tokenizer(WordLevel(words, unk_token="[UNK]"))
    PreTrainedTokenizerFast(tokenizer_object=plain, pad_token="[PAD]", unk_token="[UNK]").save_pretrained(root)
    with pytest.raises(TrainError) as error:
        _teacher(_recipe(root), tmp_path / "made")
    assert error.value.code == "T122"


@pytest.mark.parametrize(
    ("case", "student"),
    [
        ({"pooling": "cls", "dense": ((10, "Tanh"),), "normalize": True}, {}),
        ({"pooling": "cls+mean", "normalize": True}, {"architecture": "factorized", "embedding_size": 8}),
    ],
    ids=["dense", "two poolings"],
)
def test_the_student_gives_vectors_of_the_teachers_kind(
    tiny_encoder: Path, tmp_path: Path, splits: Any, case: dict[str, Any], student: dict[str, Any]
) -> None:
    recipe = _recipe(
        sentence_folder(tiny_encoder, tmp_path / "st", **case),
        **{f"student__{key}": value for key, value in student.items()},
    )
    splits.labels = []
    progress: dict[str, Any] = {"progress": QuietProgress(), "cache": tmp_path / "cache"}
    teacher.finetune(recipe, splits, tmp_path / "teacher", work=tmp_path / "a", **progress)
    facts = run.distil(recipe, splits, tmp_path / "teacher", tmp_path / "student", work=tmp_path / "b", **progress)
    assert 0.3 < facts["test_accuracy"] <= 1.0
    vectors = predictions(tmp_path / "student", splits.test, 16).pooled
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, rtol=1e-6)
    taught = predictions(tmp_path / "teacher", splits.test, 16).pooled
    assert taught.shape[1] == (10 if "dense" in case else 2 * HIDDEN)
    assert load_classifier(tmp_path / "student").config.normalized
