"""Diagnosis: each finding from figures that show it, with its figure and a suggestion; silence for a good run."""

from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from potstill.distil.train.diagnosis import StudentFigures, diagnose_losses, diagnose_student, diagnose_teacher

GOOD = StudentFigures(
    train=0.91,
    validation=0.86,
    test=0.87,
    teacher_train=0.94,
    teacher_test=0.88,
    agreement=0.95,
    agreement_where_right=0.97,
    losses=[0.6, 0.4, 0.3],
)


def settings(**changes: Any) -> SimpleNamespace:
    return SimpleNamespace(**{"temperature": 2.0, "alpha": 0.5, "learning_rate": 3e-4, "epochs": 5, **changes})


def test_a_good_run_is_not_talked_about() -> None:
    assert diagnose_student(GOOD, settings()) == []


@pytest.mark.parametrize(
    ("changes", "options", "words"),
    [
        ({}, {"temperature": 8.0}, ["temperature 8", "distil.temperature = 2"]),
        ({}, {"alpha": 0.9}, ["alpha 0.9"]),
        ({"test": 0.78, "train": 0.8}, {}, ["10.0 points under", "14.0 points under", "student.layers", "above 5"]),
        ({"test": 0.80, "train": 0.93, "validation": 0.9}, {}, ["8.0 points under", "lacks text", "augment"]),
        ({"test": 0.80, "train": None, "teacher_train": None}, {}, ["8.0 points under", "larger student"]),
        ({"train": 0.99, "validation": 0.8, "teacher_train": 0.9}, {}, ["overfitted", "99.0 %", "data.unlabelled"]),
        ({"agreement": 0.7, "agreement_where_right": 0.75}, {}, ["70.0 %", "75.0 %", "distil.alpha"]),
        ({"teacher_train": 0.999, "teacher_test": 0.80, "test": 0.8}, {}, ["teacher looks overfitted", "19.9 points"]),
        ({"losses": [0.5, math.nan]}, {}, ["diverged", "nan in epoch 2", "0.0001"]),
        ({"losses": [0.5, 0.4, 0.9]}, {}, ["rose from 0.400 in epoch 2 to 0.900 in epoch 3", "learning_rate = 0.0001"]),
    ],
)  # fmt: skip
def test_findings(changes: dict[str, Any], options: dict[str, Any], words: list[str]) -> None:
    notes = diagnose_student(replace(GOOD, **changes), settings(**options))
    assert len(notes) == 1, notes
    for word in words:
        assert word in notes[0]


def test_losses_that_waver_are_not_divergence() -> None:
    assert diagnose_losses([0.5, 0.30, 0.33], 1e-3, "k") == []
    assert diagnose_losses([0.001, 0.004], 1e-3, "k") == []
    assert diagnose_losses([], 1e-3, "k") == []
    assert "smaller k" in diagnose_losses([math.inf], None, "k")[0]


def test_teacher() -> None:
    labels = np.array([0, 0, 0, 1])
    assert diagnose_teacher({"train_accuracy": 0.9, "validation_accuracy": 0.85}, labels) == []
    overfitted, useless = diagnose_teacher({"train_accuracy": 0.95, "validation_accuracy": 0.75}, labels)
    assert "20.0 points" in overfitted and "commonest label (75.0 %" in useless
    epochs = [{"loss": 0.5}, {"loss": math.nan}, {"loss": None}]
    found = {"train_accuracy": 0.9, "validation_accuracy": 0.85, "epochs": epochs}
    (diverged,) = diagnose_teacher(found, labels, SimpleNamespace(learning_rate=0.3))
    assert "teacher.learning_rate = 0.1" in diverged


def test_a_gap_of_a_row_or_two_is_chance() -> None:
    behind = {"test": GOOD.teacher_test - 0.06, "train": None, "teacher_train": None, "agreement": 0.9}
    assert diagnose_student(replace(GOOD, **behind, test_rows=32), settings()) == []
    (said,) = diagnose_student(replace(GOOD, **behind, test_rows=1000), settings())
    assert "6.0 points under" in said
