"""Hash tables as the core reads them: open addressing, linear probing, a power of two of slots, -1 = empty."""

from __future__ import annotations

from collections.abc import Sequence

# The limit of cpp/src/tokenizer/slots.h: it bounds the time of a failed lookup.
MAX_PROBE_RUN = 256


def open_slots(hashes: Sequence[int], entries: Sequence[int]) -> list[int]:
    """The table that holds each entry (not -1) at the place of its hash or behind.

    The size is the smallest power of two that is at least twice the number of entries and leaves no more than
    `MAX_PROBE_RUN` used slots in a row.
    """
    size = 2
    while size < 2 * len(hashes):
        size *= 2
    while True:
        slots = [-1] * size
        for state, entry in zip(hashes, entries, strict=True):
            slot = state & (size - 1)
            while slots[slot] != -1:
                slot = (slot + 1) & (size - 1)
            slots[slot] = entry
        if _longest_run(slots) <= MAX_PROBE_RUN:
            return slots
        size *= 2


def _longest_run(slots: list[int]) -> int:
    empty = slots.index(-1)
    longest = run = 0
    for i in range(1, len(slots) + 1):  # once around, from an empty slot to itself
        run = 0 if slots[(empty + i) % len(slots)] == -1 else run + 1
        longest = max(longest, run)
    return longest
