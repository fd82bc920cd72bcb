"""Nearest neighbours: small cases worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from potstill.models.retrieval import cosine, neighbour_agreement, same_class_at_1, similarities

# Unit vectors at 0, 10, 90 and 100 degrees: neighbours are 0-1 and 2-3.
ANGLES = np.radians([0.0, 10.0, 90.0, 100.0])
VECTORS = np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1).astype(np.float32)


def test_cosine_ignores_length_and_survives_zeros() -> None:
    found = cosine(np.array([[3.0, 0.0], [0.0, 2.0], [0.0, 0.0]]), np.array([[1.0, 1.0], [0.0, 9.0], [1.0, 0.0]]))
    assert found == pytest.approx([np.sqrt(0.5), 1.0, 0.0])
    assert found.dtype == np.float32


def test_a_text_never_finds_itself() -> None:
    assert similarities(VECTORS).argmax(axis=1).tolist() == [1, 0, 3, 2]


def test_neighbour_agreement_in_spaces_of_other_width() -> None:
    wide = np.concatenate([VECTORS, np.zeros((4, 3), np.float32)], axis=1)
    assert neighbour_agreement(5 * VECTORS, wide) == (1.0, 1.0)
    # The student has texts 1 and 2 change places: every neighbour of the teacher's is now third or second best.
    at_1, mrr = neighbour_agreement(VECTORS[[0, 2, 1, 3]], VECTORS)
    assert at_1 == 0.0
    # Text 0: 10 degrees to (now) 2, 90 to 1, 100 to 3, so its neighbour 1 is second; likewise 3; 1 is at 90 degrees:
    # nearest 3 (10), then 2 (80), then 0 (90): third; 2 at 10 degrees: 0, 1 (80), 3 (90): third.
    assert mrr == pytest.approx((1 / 2 + 1 / 3 + 1 / 3 + 1 / 2) / 4)


def test_one_text_has_no_neighbour() -> None:
    assert neighbour_agreement(VECTORS[:1], VECTORS[:1]) == (0.0, 0.0)
    assert same_class_at_1(VECTORS[:1], np.array([0])) is None


def test_same_class_at_1() -> None:
    assert same_class_at_1(VECTORS, np.array([0, 0, 1, 1])) == 1.0
    assert same_class_at_1(VECTORS, np.array([0, 1, 1, 1])) == 0.5
    assert same_class_at_1(VECTORS, np.array([-1, -1, -1, -1])) is None
