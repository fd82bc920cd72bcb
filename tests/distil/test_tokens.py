"""Padding, the length-grouped order, tokenizing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from potstill.errors import TrainError
from potstill.models.classifier import load_classifier
from potstill.models.evaluation import outputs
from potstill.models.rows import TokenDataset
from potstill.models.tokens import Collator, LengthGroupedSampler, encode, encode_pairs, load_tokenizer
from potstill.runtime.rows import TokenRows


def test_collator_pads_to_the_longest_and_marks_missing_labels() -> None:
    rows = [
        {"input_ids": [2, 7, 3], "labels": 1, "teacher_logits": [0.5, -0.5]},
        {"input_ids": np.array([2, 3]), "labels": None, "teacher_logits": np.array([1.0, 2.0])},
    ]
    batch = Collator(pad_id=9)(rows)
    assert batch["input_ids"].tolist() == [[2, 7, 3], [2, 3, 9]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [1, 1, 0]]
    assert batch["labels"].tolist() == [1, -100]
    assert batch["teacher_logits"].tolist() == [[0.5, -0.5], [1.0, 2.0]]


def test_collator_keeps_a_given_attention_mask() -> None:
    batch = Collator()([{"input_ids": [2, 7, 0], "attention_mask": [1, 1, 0]}])
    assert batch["attention_mask"].tolist() == [[1, 1, 0]]
    assert "labels" not in batch


def test_order_is_a_permutation_fixed_by_seed_and_epoch() -> None:
    lengths = np.random.default_rng(0).integers(3, 60, 1003)
    sampler = LengthGroupedSampler(lengths, 8, seed=1)
    first = list(sampler)
    assert sorted(first) == list(range(1003))
    assert list(sampler) == first
    sampler.set_epoch(1)
    assert list(sampler) != first
    assert list(LengthGroupedSampler(lengths, 8, seed=2)) != first


def test_batches_hold_like_lengths() -> None:
    lengths = np.random.default_rng(0).integers(3, 60, 2000)
    order = list(LengthGroupedSampler(lengths, 16, seed=1))

    def padding(rows: list[int]) -> float:
        batches = [lengths[rows[i : i + 16]] for i in range(0, len(rows), 16)]
        return 1 - lengths.sum() / sum(len(batch) * batch.max() for batch in batches)

    assert padding(order) < 0.08
    assert padding(list(range(2000))) > 0.35
    assert lengths[order[0]] == lengths.max()


def test_dataset_rows_carry_teacher_columns() -> None:
    dataset = TokenDataset(TokenRows([np.array([2, 3])]), [1], {"teacher_logits": np.array([[1.0, 2.0]])})
    assert dataset[0]["labels"] == 1
    assert dataset[0]["teacher_logits"].tolist() == [1.0, 2.0]
    assert TokenDataset(TokenRows([np.array([2, 3])]))[0]["labels"] == -100


def test_encode_cuts_to_max_tokens(tiny_encoder: Path) -> None:
    tokenizer = load_tokenizer(tiny_encoder)
    rows = encode(tokenizer, ["the film was good", "bad"], 4)
    assert [len(row) for row in rows] == [4, 3]
    assert rows[0][0] == tokenizer.cls_token_id and rows[0][-1] == tokenizer.sep_token_id
    with pytest.raises(TrainError) as error:
        encode(tokenizer, ["bad"], 33)
    assert error.value.code == "T007"


def test_pairs_are_encoded_with_their_types(tiny_encoder: Path) -> None:
    tokenizer = load_tokenizer(tiny_encoder)
    ids, types = encode_pairs(tokenizer, ["the film", "we saw it and the film was"], ["was good", "bad"], 8)
    one, two = encode(tokenizer, ["the film", "was good"], 8)
    assert ids[0].tolist() == [*one, *two[1:]] and types[0].tolist() == [0, 0, 0, 0, 1, 1, 1]
    # The longer text gives way: four of its seven words are left beside the one word of the other.
    assert len(ids[1]) == 8 and types[1].tolist() == [0, 0, 0, 0, 0, 0, 1, 1]
    with pytest.raises(TrainError, match="T007"):
        encode_pairs(tokenizer, ["a"], ["b"], 64)


def test_rows_with_types_are_collated_and_change_what_a_model_sees(tiny_teacher: Path) -> None:
    rows = [np.array([2, 5, 3, 14, 3]), np.array([2, 5, 3])]
    types = [np.array([0, 0, 0, 1, 1]), np.array([0, 0, 0])]
    dataset = TokenDataset(TokenRows(rows, types), [0, 1])
    batch = Collator()([dataset[0], dataset[1]])
    assert batch["token_type_ids"].tolist() == [[0, 0, 0, 1, 1], [0, 0, 0, 0, 0]]
    model = load_classifier(tiny_teacher)
    with_types, without = (outputs(model, TokenRows(rows, given)).logits for given in (types, None))
    assert np.abs(with_types[0] - without[0]).max() > 1e-3
    np.testing.assert_allclose(with_types[1], without[1], atol=1e-6)
