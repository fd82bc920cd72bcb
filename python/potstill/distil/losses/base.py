"""What a loss is, and what it sees of student and teacher."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeVar

import torch

from potstill.errors import TrainError

Pair = tuple[torch.Tensor, torch.Tensor]
T = TypeVar("T")


@dataclass(frozen=True)
class TokenPairs:
    """Tensors of every token, always as (student, teacher); what no loss with a weight reads is empty.

    Attributes:
        mask: ``[batch, length]`` bool, True for real tokens.
        embedding: embedding outputs ``[batch, length, teacher hidden]`` f32, the student's already projected.
        hidden: outputs of the mapped layers, as ``embedding``.
        attention: scores before softmax of the mapped layers, ``[batch, heads, length, length]`` f32; the numbers of
            heads may differ.
        relations: queries, keys and values ``[batch, length, hidden]`` f32 of one layer; the widths may differ.
        relation_heads: heads that the relations are cut into; divides both widths.
    """

    mask: torch.Tensor
    embedding: Pair | None = None
    hidden: tuple[Pair, ...] = ()
    attention: tuple[Pair, ...] = ()
    relations: tuple[Pair, ...] = ()
    relation_heads: int = 1


@dataclass(frozen=True)
class LossInputs:
    """What the losses see of a batch.

    Attributes:
        student_logits: ``[batch, labels]`` f32.
        teacher_logits: ``[batch, labels]`` f32, None when no loss with a weight reads it.
        student_pooled: ``[batch, teacher hidden]`` f32, already projected to the teacher's width.
        teacher_pooled: ``[batch, teacher hidden]`` f32.
        labels: ``[batch]`` int64, -100 for rows without a label.
        temperature: the T of the soft loss.
        tokens: tensors of every token, for the token-level losses.
        class_weights: ``[labels]`` f32, what a row of each class counts in the loss on labels; None: all alike.
    """

    student_logits: torch.Tensor
    teacher_logits: torch.Tensor | None = None
    student_pooled: torch.Tensor | None = None
    teacher_pooled: torch.Tensor | None = None
    labels: torch.Tensor | None = None
    temperature: float = 1.0
    tokens: TokenPairs | None = None
    class_weights: torch.Tensor | None = None


Reads = Literal["labels", "logits", "pooled", "tokens"]


@dataclass(frozen=True)
class Loss:
    """A loss: its function, one value a row ``[batch]``, and what it compares with."""

    function: Callable[[LossInputs], torch.Tensor]
    reads: Reads

    def __call__(self, given: LossInputs) -> torch.Tensor:
        """The loss of each row, ``[batch]`` f32."""
        return self.function(given)


def loss(*, reads: Reads) -> Callable[[Callable[[LossInputs], torch.Tensor]], Loss]:
    """Make a function a loss under its name."""
    return lambda function: Loss(function, reads)


def need(value: T | None, name: str) -> T:
    """The value, which a loss cannot do without.

    Raises:
        TrainError: when it is absent.
    """
    if value is None:
        raise TrainError(
            "T021", f"the loss needs {name}", "the training batch", f"give a teacher_model or a {name} column"
        )
    return value
