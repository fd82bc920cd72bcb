"""Sizes as people write them."""

from __future__ import annotations

import pytest

from potstill.units import parse_bytes, show_bytes


@pytest.mark.parametrize(
    ("text", "size"),
    [("4MB", 4_000_000), ("500 kB", 500_000), ("1.2mb", 1_200_000), ("2097152", 2_097_152), ("7 B", 7), ("1G", 10**9)],
)
def test_sizes(text: str, size: int) -> None:
    assert parse_bytes(text) == size


@pytest.mark.parametrize("text", ["", "MB", "-4MB", "0", "4 TB?", "nan", "inf", "0.2 B", "four"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(ValueError, match="not a size"):
        parse_bytes(text)


def test_shown() -> None:
    assert show_bytes(3_940_000) == "3.94 MB"
    assert show_bytes(812_400) == "812 kB"
