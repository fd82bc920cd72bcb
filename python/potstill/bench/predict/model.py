"""What of a model decides its size, memory and time: its ops, and the longest text it takes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from potstill.errors import InputError
from potstill.runtime.oplist import OpFacts

# Python 3.11 with the core loaded and no model, peak resident bytes on x86-64; on a board not measured.
_PROCESS_BYTES = 11_200_000
# Tokenizer tables of BERT's vocabulary are about 0.9 MB: the demo's file against its weights.
_TABLE_BYTES_A_TOKEN = 30
# Graph, names, metadata and the gaps before aligned sections; 4 kB in the files of 4-layer students.
_HEADER_BYTES = 4096
DTYPE_OF = {"fp32": "f32", "int8": "i8", "int4": "i4"}
_BITS = {"f32": 32, "i8": 8, "i4": 4}
# Inputs of a product in steps of this many, as its weights are packed; outputs in steps of 4.
_STEP = {"f32": 1, "i8": 16, "i4": 32}


def up(value: int, step: int) -> int:
    """`value` rounded up to a multiple of `step`."""
    return -(-value // step) * step


def linear_part(scheme: str) -> str:
    """``fp32``, ``int8`` or ``int4``: of the matrix products, from a scheme's name; ``int8`` for ``mixed``."""
    first = scheme.partition("+")[0]
    return first if first in DTYPE_OF else "int8"


def packed_weights(op: OpFacts) -> int:
    """Weights of a product with the padding that its kernels multiply too."""
    return up(op.width, 4) * up(op.inputs, _STEP[op.dtype])


