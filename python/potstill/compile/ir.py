"""The fused graph: the operators of the core, with f32 numpy weights, and what every one of them can do.

Operators are immutable and linked by reference; `Graph.ordered` lists them so that each comes after what it reads. The
kinds themselves are in ops/, one a file.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from potstill.still.arrays import Array

if TYPE_CHECKING:
    from potstill.compile.evaluate import Evaluation
    from potstill.compile.expr import Const, Expr, Tensor
    from potstill.compile.fuse import Fuser
    from potstill.compile.load import Node
    from potstill.compile.lower import Lowering
    from potstill.compile.reading import Reader
    from potstill.runtime.oplist import OpFacts
    from potstill.still.schemes import Scheme


@dataclass(frozen=True, eq=False)
class Op:
    """Base. `name` comes from the weights or nodes of the ONNX; fields that are operators are its inputs, in order."""

    name: str

    # ONNX nodes that mean this operator and nothing else: (domain, operator) to what reads one.
    reads: ClassVar[Mapping[tuple[str, str], Callable[[Reader, Node], list[Tensor]]]] = {}

    def __post_init__(self) -> None:
        _ = self.per_token  # asked for while those below know theirs: asked for later, a long chain would recurse

    @property
    def width(self) -> int:
        """Number of output columns."""
        raise AssertionError("every operator defines its width")

    @functools.cached_property
    def per_token(self) -> bool:
        """True: one row a token; False: one row a text."""
        return all(op.per_token for op in self.inputs())

    def inputs(self) -> tuple[Op, ...]:
        """What it reads."""
        values = (getattr(self, field.name) for field in dataclasses.fields(self))
        return tuple(value for value in values if isinstance(value, Op))

    def with_inputs(self, done: Mapping[int, Op]) -> Op:
        """The same over other inputs: `done` has them by the `id` of those they replace."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        changes: dict[str, Any] = {name: done[id(value)] for name, value in values.items() if isinstance(value, Op)}
        return dataclasses.replace(self, **changes)

    # --- recognised ---

    @classmethod
    def condense(cls, expr: Expr) -> Expr | None:
        """The expression of a tree that has become this operator: asked at every node, to keep trees small."""
        return None

    @classmethod
    def recognise(cls, expr: Expr, fuser: Fuser) -> Op | None:
        """This operator, if it is what computes `expr`.

        Raises:
            CompileError: it would be, but for something that the core does not have.
        """
        return None

    def plus(self, const: Const, sign: float) -> Op | None:
        """self + sign * const as one operator; None when it cannot take it."""
        return None

    def times(self, factor: Array) -> Op | None:
        """self * factor as one operator, factor being a number, [width] or [length, width]; None when it cannot."""
        return None

    # --- written ---

    def dtype(self, scheme: Scheme, name: str, *, head: bool) -> str:
        """How its weights are stored: "f32", "i8" or "i4". `head`: it makes the logits."""
        return "f32"

    def lower(self, to: Lowering, name: str) -> Any:
        """Its table of the schema (an object of `fb`), its tensors added to `to`."""
        raise AssertionError("every operator is lowered")

    @staticmethod
    def evaluate(body: Any, inputs: Sequence[Array], run: Evaluation) -> Array:
        """Its output rows in numpy; `body` is what `lower` made."""
        raise AssertionError("every operator can be evaluated")

    def facts(self, base: OpFacts) -> OpFacts:
        """`base` (rows, width, dtype) with the rest that its predicted cost depends on."""
        return base


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


# Characters: a file holds names of 1,024 bytes, and a tensor's name adds to its operator's.
_LONGEST_NAME = 200


def operator_names(graph: Graph) -> dict[int, str]:
    """Name of each operator, by `id`: unique, so that tensors, schemes and profiles can tell operators apart."""
    names: dict[int, str] = {}
    taken: set[str] = set()
    last: dict[str, int] = {}
    for op in graph.ordered():
        name = op.name[:_LONGEST_NAME]
        candidate, number = name, last.get(name, 1)
        while candidate in taken:
            number += 1
            candidate = f"{name}.{number}"
        last[name] = number
        taken.add(candidate)
        names[id(op)] = candidate
    return names
