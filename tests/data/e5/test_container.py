"""The demo package's container: what stands in it is read, what is cut off or another file is refused."""

from __future__ import annotations

import struct

import numpy as np
import pytest

import e5_file
from potstill.data.e5.container import from_q4, read_container
from potstill.errors import DataError


def test_q4_by_hand() -> None:
    """Byte j holds weight j in its low half and weight j + 16 in its high one; 8 is zero."""
    numbers = bytes([0x0F, 0x88, 0x19, *[0x88] * 13])
    found = from_q4(np.float16(0.5).tobytes() + numbers)
    expected = np.zeros(32, np.float32)
    expected[0], expected[16] = (15 - 8) * 0.5, (0 - 8) * 0.5
    expected[2], expected[18] = (9 - 8) * 0.5, (1 - 8) * 0.5
    np.testing.assert_array_equal(found, expected)


def test_q4_of_many_blocks_is_near_what_was_packed() -> None:
    values = np.random.default_rng(1).normal(size=320).astype(np.float32)
    found = from_q4(e5_file.q4(values))
    step = np.repeat(np.abs(values.reshape(-1, 32)).max(1) / 7, 32)
    assert (np.abs(found - values) <= 0.51 * step).all()


def test_everything_is_read() -> None:
    model = read_container(e5_file.container())
    assert (model.hidden, model.layers, model.heads, model.intermediate) == (32, 2, 4, 64)
    assert (model.vocabulary, model.positions, model.types) == (20, 16, 2)
    assert (model.bos, model.eos, model.pad, model.unk) == (0, 2, 1, 3)
    assert model.pieces == e5_file.PIECES
    assert model.scores.tolist() == e5_file.SCORES
    assert model.characters == e5_file.CHARACTERS
    assert model.tensor("emb.pos", 16, 32).shape == (16, 32)
    assert model.tensor("l1.fi.w", 64, 32).dtype == np.float32


def test_a_tensor_of_another_size_or_name_is_refused() -> None:
    model = read_container(e5_file.container())
    for name, shape in (("emb.pos", (17, 32)), ("l2.q.w", (32, 32))):
        with pytest.raises(DataError, match=name) as caught:
            model.tensor(name, *shape)
        assert caught.value.code == "D021"


def test_files_that_are_no_container_are_refused() -> None:
    whole = e5_file.container()
    for raw in (b"", b"E5S1", b"PK\x03\x04" + whole[4:], whole[:4] + struct.pack("<I", 2) + whole[8:]):
        with pytest.raises(DataError) as caught:
            read_container(raw)
        assert caught.value.code == "D021"


def test_a_file_that_ends_anywhere_is_refused() -> None:
    whole = e5_file.container()
    for end in range(0, len(whole) - 64, 41):
        with pytest.raises(DataError, match="D021"):
            read_container(whole[:end])
