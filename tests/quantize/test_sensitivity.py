"""What a damage is, and how the table reads; measuring a student is tested in tests/distil/test_rounded_student.py."""

from __future__ import annotations

import numpy as np
import pytest

from potstill.quantize.sensitivity import compare, render


def test_damage_of_nothing_is_nothing() -> None:
    logits = np.random.default_rng(0).normal(0, 3, (50, 4)).astype(np.float32)
    found = compare(logits, logits + 5, logits.argmax(axis=1).tolist())
    assert found["kl"] == pytest.approx(0.0, abs=1e-9)
    assert (found["flips"], found["accuracy_change"]) == (0.0, 0.0)


def test_damage_by_hand() -> None:
    # p = (0.5, 0.5) and q = (0.75, 0.25): KL = 0.5 ln(0.5 / 0.75) + 0.5 ln(0.5 / 0.25).
    before = np.array([[0.0, 0.0], [2.0, 0.0]], np.float32)
    after = np.array([[np.log(3.0), 0.0], [2.0, 0.0]], np.float32)
    wanted = (0.5 * np.log(0.5 / 0.75) + 0.5 * np.log(2.0)) / 2
    assert compare(before, after, [0, 0])["kl"] == pytest.approx(wanted, rel=1e-6)


def test_flips_and_accuracy() -> None:
    before = np.array([[1, 0], [1, 0], [0, 1], [0, 1]], np.float32)
    after = np.array([[0, 1], [1, 0], [1, 0], [0, 1]], np.float32)
    found = compare(before, after, [1, 0, 1, 1])
    assert found["flips"] == 0.5 and found["accuracy_change"] == 0.0
    assert compare(before, after, [1, 0, 0, 1])["accuracy_change"] == 0.5


def test_large_logits_do_not_overflow() -> None:
    before, after = np.array([[1e4, -1e4]], np.float32), np.array([[-1e4, 1e4]], np.float32)
    assert compare(before, after, [0])["kl"] == pytest.approx(2e4)


def test_the_table_puts_the_worst_first() -> None:
    def row(name: str, kl: float) -> dict[str, object]:
        damage = {"kl": kl, "flips": 0.01, "accuracy_change": -0.02}
        size = {"f32": 4_000_000, "i8": 1_000_000, "i4": 500_000}
        return {"name": name, "kind": "linear", "modules": [name], "bytes": size, "i8": damage, "i4": damage}

    whole = {"kl": 0.5, "flips": 0.1, "accuracy_change": 0.0}
    text = render({"rows": 9, "layers": [row("mild", 1e-4), row("bad", 2e-2)], "all": {"i8": whole, "i4": whole}})
    head, first, second, together, note = text.splitlines()
    assert "int4 saves more" in head and first.startswith("bad") and second.startswith("mild")
    assert "20.000" in first and "-2.0" in first and "3.00 MB" in first and "0.50 MB" in first
    assert together.startswith("all at once") and "9 validation texts" in note


def test_labels_that_do_not_exclude_each_other() -> None:
    """Two labels: the divergences of their sigmoids add up, answers are sets, and the figure is F1."""
    from potstill.models.heads import task_named

    before = np.array([[0.0, 0.0], [2.0, -1.0]], np.float32)
    after = np.array([[np.log(3.0), np.log(3.0)], [2.0, -1.0]], np.float32)
    task = task_named("multi-label")
    found = compare(before, after, np.array([[1, 1], [1, 0]], np.float32), task)
    # Each label of the first row goes from 1/2 to 3/4, as in `test_damage_by_hand`; the second row stays.
    one = 0.5 * np.log(0.5 / 0.75) + 0.5 * np.log(2.0)
    assert found["kl"] == pytest.approx(2 * one / 2, rel=1e-6)
    assert found["flips"] == 0.5
    # F1 before: one of three labels found, none wrong, 2 / (1 + 3); after: all three.
    assert found["accuracy_change"] == pytest.approx(0.5)
