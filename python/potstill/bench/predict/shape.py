"""What of a model decides its size, memory and time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from potstill.errors import InputError

# Python 3.11 with the core loaded and no model, peak resident bytes on x86-64; on a board not measured.
_PROCESS_BYTES = 11_200_000
# Tokenizer tables of BERT's vocabulary are about 0.9 MB: the demo's file against its weights.
_TABLE_BYTES_A_TOKEN = 30
# Graph, names, metadata and the gaps before aligned sections; 4 kB in the files of 4-layer students.
_HEADER_BYTES = 4096
_BITS = {"fp32": 32, "int8": 8, "int4": 4}


def linear_part(scheme: str) -> str:
    """``fp32``, ``int8`` or ``int4``: of the matrix products, from a scheme's name; ``int8`` for ``mixed``."""
    first = scheme.partition("+")[0]
    return first if first in _BITS else "int8"


def embedding_part(scheme: str) -> str:
    """The same of the token table, as far as the name tells it (``int4+embedding-int8``)."""
    last = scheme.rpartition("+embedding-")[2]
    return last if last in _BITS else linear_part(scheme)


@dataclass(frozen=True)
class ModelShape:
    """An encoder of the BERT family.

    Attributes:
        layers, hidden, ffn, heads: of the encoder; 0 layers: a static student, whose time is not modelled.
        vocabulary: rows of the token table.
        max_tokens: longest text, and rows of the position table.
        labels: classes; 0 for none.
        scheme: ``fp32``, ``int8`` or ``int4``: of the matrix products.
        embedding: width of a factorized token table; 0: as wide as hidden. The time of its linear map is not modelled:
            under a tenth of a layer's multiply-adds at BERT's proportions.
        table_scheme: numbers of the token table; empty: as ``scheme``.
    """

    layers: int
    hidden: int
    ffn: int
    heads: int
    vocabulary: int
    max_tokens: int
    labels: int
    scheme: str
    embedding: int = 0
    table_scheme: str = ""

    @property
    def token_width(self) -> int:
        """Numbers in a row of the token table."""
        return self.embedding or self.hidden

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
        if self.embedding:
            vectors += self.hidden
        tables = (self.vocabulary + self.max_tokens) * self.token_width + self.embedding * self.hidden
        return self.layer_weights + vectors + tables + self.labels * (self.hidden + 1)

    def file_bytes(self) -> int:
        """Size of the `.still` with a tokenizer, its tables estimated from the vocabulary.

        Held against files of a 4 x 312 student with 8,000 tokens in int8, int4 and int8 with an int4 table: 0.1 % off.
        """
        positions = self.max_tokens * self.token_width * 4
        tables = (self.vocabulary + self.max_tokens) * self.token_width + self.embedding * self.hidden
        rest = (self.parameters - self.layer_weights - tables) * 4
        return self.weight_bytes() + self._table_bytes() + positions + rest + self._tokenizer_bytes() + _HEADER_BYTES

    def _table_bytes(self) -> int:
        """The token table: rows of its numbers (int4: in steps of 32), for integers an f32 scale a row."""
        scheme = self.table_scheme or self.scheme
        scales = 0 if scheme == "fp32" else 4 * self.vocabulary
        width = -(-self.token_width // 32) * 32 if scheme == "int4" else self.token_width
        return self.vocabulary * width * _BITS[scheme] // 8 + scales

    def _tokenizer_bytes(self) -> int:
        return self.vocabulary * _TABLE_BYTES_A_TOKEN

    def weight_bytes(self) -> int:
        """Bytes of the matrix products' weights, padded as they are packed: what a forward streams from memory."""
        step = {"fp32": 1, "int8": 16, "int4": 32}[self.scheme]

        def padded(n: int, k: int) -> int:
            return -(-n // 4) * 4 * -(-k // step) * step

        layer = sum(padded(n, k) for n, k in self.products)
        widen = padded(self.hidden, self.embedding) if self.embedding else 0
        return (self.layers * layer + widen) * _BITS[self.scheme] // 8

    def arena_bytes(self, tokens: int) -> int:
        """Activations of one text, an estimate of the planned arena."""
        h, f = self.hidden, self.ffn
        return tokens * (4 * (h + 3 * h + h + f) + max(h, f)) + 4 * tokens * tokens

    def peak_bytes(self, tokens: int) -> int:
        """Peak resident memory of a Python process that runs it: Python, the file, arena.

        The loader reads the file into memory once; a mapped one takes less, its token table's pages are let go.
        Measured on x86-64 at 64 tokens with 4 x 312 students: fp32 70.0, int8 28.0, int4 21.1 MB, where this says 69.9,
        27.9 and 21.0.
        """
        return _PROCESS_BYTES + self.file_bytes() + self.arena_bytes(tokens)


def shape_of(still: Path, *, static: bool = False) -> ModelShape:
    """The shape of a compiled model, from the file itself.

    Args:
        still: the file.
        static: accept a model without attention layers.

    Raises:
        FormatError: not a whole `.still` file.
        InputError: a graph without attention, which the cost model does not know.
    """
    import potstill

    info = potstill.load(still, threads=1).info
    if not info["layers"] and not static:
        raise InputError("I071", "the model has no attention layers", str(still), "measure it: potstill bench")
    width = info["word_width"]
    return ModelShape(
        info["layers"], info["hidden"], info["intermediate"], info["heads"], info["vocabulary"], info["max_tokens"],
        len(info["labels"]), linear_part(info["scheme"]),
        embedding=0 if width == info["hidden"] else width, table_scheme=embedding_part(info["scheme"]),
    )  # fmt: skip
