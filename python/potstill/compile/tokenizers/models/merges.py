"""The merges of a BPE model as the core keeps them; ``cpp/src/tokenizer/models/merges.h`` reads them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from potstill.compile.tokenizers.slots import open_slots

# The limit of cpp/src/tokenizer/models/merges.cpp.
MAX_MERGES = (1 << 24) - 2

_ROW_BITS = 24


def merge_slots(rows: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """The hash table over the pairs of `rows`, int32 [merges, 3]: left piece, right piece, what they make.

    A used slot is a row in its low 24 bits and the top bits of the pair's hash above, int32 [slots].
    """
    hashes = _pair_hash(rows[:, 0].astype(np.uint32), rows[:, 1].astype(np.uint32))
    numbers = np.arange(len(rows), dtype=np.uint32)
    entries = (hashes >> np.uint32(_ROW_BITS) << np.uint32(_ROW_BITS) | numbers).view(np.int32)
    return np.asarray(open_slots(hashes.tolist(), entries.tolist()), np.int32)


def _pair_hash(left: npt.NDArray[np.uint32], right: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    state = left * np.uint32(0x9E3779B1) + right
    state = (state ^ (state >> np.uint32(16))) * np.uint32(0x85EBCA6B)
    return state ^ (state >> np.uint32(13))
