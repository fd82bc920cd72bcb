"""Tokens over the same characters: by hand, over two texts, over words; and training that compares them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from test_own_tokenizer import made

import bert
import lettered
from potstill.distil.distillation import distil
from potstill.distil.train.token_losses import over_students
from potstill.distil.vocabulary.alignment import WordAlignment, aligned_tokens, check_places, shares
from potstill.errors import TrainError
from potstill.models.rows import encode_dataset
from potstill.models.tokens import Collator
from potstill.recipe.schema import Recipe
from potstill.runtime.rows import TokenRows
from potstill.work.progress import QuietProgress


def spans(*found: tuple[int, int, int]) -> np.ndarray:
    return np.array(found, np.int32)


def test_shares_by_hand() -> None:
    """`a bcd` as a, b, cd and as `a b`, `cd`: special tokens at the ends, and characters in between."""
    ours = spans((-1, 0, 0), (0, 0, 1), (0, 2, 3), (0, 3, 5), (-1, 0, 0))
    theirs = spans((-1, 0, 0), (0, 0, 3), (0, 3, 5), (-1, 0, 0))
    wanted = [[1, 0, 0, 0], [0, 1, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]
    np.testing.assert_array_equal(shares(ours, theirs), wanted)
    back = [[1, 0, 0, 0, 0], [0, 0.5, 0.5, 0, 0], [0, 0, 0, 1, 0], [0, 0, 0, 0, 1]]
    np.testing.assert_array_equal(shares(theirs, ours), back)
    longer = spans((0, 0, 3))
    np.testing.assert_allclose(shares(longer, spans((0, 0, 1), (0, 1, 3), (0, 3, 9))), [[1 / 3, 2 / 3, 0]], rtol=1e-6)


def test_the_second_text_is_not_the_first() -> None:
    found = shares(spans((0, 0, 2), (-1, 0, 0), (1, 0, 2)), spans((0, 0, 2), (1, 0, 2), (1, 2, 4)))
    np.testing.assert_array_equal(found, [[1, 0, 0], [0, 0, 0], [0, 1, 0]])


@pytest.mark.parametrize("kind", ["wordpiece", "bpe", "unigram"])
@pytest.mark.parametrize("pair", [False, True])
def test_every_token_of_a_text_finds_the_teachers(kind: str, pair: bool) -> None:
    """But the separator between two texts, and what the cut to a number of tokens took from the teacher."""
    from datasets import Dataset

    texts = lettered.texts(12, 5)
    data = Dataset.from_dict({"text": texts} | ({"text_pair": texts[::-1]} if pair else {}))
    student, teacher = made(kind, 300), lettered.tokenizer()
    ours, theirs = (encode_dataset(one, data, 48) for one in (student, teacher))
    column = aligned_tokens(student, teacher, ours, theirs, [data], 48)
    for row in range(12):
        matrix = column[row]
        assert matrix.shape == (ours.lengths[row], theirs.lengths[row])
        none = np.flatnonzero(matrix.sum(axis=1) == 0)
        assert student.convert_ids_to_tokens(ours.ids[row][none]) == ["[SEP]"] * pair
        assert matrix[0, 0] == matrix[-1, -1] == 1.0
    short = encode_dataset(teacher, data, 4)
    cut = aligned_tokens(student, teacher, encode_dataset(student, data, 4), short, [data], 4)
    assert cut[0].shape[1] == short.lengths[0]


def test_words_by_their_first_pieces() -> None:
    ours = TokenRows([np.arange(5)], words=[np.array([1, 3, -1])])
    theirs = TokenRows([np.arange(4)], words=[np.array([1, 2, 3])])
    found = WordAlignment(ours, theirs)[0]
    assert found.shape == (5, 4) and found.sum() == 2 and found[1, 1] == found[3, 2] == 1.0


def test_states_over_the_students_tokens() -> None:
    rows: list[dict[str, Any]] = [
        {"input_ids": [1, 2], "teacher_alignment": np.array([[0.5, 0.5], [0, 0]], np.float32)},
        {"input_ids": [3], "teacher_alignment": np.array([[0, 0, 1]], np.float32)},
    ]
    batch = Collator()(rows)
    assert batch["teacher_alignment"].shape == (2, 2, 3)
    states = torch.tensor([[[2.0], [4.0], [9.0]], [[1.0], [1.0], [7.0]]])
    over, mask = over_students({3: states}, batch["attention_mask"], batch["teacher_alignment"])
    assert over[3][:, 0, 0].tolist() == [3.0, 7.0] and mask.tolist() == [[1, 0], [1, 0]]
    same, every = over_students({3: states}, batch["attention_mask"], None)
    assert same[3] is states and every is batch["attention_mask"]


def test_a_teacher_that_does_not_tell_is_refused() -> None:
    from transformers import ByT5Tokenizer

    with pytest.raises(TrainError) as error:
        check_places(ByT5Tokenizer())
    assert error.value.code == "T091"


def test_training_compares_what_stands_over_the_same_characters(tmp_path: Path) -> None:
    """With the teacher's own tokenizer under other ids the losses are those of the teacher's, whether its states come
    from the cache or from a run in every step.
    """
    from datasets import Dataset

    teacher = lettered.teacher(tmp_path)
    bert.tokenizer(lettered.VOCABULARY[::-1], 48).save_pretrained(tmp_path / "reversed")
    parts = {
        name: Dataset.from_dict({"text": lettered.texts(count, seed), "label": [row % 2 for row in range(count)]})
        for seed, (name, count) in enumerate((("train", 48), ("validation", 8), ("test", 8)))
    }
    more = Dataset.from_dict({"text": lettered.texts(8, 9)})
    splits: Any = SimpleNamespace(**parts, unlabelled=more, labels=["a", "b"], fingerprint="aligned", units="")
    losses = {}
    for name, tokenizer, limit in (
        ("theirs", "teacher", 2**30),
        ("cached", "reversed", 2**30),
        ("live", "reversed", 0),
    ):
        recipe = Recipe.model_validate(
            {
                "name": "tiny",
                "teacher": {"model": str(teacher)},
                "data": {"source": "unused.csv", "max_tokens": 24},
                "student": {
                    "layers": 1, "hidden": 16, "heads": 4, "intermediate": 32,
                    "tokenizer": str(tmp_path / tokenizer) if tokenizer != "teacher" else tokenizer,
                },
                "distil": {
                    "epochs": 1, "learning_rate": 5e-3, "precision": "fp32", "batch_size": 2, "hidden": 1.0,
                    "embedding": 0.5, "cache_limit": limit,
                },
            }
        )  # fmt: skip
        places = {"cache": tmp_path / "cache", "work": tmp_path / f"{name}.work", "progress": QuietProgress()}
        losses[name] = distil(recipe, splits, teacher, tmp_path / name, **places)["epochs"][-1]["loss"]
    assert losses["cached"] == pytest.approx(losses["theirs"], rel=2e-3)
    assert losses["live"] == pytest.approx(losses["theirs"], rel=2e-3)
