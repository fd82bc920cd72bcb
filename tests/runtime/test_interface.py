"""What a program does with models and answers: pass them on, index them, pickle them, close them, check their types."""

from __future__ import annotations

import copy
import inspect
import io
import json
import multiprocessing
import pickle
import typing
from pathlib import Path
from typing import Any

import pytest

import potstill
from potstill import errors
from tiny_still import LABELS, MAX_TOKENS, WIDTH, write_model

TEXTS = ["a b", "c d e", "f"]


@pytest.fixture(scope="module")
def model(still: Path) -> potstill.Model:
    return potstill.load(still, threads=1)


@pytest.fixture(scope="module")
def tagger(tmp_path_factory: pytest.TempPathFactory) -> potstill.Model:
    return potstill.load(write_model(tmp_path_factory.mktemp("tagger") / "tagger.still", per_token=True), threads=1)


def test_a_prediction_is_json_once_it_is_a_dict(model: potstill.Model, tmp_path: Path) -> None:
    several = potstill.load(write_model(tmp_path / "several.still", multi_label=True), threads=1)
    for prediction in (*model.classify(TEXTS), *several.classify(TEXTS, threshold=1.0)):
        found = prediction.as_dict()
        assert json.loads(json.dumps(found)) == found == dict(prediction) == {**prediction}
        assert list(found) == ["label", "score", "scores", "labels"]
        assert found["scores"] == prediction.scores and found["labels"] == list(prediction.labels)
        with pytest.raises(TypeError, match="not iterable"):
            list(prediction)  # type: ignore[call-overload]
        found["scores"].clear()
        assert tuple(prediction.scores) == LABELS, "it is a copy"


@pytest.mark.parametrize("call", ["embed", "logits"])
def test_results_are_indexed_and_iterated(model: potstill.Model, call: str) -> None:
    np = pytest.importorskip("numpy", reason="numpy is an optional consumer of the buffer protocol")
    out = getattr(model, call)(TEXTS)
    width, listed = {"embed": WIDTH, "logits": len(LABELS)}[call], out.tolist()
    assert out.shape == (3, width) and len(out) == 3
    assert [list(row) for row in out] == listed
    assert [row.tolist() for row in reversed(out)] == listed[::-1]
    assert out[0][1] == listed[0][1] and out[-1].tolist() == listed[-1] and len(out[-3]) == width
    assert [row.tolist() for row in out[1:]] == listed[1:] and [row.tolist() for row in out[::-2]] == listed[::-2]
    assert out[5:] == [] and len(out[0][1:]) == width - 1
    for index in (3, -4, 2**40):
        with pytest.raises(IndexError):
            out[index]
    row = np.asarray(out[1])
    assert row.dtype == np.float32 and np.shares_memory(row, np.asarray(out))
    del out
    assert row.tolist() == listed[1], "a row keeps its numbers alive"
    assert list(getattr(model, call)([])) == []


def test_rows_of_a_tagger(tagger: potstill.Model) -> None:
    out = tagger.logits(TEXTS)
    assert len(out) == sum(map(len, tagger.tokenize(TEXTS))) == len(list(out))


def test_repr_says_what_it_is(model: potstill.Model, tagger: potstill.Model) -> None:
    assert repr(model) == (
        "<potstill.Model 'tiny' text-classification, int8, labels=bad, so-so, good, "
        f"max_tokens={MAX_TOKENS}, threads=1>"
    )
    assert "token-classification" in repr(tagger)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_model_is_pickled_by_its_file(model: potstill.Model, protocol: int) -> None:
    pickled = pickle.dumps(model, protocol)
    assert len(pickled) < 2000
    opened = pickle.loads(pickled)
    assert opened.classify(TEXTS) == model.classify(TEXTS)
    assert opened.info == model.info


