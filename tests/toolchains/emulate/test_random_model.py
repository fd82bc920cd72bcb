"""The models that boards are compared with: they load, speak every scheme, and no two texts look alike to them."""

from __future__ import annotations

from pathlib import Path

import potstill
from toolchains.emulate import random_model, same_bits


def test_models_of_every_scheme(tmp_path: Path) -> None:
    """The same weights each time; a batch of the sentences is work for four threads."""
    random_model.main(tmp_path)
    files = sorted(tmp_path.glob("*.still"))
    assert [path.name for path in files] == ["model.fp32.still", "model.int4.still", "model.int8.still"]
    first = [path.read_bytes() for path in files]
    random_model.main(tmp_path)
    assert [path.read_bytes() for path in files] == first
    texts = list(same_bits.MORE_SENTENCES)
    for path in files:
        model = potstill.load(path, threads=1)
        logits = bytes(memoryview(model.logits(texts)).cast("B"))
        width = len(logits) // len(texts)
        assert len({logits[i : i + width] for i in range(0, len(logits), width)}) == len(texts)
        tokens = sum(map(len, model.tokenize(texts)))
        products = random_model.LAYERS * (4 * random_model.WIDTH**2 + 2 * random_model.WIDTH * random_model.INNER)
        assert tokens * products > 4 * 2 * 2**20  # cpp/src/parallel/threads.h: kWorkAThread
