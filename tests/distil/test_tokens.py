"""Padding, the length-grouped order, tokenizing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from potstill.distil.tokens import Collator, LengthGroupedSampler, TokenDataset, encode, load_tokenizer
from potstill.errors import TrainError


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
    dataset = TokenDataset([np.array([2, 3])], [1], {"teacher_logits": np.array([[1.0, 2.0]])})
    assert dataset[0]["labels"] == 1
    assert dataset[0]["teacher_logits"].tolist() == [1.0, 2.0]
    assert TokenDataset([np.array([2, 3])])[0]["labels"] == -100


def test_encode_cuts_to_max_tokens(tiny_encoder: Path) -> None:
    tokenizer = load_tokenizer(tiny_encoder)
    rows = encode(tokenizer, ["the film was good", "bad"], 4)
    assert [len(row) for row in rows] == [4, 3]
    assert rows[0][0] == tokenizer.cls_token_id and rows[0][-1] == tokenizer.sep_token_id
    with pytest.raises(TrainError) as error:
        encode(tokenizer, ["bad"], 33)
    assert error.value.code == "T007"
