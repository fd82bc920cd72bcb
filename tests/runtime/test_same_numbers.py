"""Answers of a known file: their bits are written down here, so that no change of format or core moves them."""

from __future__ import annotations

from pathlib import Path

import potstill

# Logits of "a b c" and "hello", first numbers of the vector of "z".
LOGITS = "622bcdbe18efc9bf2a39ac3d64fe4bbf451503c0012009bf"
VECTOR = "54439ebf9607453f4c309e3e4014e6bc2b77b43fc322e4bf5e75f9befcd9973e"


def test_the_tiny_model_gives_the_bits_it_always_gave(still: Path) -> None:
    model = potstill.load(still, threads=1)
    assert bytes(memoryview(model.logits(["a b c", "hello"])).cast("B")).hex() == LOGITS
    assert bytes(memoryview(model.embed(["z"])).cast("B")).hex().startswith(VECTOR)
    assert not model.multi_label and not model.pairs
