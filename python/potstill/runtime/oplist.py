"""The ops of a model by what their time depends on: from the core of a file, from the compiler of an ONNX."""

from __future__ import annotations

from typing import NamedTuple


class OpFacts(NamedTuple):
    """One op.

    Attributes:
        name: as the file says.
        kind: its table in cpp/schema/still.fbs, e.g. ``Linear``.
        per_token: it makes one row a token; else one a text.
        width: columns of a row it makes.
        inputs: columns of a row that enters a product, rows of a table; else 0.
        heads: of attention; else 0.
        dtype: of its weights: ``f32``, ``i8`` or ``i4``.
        activation: one follows the product.
        head: it makes the logits.
        parameters: learned numbers.
    """

    name: str
    kind: str
    per_token: bool
    width: int
    inputs: int = 0
    heads: int = 0
    dtype: str = "f32"
    activation: bool = False
    head: bool = False
    parameters: int = 0