@dataclass(frozen=True)
class CostModel:
    """A model, compiled or not.

    Attributes:
        ops: in the order they run.
        max_tokens: longest text, and rows of the position table.
        scheme: ``fp32``, ``int8`` or ``int4``: of most matrix products; single ones may have another `dtype`.
    """

    ops: tuple[OpFacts, ...]
    max_tokens: int
    scheme: str

    @property
    def products(self) -> tuple[OpFacts, ...]:
        """The matrix products that are paid for by themselves: all but a text's logits, which take next to nothing."""
        return tuple(op for op in self.ops if op.kind == "Linear" and (op.per_token or not op.head))

    @property
    def layers(self) -> int:
        """Attention layers; 0: a static student, whose time is not modelled."""
        return sum(op.kind == "Attention" for op in self.ops)

    @property
    def hidden(self) -> int:
        """Columns of a token's row within the layers."""
        return next((op.width for op in self.ops if op.kind == "Attention"), self.table.width)

    @property
    def table(self) -> OpFacts:
        """The look-up of tokens."""
        return next(op for op in self.ops if op.kind == "Embedding")

    @property
    def layer_weights(self) -> int:
        """Weights of all matrix products, which every forward reads."""
        return sum(op.width * op.inputs for op in self.products)

    @property
    def parameters(self) -> int:
        """All learned numbers."""
        return sum(op.parameters for op in self.ops)

    def stored_as(self, scheme: str) -> CostModel:
        """The same with all matrix products on tokens in one type of numbers."""
        dtype = DTYPE_OF[scheme]
        ops = (op._replace(dtype=dtype) if op.kind == "Linear" and op.per_token else op for op in self.ops)
        return replace(self, ops=tuple(ops), scheme=scheme)

    def file_bytes(self) -> int:
        """Size of the `.still` with a tokenizer, its tables estimated from the vocabulary.

        Held against files of 12 encoders from 0.1 to 20 MB (factorized, pooled, tagging, pairs) in fp32, int8, int4 and
        mixed: within 2.1 %, half of them within 0.4 %; of a static student 1 to 5 % too much.
        """
        return sum(map(_file_bytes, self.ops)) + self.table.inputs * _TABLE_BYTES_A_TOKEN + _HEADER_BYTES

    def weight_bytes(self) -> int:
        """Bytes of the matrix products' weights, padded as they are packed: what a forward streams from memory."""
        return sum(packed_weights(op) * _BITS[op.dtype] // 8 for op in self.products)

    def arena_bytes(self, tokens: int) -> int:
        """Activations of one text, an estimate of the planned arena."""
        hidden, widest = self.hidden, max((op.inputs for op in self.products), default=0)
        return tokens * (4 * (5 * hidden + widest) + max(hidden, widest)) + 4 * tokens * tokens

    def peak_bytes(self, tokens: int) -> int:
        """Peak resident memory of a Python process that runs it: Python, the file, arena.

        The loader reads the file into memory once; a mapped one takes less, its token table's pages are let go.
        Measured on x86-64 at 64 tokens with 4 x 312 students: fp32 70.0, int8 28.0, int4 21.1 MB, where this says 69.9,
        28.0 and 21.0.
        """
        return _PROCESS_BYTES + self.file_bytes() + self.arena_bytes(tokens)


def _file_bytes(op: OpFacts) -> int:
    """Bytes of an op's tensors: its numbers, for integers the scales and sums beside them, and the rest in f32."""
    integer = op.dtype != "f32"
    if op.kind == "Linear":
        vectors = (op.parameters - op.width * op.inputs) + (2 * op.width if integer else 0)
        return packed_weights(op) * _BITS[op.dtype] // 8 + 4 * vectors
    if op.kind == "Embedding":
        row = up(op.width, 32) if op.dtype == "i4" else op.width
        positions = op.parameters - op.inputs * op.width
        return op.inputs * row * _BITS[op.dtype] // 8 + 4 * (positions + (op.inputs if integer else 0))
    return 4 * op.parameters


def model_of(still: Path, *, static: bool = False) -> CostModel:
    """A compiled model, from the file itself.

    Args:
        still: the file.
        static: accept a model without attention layers.

    Raises:
        FormatError: not a whole `.still` file.
        InputError: a graph without attention, which the cost model does not know.
    """
    from potstill.runtime.backends.native import NativeBackend

    backend = NativeBackend(still, 1)
    info = backend.info
    model = CostModel(tuple(OpFacts(*op) for op in backend.ops()), info["max_tokens"], linear_part(info["scheme"]))
    if not model.layers and not static:
        raise InputError("I071", "the model has no attention layers", str(still), "measure it: potstill bench")
    return model


def student(
    layers: int, hidden: int, ffn: int, heads: int, vocabulary: int, max_tokens: int, labels: int, scheme: str,
    *, embedding: int = 0, table_scheme: str = "",
) -> CostModel:  # fmt: skip
    """A student that need not exist yet.

    Args:
        layers, hidden, ffn, heads: of the encoder; 0 layers: a static student, with `ffn` columns before its head or 0.
        vocabulary: rows of the token table.
        max_tokens: longest text.
        labels: classes; 0 for none.
        scheme: ``fp32``, ``int8`` or ``int4``: of the matrix products.
        embedding: width of a factorized token table; 0: as wide as hidden.
        table_scheme: numbers of the token table; empty: as ``scheme``.
    """
    dtype, width = DTYPE_OF[scheme], embedding or hidden

    def linear(
        name: str, outputs: int, inputs: int, *, activation: bool = False, of_text: bool = False, head: bool = False
    ) -> OpFacts:
        numbers, parameters = "f32" if of_text else dtype, outputs * (inputs + 1)
        return OpFacts(name, "Linear", not of_text, outputs, inputs, 0, numbers, activation, head, parameters)

    def norm(name: str, columns: int) -> OpFacts:
        return OpFacts(name, "LayerNorm", True, columns, parameters=2 * columns)

    table = DTYPE_OF[table_scheme or scheme]
    tokens = (vocabulary + max_tokens) * width
    ops = [OpFacts("embeddings", "Embedding", True, width, inputs=vocabulary, dtype=table, parameters=tokens)]
    if embedding:
        ops += [linear("embeddings.map", hidden, embedding)]
    if layers:
        ops += [norm("embeddings.norm", hidden)]
    for layer in range(layers):
        ops += [
            linear(f"{layer}.qkv", 3 * hidden, hidden),
            OpFacts(f"{layer}.attention", "Attention", True, hidden, heads=heads),
            linear(f"{layer}.output", hidden, hidden),
            norm(f"{layer}.output.norm", hidden),
            linear(f"{layer}.up", ffn, hidden, activation=True),
            linear(f"{layer}.down", hidden, ffn),
            norm(f"{layer}.down.norm", hidden),
        ]
    ops += [OpFacts("pool", "Pool", False, hidden)]
    columns = hidden
    if not layers and ffn:
        ops += [linear("hidden", ffn, hidden, activation=True, of_text=True)]
        columns = ffn
    if labels:
        ops += [linear("classifier", labels, columns, of_text=True, head=True)]
    return CostModel(tuple(ops), max_tokens, scheme)
