"""A table of characters as a `Precompiled` normalizer: the library reads every character as it says."""

from __future__ import annotations

import numpy as np
import pytest
from tokenizers.normalizers import Precompiled

from potstill.data.charsmap import charsmap


def normalizer(table: dict[str, str]) -> Precompiled:
    return Precompiled(charsmap(table))


def check_all_characters(table: dict[str, str]) -> None:
    reads = normalizer(table)
    for point in range(1, 0x110000):
        if not 0xD800 <= point < 0xE000:
            assert reads.normalize_str(chr(point)) == table.get(chr(point), chr(point)), hex(point)


def test_one_of_every_kind() -> None:
    check_all_characters(
        {"\t": " ", "\x07": "", "A": "a", "é": "e", "①": "1", "㎩": "Pa", "\U0001d49c": "A", "ﷺ": "ab ab"}
    )


def test_text_around_stays() -> None:
    reads = normalizer({"\uff41": "a", "\x07": "", "㎩": "Pa"})
    assert reads.normalize_str("1 \uff41\uff42\x07c㎩") == "1 a\uff42cPa"


@pytest.mark.parametrize("seed", [1, 2])
def test_large_tables(seed: int) -> None:
    """Characters that lie close together fill whole blocks; those far apart have few neighbours."""
    random = np.random.default_rng(seed)
    points = {*range(0x3200, 0x3400), *map(int, random.integers(0x80, 0xD800, 800)), *range(0x1D400, 0x1D500)}
    texts = ["", "a", "kPa", "好", "好书", "\U0001d400"]
    table = {chr(point): texts[int(random.integers(len(texts)))] for point in sorted(points)}
    reads = normalizer(table)
    for point in {*points, *map(int, random.integers(1, 0xD800, 20_000))}:
        assert reads.normalize_str(chr(point)) == table.get(chr(point), chr(point)), hex(point)


def test_longer_texts_are_replaced_too() -> None:
    """As sentencepiece's own map has them: a letter with its accent behind it."""
    reads = normalizer({"e\u0301": "é", "\uff41": "a"})
    assert reads.normalize_str("cafe\u0301 e \uff41") == "café e a"
