"""What of a model decides its size, memory and time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from potstill.errors import InputError

# Python with the core loaded and no model, resident bytes: 9 MB on x86-64 and on the emulated boards.
_PROCESS_BYTES = 9_000_000
# A `.still` beside its weights: tokenizer tables of BERT's vocabulary 0.9 MB, header and padding.
_TABLE_BYTES_A_TOKEN = 30
_BITS = {"fp32": 32, "int8": 8, "int4": 4}


@dataclass(frozen=True)
class ModelShape:
    """An encoder of the BERT family.

    Attributes:
        layers, hidden, ffn, heads: of the encoder.
        vocabulary: rows of the token table.
        max_tokens: longest text, and rows of the position table.
        labels: classes; 0 for none.
        scheme: ``fp32``, ``int8`` or ``int4``.
    """

    layers: int
    hidden: int
    ffn: int
    heads: int
    vocabulary: int
    max_tokens: int
    labels: int
    scheme: str

    @property
    def products(self) -> tuple[tuple[int, int], ...]:
        """(outputs, inputs) of the matrix products of one layer: query-key-value, output, and the two of the FFN."""
        h, f = self.hidden, self.ffn
        return ((3 * h, h), (h, h), (f, h), (h, f))

    @property
    def layer_weights(self) -> int:
        """Weights of all matrix products, which every forward reads."""
        return self.layers * sum(n * k for n, k in self.products)

    @property
    def parameters(self) -> int:
        """All weights."""
        vectors = self.layers * (sum(n for n, _ in self.products) + 4 * self.hidden) + 2 * self.hidden
        tables = (self.vocabulary + self.max_tokens) * self.hidden
        return self.layer_weights + vectors + tables + self.labels * (self.hidden + 1)

    def file_bytes(self) -> int:
        """Size of the `.still`, within about 2 %: tokenizer tables are estimated from the vocabulary."""
        table_bits = 32 if self.scheme == "fp32" else 8
        tables = self.vocabulary * self.hidden * table_bits // 8 + self.max_tokens * self.hidden * 4
        rest = (self.parameters - self.layer_weights - (self.vocabulary + self.max_tokens) * self.hidden) * 4
        return self.weight_bytes() + tables + rest + self.vocabulary * _TABLE_BYTES_A_TOKEN

    def weight_bytes(self) -> int:
        """Bytes of the matrix products' weights: what a forward streams from memory."""
        return self.layer_weights * _BITS[self.scheme] // 8

    def arena_bytes(self, tokens: int) -> int:
        """Activations of one text, an estimate of the planned arena."""
        h, f = self.hidden, self.ffn
        return tokens * (4 * (h + 3 * h + h + f) + max(h, f)) + 4 * tokens * tokens

    def peak_bytes(self, tokens: int) -> int:
        """Resident memory of a Python process that runs it: Python, weights in use, arena. Rows of the token table
        that no text asks for are never read from the file, so half of the table is counted."""
        unread = self.vocabulary * self.hidden * (4 if self.scheme == "fp32" else 1) // 2
        return _PROCESS_BYTES + self.file_bytes() - unread + self.arena_bytes(tokens)


def shape_of(still: Path) -> ModelShape:
    """The shape of a compiled model, from the file itself.

    Raises:
        FormatError: not a whole `.still` file.
        InputError: I071 a graph without attention, which the cost model does not know.
    """
    import potstill

    info = potstill.load(still, threads=1).info
    if not info["layers"]:
        raise InputError("I071", "the model has no attention layers", str(still), "measure it: potstill bench")
    return ModelShape(
        info["layers"], info["hidden"], info["intermediate"], info["heads"], info["vocabulary"], info["max_tokens"],
        len(info["labels"]), info["scheme"],
    )  # fmt: skip
