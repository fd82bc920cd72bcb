"""Models with one output: a score in every interface, and classes in none."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

import potstill
from potstill.cli import main
from potstill.errors import InputError
from tiny_still import write_model

TEXTS = ["a b", "c d e", "f", "a c"]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("score")
    files = {
        kind: write_model(folder / f"{kind}.still", labels=(), outputs=1, score=kind) for kind in ("raw", "sigmoid")
    }
    return {kind: potstill.load(path, threads=1) for kind, path in files.items()} | {"path": files["sigmoid"]}


def test_scores_are_the_logit_or_its_sigmoid(models: dict[str, Any]) -> None:
    logits = [row[0] for row in memoryview(models["raw"].logits(TEXTS)).tolist()]
    assert models["raw"].score(TEXTS) == logits
    assert models["sigmoid"].score(TEXTS) == pytest.approx([1 / (1 + math.exp(-x)) for x in logits], abs=1e-15)
    assert len(set(logits)) == len(TEXTS)
    assert all(type(score) is float for score in models["sigmoid"].score(TEXTS))
    ranked = [text for _, text in sorted(zip(models["raw"].score(TEXTS), TEXTS, strict=True), reverse=True)]
    assert ranked == sorted(TEXTS, key=lambda text: -models["sigmoid"].score([text])[0])
    assert models["raw"].score([]) == []


def test_what_a_model_is_not_is_refused(models: dict[str, Any], still: Path) -> None:
    for kind in ("raw", "sigmoid"):
        assert models[kind].score_kind == models[kind].info["score"] == kind
        with pytest.raises(InputError, match=r"I108.*use score\(\)"):
            models[kind].classify(TEXTS)
    classes = potstill.load(still, threads=1)
    assert classes.score_kind == ""
    with pytest.raises(InputError, match=r"I105.*use classify\(\)"):
        classes.score(TEXTS)


def test_one_label_of_several_is_a_class(tmp_path: Path) -> None:
    model = potstill.load(write_model(tmp_path / "m.still", labels=("yes",), outputs=1, multi_label=True), threads=1)
    assert 0 < model.classify(["a"])[0].score < 1
    with pytest.raises(InputError, match="I105"):
        model.score(["a"])


def test_the_command_prints_scores(models: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    wanted = models["sigmoid"].score(["a b"])[0]
    assert main(["run", str(models["path"]), "a b"]) == 0
    assert capsys.readouterr().out == f"{wanted:.4f}\ta b\n"
    assert main(["run", str(models["path"]), "a b", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"text": "a b", "score": wanted}


def test_forbidden_ids_are_told_and_refused(tmp_path: Path) -> None:
    model = potstill.load(write_model(tmp_path / "m.still", forbidden_ids=(0, 7)), threads=1)
    assert model.info["forbidden_ids"] == [0, 7]
    assert model.classify(["a b"])
    with pytest.raises(InputError, match=r"I104.*token id 7.*position 1"):
        model.logits_from_ids([[2, 7, 3]])
    with pytest.raises(InputError, match=r"I104.*id 0.*padding"):
        model.classify(["a [PAD] b"]) if model.tokenize(["a [PAD] b"])[0].count(0) else model.logits_from_ids(
            [[2, 0, 3]]
        )