def test_a_relative_path_is_pickled_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_model(tmp_path / "m.still")
    monkeypatch.chdir(tmp_path)
    pickled = pickle.dumps(potstill.load("m.still", threads=2))
    monkeypatch.chdir("/")
    assert pickle.loads(pickled).info["threads"] == 2


def test_another_file_in_its_place_is_told(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.still")
    pickled = pickle.dumps(potstill.load(path))
    write_model(path, multi_label=True)
    with pytest.raises(potstill.InputError, match="changed since") as caught:
        pickle.loads(pickled)
    assert caught.value.code == "I124"
    path.unlink()
    with pytest.raises(potstill.FormatError, match="F001"):
        pickle.loads(pickled)


def test_a_model_from_memory_is_pickled_with_its_content(still: Path) -> None:
    content = still.read_bytes()
    for source in (content, bytearray(content), memoryview(content), io.BytesIO(content)):
        model = potstill.load(source, threads=1)
        opened = pickle.loads(pickle.dumps(model))
        assert opened.classify(TEXTS) == model.classify(TEXTS)
        assert pickle.loads(pickle.dumps(opened)).info == model.info


def test_a_mapped_model_is_mapped_again(still: Path) -> None:
    opened = pickle.loads(pickle.dumps(potstill.load(still, mapped=True)))
    assert str(still) in Path("/proc/self/maps").read_text("utf-8")
    assert opened.labels == LABELS


def test_copies_are_closed_on_their_own(still: Path) -> None:
    for make in (copy.copy, copy.deepcopy, lambda model: copy.deepcopy({"model": model})["model"]):
        first = potstill.load(still, threads=1)
        wanted, second = first.classify(TEXTS), make(first)
        first.close()
        assert second.classify(TEXTS) == wanted
        assert pickle.loads(pickle.dumps(second)).classify(TEXTS) == wanted


def classify_elsewhere(model: potstill.Model) -> Any:
    """In another process."""
    return model.classify(TEXTS)


def test_a_spawned_process_gets_a_model(model: potstill.Model) -> None:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(classify_elsewhere, (model,)) == model.classify(TEXTS)


def test_a_closed_model_says_so(still: Path) -> None:
    with potstill.load(still) as model:
        assert len(model.classify(TEXTS)) == 3
    model.close()
    assert repr(model) == "<potstill.Model, closed>"
    uses = [model.classify, model.tokenize, model.embed, model.logits, model.logits_from_ids, pickle.dumps]
    for use, given in zip(uses, [TEXTS] * 4 + [[[2, 3]]] + [model], strict=True):
        with pytest.raises(potstill.InputError, match="closed") as caught:
            use(given)  # type: ignore[operator]
        assert caught.value.code == "I123"
    for name in ("labels", "max_tokens", "info", "pairs", "per_token", "multi_label"):
        with pytest.raises(potstill.InputError, match="I123"):
            getattr(model, name)


def test_an_answer_under_way_outlives_close(still: Path) -> None:
    model = potstill.load(still)
    rows = model.logits(TEXTS)
    wanted = rows.tolist()
    model.close()
    assert rows.tolist() == wanted


def test_all_errors_are_public() -> None:
    classes = {name for name, value in vars(errors).items() if inspect.isclass(value) and issubclass(value, Exception)}
    assert classes <= set(potstill.__all__)
    assert potstill.InputError is errors.InputError


def test_hints_are_resolvable() -> None:
    """Of every public function, property and method."""
    seen = 0
    for owner in (potstill.Model, potstill.Prediction, potstill.Token):
        for name, value in vars(owner).items():
            public = value.fget if isinstance(value, property) else value
            if inspect.isfunction(public) and (not name.startswith("_") or name == "__init__"):
                assert "return" in typing.get_type_hints(public) or name == "__init__", (owner, name)
                seen += 1
    assert "return" in typing.get_type_hints(potstill.load)
    pytest.importorskip("torch", reason="the build extra is not installed")
    assert "return" in typing.get_type_hints(potstill.build)
    assert seen > 15
