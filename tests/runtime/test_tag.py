"""Models that label words: which word a label is of, the same bits however they are run, the command line."""

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
from potstill.errors import InputError
from potstill.runtime.answers import Token
from tiny_still import LABELS, MAX_TOKENS, write_model


@pytest.fixture(scope="module")
def tagger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("tagger") / "tagger.still", per_token=True)


def test_each_word_has_the_label_of_its_first_piece(tagger: Path) -> None:
    model = potstill.load(tagger, threads=1)
    assert model.per_token and model.info["task"] == "token-classification" and model.info["hidden"] == 0
    # "ab" is two pieces, a ##b.
    found = model.tag([["ab", "c"], ["d"]])
    assert [[token.word for token in row] for row in found] == [["ab", "c"], ["d"]]
    ids = [[2, 4, 31, 6, 3], [2, 7, 3]]
    assert model.tokenize(["ab c", "d"]) == ids
    rows = model.logits_from_ids(ids).tolist()
    assert model.logits_from_ids(ids).shape == (8, 3)
    for token, row in zip([*found[0], *found[1]], [rows[1], rows[3], rows[6]], strict=True):
        assert token.label == LABELS[row.index(max(row))]
        assert token.score == pytest.approx(math.exp(max(row)) / sum(map(math.exp, row)))
        assert token.start is None and token.end is None
    assert bytes(memoryview(model.logits(["ab c", "d"]))) == bytes(memoryview(model.logits_from_ids(ids)))


def test_words_of_a_text_and_where_they_stand(tagger: Path) -> None:
    model = potstill.load(tagger, threads=1)
    text = "caf\u00e9,  \U0001f600 d\u00b4 \u4e2d\u200b!"
    found = model.tag([text])[0]
    assert [token.word for token in found] == ["caf\u00e9", ",", "\U0001f600", "d\u00b4", "\u4e2d", "!"]
    assert all(text[token.start : token.end] == token.word for token in found)
    given = model.tag([[token.word for token in found]])[0]
    assert [token[:3] for token in given] == [token[:3] for token in found]
    # A lone surrogate, which UTF-8 does not have, is a character all the same.
    assert [(token.start, token.end) for token in model.tag(["a \ud800 b"])[0]] == [(0, 1), (2, 3), (4, 5)]
    # A word of which the tokenizer keeps nothing is answered too.
    assert len(model.tag([["a", "\u200b", "b"]])[0]) == 3
    assert model.tag([]) == []


def test_a_token_is_a_value() -> None:
    token = Token("Bob", "B-PER", 0.9, 0, 3)
    assert pickle.loads(pickle.dumps(token)) == token and token.label == "B-PER"
    assert "word='Bob'" in repr(token)
    with pytest.raises(AttributeError):
        token.label = "O"  # type: ignore[misc]


def test_long_texts(tagger: Path) -> None:
    model = potstill.load(tagger, threads=1)
    words = ["ab"] * 9
    with pytest.raises(InputError, match="I002"):
        model.tag([words])
    # 12 tokens: [CLS], five words of two pieces, [SEP].
    assert MAX_TOKENS == 12
    cut = model.tag([words], truncate=True)[0]
    assert len(cut) == 5 and cut[0] == model.tag([words[:5]])[0][0]


def test_refusals(tagger: Path, still: Path, tmp_path: Path) -> None:
    model, other = potstill.load(tagger), potstill.load(still)
    with pytest.raises(InputError, match=r"I017.*tag\(\)"):
        model.classify(["a b"])
    with pytest.raises(InputError, match=r"I018.*classify\(\)"):
        other.tag(["a b"])
    with pytest.raises(InputError, match="I009"):
        model.embed(["a b"])
    assert not other.per_token
    for texts in ("a b", [["a", 1]], [3]):
        with pytest.raises(InputError, match="I007"):
            model.tag(texts)  # type: ignore[arg-type]
    for empty in (["a", ""], ["a", []], [" \u200b"]):
        with pytest.raises(InputError, match="I001"):
            model.tag(empty)  # type: ignore[arg-type]
    without = potstill.load(write_model(tmp_path / "without.still", per_token=True, tokenizer=False))
    with pytest.raises(InputError, match="I005"):
        without.tag(["a"])


BITS = """
import sys, potstill
texts = [["a"], ["ab", "c", "hello"], ["q"] * 9, ["z", "ab"]] * 20
model = potstill.load(sys.argv[1], threads=int(sys.argv[2]))
ids = model._backend.encode_words(texts, False).ids
together = bytes(memoryview(model.logits_from_ids(ids)))
alone = b"".join(bytes(memoryview(model.logits_from_ids([row]))) for row in ids)
assert together == alone
print(together.hex())
"""


def test_same_bits_alone_in_a_batch_and_everywhere(tagger: Path) -> None:
    found = set()
    for isa in _core.kernel_sets():
        for threads in ("1", "2"):
            command = [sys.executable, "-c", BITS, str(tagger), threads]
            environment = {**os.environ, "POTSTILL_ISA": isa}
            done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
            found.add(done.stdout)
    assert len(found) == 1


def run(*arguments: str, given: str | None = None) -> str:
    command = [sys.executable, "-m", "potstill.cli", "run", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, input=given).stdout


def test_the_command_line(tagger: Path) -> None:
    model = potstill.load(tagger)
    found = model.tag(["ab, c"])[0]
    lines = [f"{token.word}\t{token.label}\t{token.score:.4f}" for token in found]
    assert run(str(tagger), "ab, c", "d").splitlines()[:5] == [*lines, "", run(str(tagger), "d").splitlines()[0]]
    rows = [json.loads(line) for line in run(str(tagger), "--json", "-", given="ab, c\nd\n").splitlines()]
    assert rows[0]["text"] == "ab, c" and [row["word"] for row in rows[0]["tokens"]] == ["ab", ",", "c"]
    assert rows[0]["tokens"][0] == {**found[0].as_dict(), "score": pytest.approx(found[0].score)}
    assert [line.partition("\t")[0] for line in run(str(tagger), "--words", "ab, c").splitlines()] == ["ab,", "c", ""]
