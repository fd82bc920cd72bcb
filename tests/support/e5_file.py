"""A made-up model in the demo package's container: 2 layers, widths 32 and 64, 16 pieces."""

from __future__ import annotations

import struct

import numpy as np

PIECES = ["<s>", "<pad>", "</s>", "<unk>", "▁", "a", "b", "ab", "▁a", "▁ab", "好", "书", "▁好", "好书", "1", "<mask>"]
SCORES = [0, 0, 0, 0, -3, -4, -4, -5, -3.5, -4, -6, -6, -7, -8, -5, 0]
CHARACTERS = {"\t": " ", "\x07": "", "\uff41": "a", "①": "1", "㎩": "Pa", "\u3000": " ", "ﷺ": "ab ab"}
HIDDEN, LAYERS, INNER, ROWS, POSITIONS = 32, 2, 64, 20, 16


def q4(values: np.ndarray) -> bytes:
    """Weights in blocks of 32: an f16 scale, then 16 bytes of two numbers each."""
    made = b""
    for block in values.reshape(-1, 32):
        scale = np.float16(np.abs(block).max() / 7 or 1)
        numbers = np.clip(np.round(block / np.float32(scale)), -8, 7).astype(np.int64) + 8
        made += scale.tobytes() + bytes(
            int(low | high << 4) for low, high in zip(numbers[:16], numbers[16:], strict=True)
        )
    return made


def container(*, magic: bytes = b"E5S1", lacking: str = "") -> bytes:
    """The bytes of a file; `lacking` names a tensor that is left out."""
    random = np.random.default_rng(5)
    blob = [piece.encode() for piece in PIECES]
    ends = np.cumsum([0, *map(len, blob)])
    head = magic + struct.pack(
        "<I7ifi", 1, HIDDEN, LAYERS, 4, INNER, ROWS, POSITIONS, 2, 1e-12, 32
    ) + struct.pack("<5iQ", len(PIECES), 0, 2, 1, 3, int(ends[-1]))  # fmt: skip
    head += ends.astype("<u4").tobytes() + np.asarray(SCORES, "<f4").tobytes() + b"".join(blob)
    table = sorted(CHARACTERS.items())
    head += struct.pack("<iI", len(table), 0)
    for text, replacement in table:
        head += struct.pack("<IB", ord(text), len(replacement))
        head += np.asarray([ord(each) for each in replacement], "<u4").tobytes()
    tensors = {name: random.normal(size=size) for name, size in _sizes().items() if name != lacking}
    directory = sum(2 + len(name) + 21 for name in tensors)
    at = -(-(len(head) + 4 + directory) // 64) * 64
    listed, body = struct.pack("<i", len(tensors)), b""
    for name, values in tensors.items():
        packed = name == "emb.word" or (name.endswith(".w") and not name.split(".")[1].endswith("ln"))
        raw = q4(values) if packed else values.astype("<f4").tobytes()
        listed += struct.pack("<H", len(name)) + name.encode()
        listed += struct.pack("<BIQQ", int(packed), values.size, at + len(body), len(raw))
        body += raw + bytes(-len(raw) % 64)
    return (head + listed).ljust(at, b"\0") + body


def _sizes() -> dict[str, int]:
    sizes = {"emb.word": ROWS * HIDDEN, "emb.pos": POSITIONS * HIDDEN, "emb.type": 2 * HIDDEN}
    sizes |= {"emb.ln.w": HIDDEN, "emb.ln.b": HIDDEN}
    for layer in range(LAYERS):
        for name in ("q", "k", "v", "ao"):
            sizes |= {f"l{layer}.{name}.w": HIDDEN * HIDDEN, f"l{layer}.{name}.b": HIDDEN}
        for name in ("aln", "oln"):
            sizes |= {f"l{layer}.{name}.w": HIDDEN, f"l{layer}.{name}.b": HIDDEN}
        sizes |= {f"l{layer}.fi.w": HIDDEN * INNER, f"l{layer}.fi.b": INNER}
        sizes |= {f"l{layer}.fo.w": HIDDEN * INNER, f"l{layer}.fo.b": HIDDEN}
    return sizes
