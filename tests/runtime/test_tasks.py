"""Models of several labels, of pairs and of vectors alone through the public runtime."""

from __future__ import annotations

import json
import math
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

import potstill
from potstill import _core
from potstill.card import Card, heads_of
from potstill.errors import InputError
from potstill.runtime.answers import Prediction, _sigmoid
from potstill.runtime.backends.outside import checked
from potstill.runtime.rows import TokenRows
from tiny_still import LABELS, MAX_TOKENS, write_model


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("several") / "several.still", multi_label=True)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("pairs") / "pairs.still", pairs=True)


def run(*arguments: str) -> list[str]:
    command = [sys.executable, "-m", "potstill.cli", "run", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def test_several_labels_have_a_sigmoid_each(several: Path, still: Path) -> None:
    model, texts = potstill.load(several), ["a b c", "q", "hello"]
    assert model.multi_label and model.info["multi_label"]
    for prediction, row in zip(model.classify(texts), model.logits(texts).tolist(), strict=True):
        assert prediction.scores == pytest.approx({n: 1 / (1 + math.exp(-v)) for n, v in zip(LABELS, row, strict=True)})
        assert prediction.labels == tuple(n for n, v in zip(LABELS, row, strict=True) if v >= 0)
        assert prediction.label == LABELS[row.index(max(row))] and prediction.score == max(prediction.scores.values())
    assert {prediction.labels for prediction in model.classify(texts, threshold=1.0)} == {()}
    assert {prediction.labels for prediction in model.classify(texts, threshold=0.0)} == {LABELS}
    with pytest.raises(InputError, match="I013"):
        model.classify(texts, threshold=1.5)
    single = potstill.load(still).classify(texts, threshold=0.9)
    assert [prediction.labels for prediction in single] == [(prediction.label,) for prediction in single]


def test_a_prediction_of_several_labels_is_a_value() -> None:
    one, other = Prediction("a", 0.7, {"a": 0.7}, ("a", "b")), Prediction("a", 0.7, {"a": 0.7})
    assert one != other and other == Prediction("a", 0.7, {"a": 0.7}, ("a",))
    assert pickle.loads(pickle.dumps(one)) == one
    assert "labels=('a', 'b')" in repr(one) and "labels" not in repr(other)


def test_sigmoid_never_overflows() -> None:
    assert (_sigmoid(-1e9), _sigmoid(0.0), _sigmoid(1e9)) == (0.0, 0.5, 1.0)


def test_the_command_line_prints_all_labels(several: Path) -> None:
    found = potstill.load(several).classify(["a b c"])[0]
    row = json.loads(run(str(several), "--json", "a b c")[0])
    assert row["labels"] == list(found.labels) and row["scores"] == pytest.approx(found.scores)
    assert run(str(several), "--threshold", "1", "a b c") == [f"-\t{found.score:.4f}\ta b c"]
    everything = "".join(f"{name}\t{score:.4f}\t" for name, score in found.scores.items())
    assert run(str(several), "--threshold", "0", "a b c") == [f"{everything}a b c"]


def test_pairs_are_told_apart(pairs: Path) -> None:
    model = potstill.load(pairs)
    assert model.pairs
    assert model.tokenize([("a b", "c")]) == [[2, 4, 5, 3, 6, 3]]
    given = bytes(memoryview(model.logits([("a b", "c")])))
    assert bytes(memoryview(model.logits_from_ids([[2, 4, 5, 3, 6, 3]], [[0, 0, 0, 0, 1, 1]]))) == given
    assert bytes(memoryview(model.logits_from_ids([[2, 4, 5, 3, 6, 3]]))) != given
    assert len(model.classify([("a", "b"), ["c", "d"]])) == 2  # type: ignore[list-item]
    assert model.classify([]) == []
    long = "a " * MAX_TOKENS
    with pytest.raises(InputError, match="I002"):
        model.classify([(long, "b")])
    cut = model.tokenize([(long, "b")], truncate=True)[0]
    assert len(cut) == MAX_TOKENS and cut[-3:] == [3, 5, 3]
    for wrong in (("a", ""), (" ", "a")):
        with pytest.raises(InputError, match="I001"):
            model.classify([wrong])
    for bad in ([("a", "b"), "c"], [("a", "b", "c")], [("a", 1)]):
        with pytest.raises(InputError, match="I007"):
            model.classify(bad)  # type: ignore[arg-type]


def test_token_types_are_checked(pairs: Path, still: Path) -> None:
    model = potstill.load(pairs)
    for types, code in (([[0, 2, 0]], "I014"), ([[0, -1, 0]], "I014"), ([[0, 0]], "I010"), ([], "I010")):
        with pytest.raises(InputError, match=code):
            model.logits_from_ids([[2, 4, 3]], types)
    with pytest.raises(InputError, match="I014"):
        potstill.load(still).classify([("a", "b")])


def test_every_kernel_set_gives_the_same_bits(pairs: Path) -> None:
    code = "import sys, potstill; print(potstill.load(sys.argv[1]).logits([('a b', 'c')]).tolist())"
    found = set()
    for name in _core.kernel_sets():
        command = [sys.executable, "-c", code, str(pairs)]
        environment = {**os.environ, "POTSTILL_ISA": name}
        found.add(subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout)
    assert len(found) == 1


def test_the_command_line_takes_a_tab_between_two_texts(pairs: Path) -> None:
    found = potstill.load(pairs).classify([("a b", "c")])[0]
    assert run(str(pairs), "a b\tc") == [f"{found.label}\t{found.score:.4f}\ta b\tc"]
    command = [sys.executable, "-m", "potstill.cli", "run", str(pairs), "a b c"]
    failed = subprocess.run(command, capture_output=True, text=True)
    assert failed.returncode == 2 and "I015" in failed.stderr


def test_a_model_of_vectors_alone(tmp_path: Path) -> None:
    path = write_model(tmp_path / "vectors.still", head=False)
    model = potstill.load(path)
    assert memoryview(model.embed(["a b"])).shape == (1, 24)
    with pytest.raises(InputError, match="I008"):
        model.classify(["a b"])
    row = json.loads(run(str(path), "--embed", "a b")[0])
    assert row["embedding"] == pytest.approx(memoryview(model.embed(["a b"])).tolist()[0])


def test_types_of_other_engines_are_checked() -> None:
    single, pairs = (Card("model", heads_of(), 512, pairs=both) for both in (False, True))
    for types, card in (([[0, 1]], pairs), (None, pairs), ([[0, 0]], single)):
        assert checked(TokenRows([[1, 2]], types), card).types == types
    for types, card, code in (
        ([[0, 1]], single, "I014"),
        ([[0, 2]], pairs, "I014"),
        ([[0]], pairs, "I010"),
        ([], pairs, "I010"),
    ):
        with pytest.raises(InputError, match=code):
            checked(TokenRows([[1, 2]], types), card)
