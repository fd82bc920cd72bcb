"""The fused graph: the operators of the core (cpp/schema/still.fbs), with f32 numpy weights.

Operators are immutable and linked by reference; `ordered` lists them so that each comes after what it reads.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

Array = NDArray[Any]

ACTIVATIONS = ("none", "gelu", "gelu_poly", "relu", "tanh", "gelu_tanh")


@dataclass(frozen=True, eq=False)
class Op:
    """Base. `name` comes from the weights or nodes of the ONNX; `width` is the number of output columns."""

    name: str

    def __post_init__(self) -> None:
        _ = self.per_token  # asked for while those below know theirs: asked for later, a long chain would recurse

    @property
    def width(self) -> int:
        raise AssertionError("every operator defines its width")

    @functools.cached_property
    def per_token(self) -> bool:
        """True: one row a token; False: one row a text."""
        return all(op.per_token for op in self.inputs())

    def inputs(self) -> tuple[Op, ...]:
        return ()


@dataclass(frozen=True, eq=False)
class Embedding(Op):
    """word[id] + position[p] (+ types[token type]); word [vocabulary, width], position [max_tokens, width], f32.

    `types` [types, width] f32 or None: what is added to `position`, which holds token type 0; its row 0 is zero.
    """

    word: Array
    position: Array
    types: Array | None = None

    @property
    def width(self) -> int:
        return int(self.word.shape[1])


@dataclass(frozen=True, eq=False)
class LayerNorm(Op):
    """gamma, beta: [width] f32."""

    x: Op
    gamma: Array
    beta: Array
    eps: float

    @property
    def width(self) -> int:
        return int(self.gamma.shape[0])

    def inputs(self) -> tuple[Op, ...]:
        return (self.x,)


@dataclass(frozen=True, eq=False)
class Linear(Op):
    """activation(x @ weight.T + bias) + residual; weight [width, K] f32, bias [width] f32 or None."""

    x: Op
    weight: Array
    bias: Array | None = None
    activation: str = "none"
    residual: Op | None = None

    @property
    def width(self) -> int:
        return int(self.weight.shape[0])

    def inputs(self) -> tuple[Op, ...]:
        return (self.x,) if self.residual is None else (self.x, self.residual)


@dataclass(frozen=True, eq=False)
class Attention(Op):
    """Over fused rows q | k | v; the score scale, 1/sqrt(head size), is already in q's weights: those were
    multiplied with `scale`."""

    qkv: Linear
    heads: int
    scale: float = 1.0

    @property
    def width(self) -> int:
        return self.qkv.width // 3

    def inputs(self) -> tuple[Op, ...]:
        return (self.qkv,)


@dataclass(frozen=True, eq=False)
class Pool(Op):
    """One row a text: kind `mean` over its tokens or `cls`, its first token."""

    x: Op
    kind: str

    @property
    def width(self) -> int:
        return self.x.width

    @functools.cached_property
    def per_token(self) -> bool:
        return False

    def inputs(self) -> tuple[Op, ...]:
        return (self.x,)


@dataclass(frozen=True, eq=False)
class Normalize(Op):
    """x / max(|x|, eps) of each row of one a text."""

    x: Op
    eps: float

    @property
    def width(self) -> int:
        return self.x.width

    def inputs(self) -> tuple[Op, ...]:
        return (self.x,)


@dataclass(frozen=True)
class Graph:
    """A fused model: what it computes for a text.

    `embedding` is the pooled vector, `logits` the class scores; at least one is there. It is right for texts without
    the `forbidden_ids`.
    """

    embedding: Op | None
    logits: Op | None
    max_tokens: int
    notes: tuple[str, ...] = ()
    forbidden_ids: tuple[int, ...] = ()

    def ordered(self) -> list[Op]:
        """All operators, each after its inputs."""
        done: dict[int, Op] = {}
        stack = [op for op in (self.embedding, self.logits) if op is not None]
        stack.reverse()
        while stack:
            op = stack[-1]
            missing = [x for x in op.inputs() if id(x) not in done]
            if id(op) in done or not missing:
                done.setdefault(id(op), op)
                stack.pop()
            else:
                stack.extend(reversed(missing))
        return list(done.values())


def operator_names(graph: Graph) -> dict[int, str]:
    """Name of each operator, by `id`: unique, so that tensors, schemes and profiles can tell operators apart."""
    names: dict[int, str] = {}
    taken: set[str] = set()
    last: dict[str, int] = {}
    for op in graph.ordered():
        candidate, number = op.name, last.get(op.name, 1)
        while candidate in taken:
            number += 1
            candidate = f"{op.name}.{number}"
        last[op.name] = number
        taken.add(candidate)
        names[id(op)] = candidate
    return names
