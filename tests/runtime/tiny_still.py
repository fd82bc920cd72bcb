"""Writes a tiny model file: one attention layer of random weights and a one-letter vocabulary."""

from __future__ import annotations

from pathlib import Path
from typing import Any

# A wide inner layer: a chunk of 256 tokens is then enough work for several threads (cpp/src/parallel/threads.h).
WIDTH, INNER, LABELS, VOCABULARY, MAX_TOKENS = 24, 1024, ("bad", "so-so", "good"), 40, 12
LETTERS = "abcdefghijklmnopqrstuvwxyz"
PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *LETTERS, *(f"##{letter}" for letter in LETTERS[: VOCABULARY - 30])]


class Writer:
    """Collects tensors, values and ops of a file."""

    def __init__(self, seed: int) -> None:
        import numpy as np

        self.random = np.random.default_rng(seed)
        self.tensors: list[Any] = []
        self.values: list[Any] = []
        self.ops: list[Any] = []

    def tensor(self, name: str, data: Any, layout: str = "row_major", shape: tuple[int, ...] | None = None) -> int:
        from potstill.still.packed import PackedTensor

        dtype = {"float32": "f32", "int8": "i8", "int32": "i32", "uint8": "u8"}[str(data.dtype)]
        self.tensors.append(PackedTensor(name, dtype, layout, shape or data.shape, data))
        return len(self.tensors) - 1

    def floats(self, name: str, *shape: int, scale: float = 1.0, shift: float = 0.0) -> int:
        return self.tensor(name, (self.random.standard_normal(shape) * scale + shift).astype("<f4"))

    def op(
        self, name: str, table: str, width: int, inputs: tuple[int, ...], rows: str = "tokens", **fields: Any
    ) -> int:
        from potstill.still.packed import PackedOp, PackedValue

        self.values.append(PackedValue(name, rows, width))
        tensors = {key: value for key, value in fields.items() if key.endswith("_t")}
        settings = {key: value for key, value in fields.items() if not key.endswith("_t")}
        self.ops.append(PackedOp(name, table, inputs, len(self.values) - 1, tensors, settings))
        return len(self.values) - 1

    def linear(self, name: str, n: int, k: int, inputs: tuple[int, ...], rows: str = "tokens", **fields: Any) -> int:
        import numpy as np

        from potstill.still import pack

        weight = self.random.integers(-127, 128, (n, k)).astype(np.int8)
        return self.op(
            name,
            "Linear",
            n,
            inputs,
            rows,
            weight_t=self.tensor(f"{name}.weight", pack.pack_i8_n4k16(weight), "i8_n4k16", (n, k)),
            scale_t=self.tensor(f"{name}.scale", np.full(n, 0.015 / k**0.5, "<f4")),
            colsum_t=self.tensor(f"{name}.colsum", weight.sum(1, dtype=np.int32)),
            bias_t=self.floats(f"{name}.bias", n, scale=0.1),
            **{"input_quant": "symmetric", "activation": "none", **fields},
        )

    def norm(self, name: str, x: int) -> int:
        gamma, beta = (
            self.floats(f"{name}.gamma", WIDTH, scale=0.1, shift=1),
            self.floats(f"{name}.beta", WIDTH, scale=0.1),
        )
        return self.op(name, "LayerNorm", WIDTH, (x,), gamma_t=gamma, beta_t=beta, eps=1e-12)


def _tokenizer(writer: Writer) -> Any:
    import numpy as np

    from potstill.still.packed import WordPieceFields

    slots = np.full(128, -1, np.int32)
    for number, piece in enumerate(PIECES):
        state = 2166136261
        for byte in piece.encode():
            state = (state ^ byte) * 16777619 & 0xFFFFFFFF
        slot = state % 128
        while slots[slot] != -1:
            slot = (slot + 1) % 128
        slots[slot] = number
    tables = {
        "blob_t": writer.tensor("blob", np.frombuffer("".join(PIECES).encode(), np.uint8).copy()),
        "offsets_t": writer.tensor("offsets", np.cumsum([0, *(len(piece) for piece in PIECES)]).astype(np.int32)),
        "slots_t": writer.tensor("slots", slots),
    }
    return WordPieceFields(
        tables,
        lowercase=True,
        strip_accents=True,
        clean_text=True,
        handle_chinese_chars=True,
        unk_id=1,
        cls_id=2,
        sep_id=3,
        pad_id=0,
        continuing_prefix="##",
        max_chars_per_word=100,
    )


def write_model(
    out: Path,
    *,
    tokenizer: bool = True,
    head: bool = True,
    seed: int = 1,
    vocabulary: int = VOCABULARY,
    multi_label: bool = False,
    pairs: bool = False,
    per_token: bool = False,
    labels: tuple[str, ...] = LABELS,
    outputs: int = len(LABELS),
    score: str = "",
    forbidden_ids: tuple[int, ...] = (),
) -> Path:
    """Write the tiny model to `out`; its second token type is far from the first."""
    import numpy as np

    from potstill.still.packed import Metadata, PackedModel
    from potstill.still.writer import write_still

    w = Writer(seed)
    word, position = w.floats("word", vocabulary, WIDTH), w.floats("position", MAX_TOKENS, WIDTH, scale=0.5)
    rows = {"word_t": word, "position_t": position}
    if pairs:
        rows["type_t"] = w.tensor("type", np.linspace([0] * WIDTH, [-1, 1] * (WIDTH // 2), 2).astype("<f4"))
    x = w.norm("first", w.op("embedding", "Embedding", WIDTH, (), **rows))
    context = w.op("attention", "Attention", WIDTH, (w.linear("qkv", 3 * WIDTH, WIDTH, (x,)),), heads=2)
    x = w.norm("second", w.linear("out", WIDTH, WIDTH, (context, x)))
    up = w.linear("up", INNER, WIDTH, (x,), activation="gelu")
    x = w.norm("third", w.linear("down", WIDTH, INNER, (up, x), input_quant="asymmetric"))
    if per_token:
        pooled, logits = -1, w.linear("head", outputs, WIDTH, (x,))
    else:
        pooled = w.op("pool", "Pool", WIDTH, (x,), "sequences", kind="mean")
        logits = w.linear("head", outputs, WIDTH, (pooled,), "sequences") if head else -1
    metadata = Metadata(
        name="tiny",
        task="token-classification" if per_token else "text-classification",
        scheme="int8",
        labels=labels if head else (),
        max_tokens=MAX_TOKENS,
        producer="tests",
        license="CC0-1.0",
        provenance={"recipe": "abc"},
        multi_label=multi_label,
        score=score,
        forbidden_ids=forbidden_ids,
    )
    table = _tokenizer(w) if tokenizer else None
    write_still(PackedModel(metadata, tuple(w.tensors), tuple(w.values), tuple(w.ops), pooled, logits, table), out)
    return out
