"""A tokenizer's pieces as the core keeps them: one text, where each begins, a hash table, and the added tokens."""

from __future__ import annotations

from collections.abc import Mapping

from potstill.compile.tokenizers.base import TokenizerFile

# The limits of cpp/src/tokenizer/vocabulary.h and cpp/src/format/reader.h.
MAX_VOCABULARY = 1 << 24
MAX_ADDED_TOKENS = 256
MAX_PROBE_RUN = 256


def added_tokens(file: TokenizerFile, vocabulary: Mapping[str, int]) -> dict[str, int]:
    """Text to id of the added tokens, each one checked.

    lstrip and rstrip take white space along with a match; BertPreTokenizer drops it anyway, so the ids are the same,
    unless a token itself holds white space.
    """
    listed = file.content.get("added_tokens") or []
    added: dict[str, int] = {}
    for token in listed:
        text, i = str(token["content"]), int(token["id"])
        if text == "":
            continue  # never matched
        if token["normalized"]:
            file.refuse("C056", f"the added token {text!r} is matched after normalization (normalized=true)")
        if token["single_word"]:
            file.refuse("C056", f"the added token {text!r} is matched as a whole word only (single_word=true)")
        if vocabulary.get(text, i) != i:
            file.refuse("C056", f"the added token {text!r} has id {i}, the vocabulary says {vocabulary[text]}")
        added[text] = i
    if len(added) > MAX_ADDED_TOKENS:
        file.refuse("C058", f"{len(added)} added tokens, the core takes {MAX_ADDED_TOKENS}")
    strips = any(token["lstrip"] or token["rstrip"] for token in listed)
    spaced = next((text for text in added if any(c.isspace() for c in text)), None)
    if strips and spaced is not None:
        file.refuse("C056", f"the added token {spaced!r} holds white space while another strips it")
    return added


def texts(file: TokenizerFile, pieces: Mapping[str, int]) -> tuple[bytes, list[int]]:
    """All pieces as one text in id order, and where each begins; an unused id is an empty piece."""
    by_id: dict[int, str] = {}
    for piece, i in pieces.items():
        if i < 0 or by_id.setdefault(i, piece) != piece:
            what = f"id {i} is given to {piece!r} and to {by_id.get(i)!r}"
            file.refuse("C057", what, "give each piece its own id")
    count = max(by_id, default=-1) + 1
    if count > MAX_VOCABULARY:
        file.refuse("C058", f"the highest id is {count - 1}, the core takes ids below {MAX_VOCABULARY}")
    if not by_id:
        file.refuse("C057", "the vocabulary is empty", "save the tokenizer again with its vocabulary")
    found = [by_id.get(i, "").encode() for i in range(count)]
    offsets = [0]
    for text in found:
        offsets.append(offsets[-1] + len(text))
    return b"".join(found), offsets


def fnv1a(text: bytes) -> int:
    """FNV-1a, 32 bits (Fowler, Noll, Vo): the hash of the core's vocabulary table."""
    state = 2166136261
    for byte in text:
        state = ((state ^ byte) * 16777619) & 0xFFFFFFFF
    return state


def hash_slots(pieces: Mapping[bytes, int]) -> list[int]:
    """Open-addressing table of ids with linear probing, -1 = empty.

    The size is the smallest power of two that is at least twice the number of pieces and leaves no more than
    `MAX_PROBE_RUN` used slots in a row (the core refuses longer runs: they bound the time of a failed lookup).
    """
    hashes = [(fnv1a(piece), i) for piece, i in pieces.items()]
    size = 2
    while size < 2 * len(hashes):
        size *= 2
    while True:
        slots = [-1] * size
        for state, i in hashes:
            slot = state & (size - 1)
            while slots[slot] != -1:
                slot = (slot + 1) & (size - 1)
            slots[slot] = i
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
