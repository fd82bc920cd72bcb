"""Which token states the token-level losses read, and what is made of them: pairs of student and teacher."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from potstill.distil.losses import TokenPairs
from potstill.distil.train.loss_settings import LossSettings
from potstill.errors import TrainError
from potstill.models.token_states import TokenView, last_of_groups, token_view

# Column of the teacher's states at a place: `teacher_state_3` is `[length, teacher hidden]` for each row.
STATE_COLUMN = "teacher_state_"
# Column of the teacher's tokens that stand over each token, `[length, teacher's length]` for each row, where the two
# cut texts differently (`vocabulary.alignment`).
ALIGNMENT_COLUMN = "teacher_alignment"


@dataclass(frozen=True)
class TokenPlan:
    """Layers and places, decided once.

    Attributes:
        weights: of the token-level losses, those above 0 only.
        layers: teacher layer (from 0) of each student layer.
        relation_layers: (student, teacher) layer of the relations.
        relation_heads: heads of the relations.
    """

    weights: Mapping[str, float]
    layers: Sequence[int]
    relation_layers: tuple[int, int]
    relation_heads: int

    def places(self, side: int) -> list[int]:
        """Places (see `token_states`) that are read of the student (0) or of the teacher (1)."""
        pairs = list(enumerate(self.layers))
        found: set[int] = set()
        if "embedding" in self.weights:
            found.add(0)
        if "hidden" in self.weights:
            found |= {pair[side] + 1 for pair in pairs}
        if "attention" in self.weights:
            found |= {pair[side] for pair in pairs}
        if "relations" in self.weights:
            found.add(self.relation_layers[side])
        return sorted(found)


def token_plan(settings: LossSettings, student: TokenView, teacher: TokenView) -> TokenPlan:
    """What the losses of tokens among the settings compare.

    Raises:
        TrainError: a layer that the teacher does not have, or not one for each student layer; relation heads
            that do not divide both widths.
    """
    depth, count = len(teacher.layers), len(student.layers)
    layers = last_of_groups(count, depth) if settings.teacher_layers is None else list(settings.teacher_layers)
    relation = depth - 1 if settings.relation_layer is None else settings.relation_layer
    if len(layers) != count or not all(0 <= layer < depth for layer in [*layers, relation]):
        raise TrainError(
            "T092",
            f"layers {layers}, relations of layer {relation}: the student has {count} layers, the teacher {depth}",
            "distil.teacher_layers, distil.relation_layer",
            f"give {count} numbers from 0 to {depth - 1}, e.g. {last_of_groups(count, depth)}, or leave them out",
        )
    common = math.gcd(student.width, teacher.width)
    heads = settings.relation_heads
    if heads is None:
        heads = max(n for n in range(1, common + 1) if common % n == 0 and n <= max(teacher.heads, 1))
    elif heads < 1 or common % heads:
        fitting = [n for n in range(1, common + 1) if common % n == 0]
        raise TrainError(
            "T093",
            f"{heads} relation heads do not divide both widths, {student.width} and {teacher.width}",
            "distil.relation_heads",
            f"use one of {', '.join(map(str, fitting))}",
        )
    return TokenPlan(settings.by_token, layers, (count - 1, relation), heads)


class TokenLosses(nn.Module):
    """Makes `TokenPairs` of states, with the learned maps from the student's to the teacher's width.

    The maps are parameters of this module, not of the student: they are trained beside it and saved in checkpoints
    only. One map serves all layers and one the embeddings, as in TinyBERT. They start at the principal axes that the
    student was initialised with where there are some, else at the identity (equal widths) or at random orthogonal rows.

    Args:
        settings: their weights and layers.
        student: the student; its queries, keys and values are recomputed with gradients.
        teacher: the teacher; gives the maps to queries, keys and values, and is not run here.
        projection: ``[teacher hidden, student hidden]`` f32, axes to start from.
        seed: of random starts.

    Raises:
        TrainError: a model is not BERT-shaped; as `token_plan`.
    """

    def __init__(
        self,
        settings: LossSettings,
        student: nn.Module,
        teacher: nn.Module,
        projection: torch.Tensor | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        # In tuples, so that torch does not take the models for parts of this module.
        self._views = (token_view(student, "student"), token_view(teacher, "teacher"))
        self.plan = token_plan(settings, *self._views)
        self.maps = nn.ModuleDict()
        widths = (self._views[0].width, self._views[1].width)
        for number, name in enumerate(("hidden", "embedding")):
            if name in self.plan.weights:
                self.maps[name] = _map(*widths, projection, seed + number)

    @property
    def student(self) -> TokenView:
        """The student's layers."""
        return self._views[0]

    @property
    def teacher(self) -> TokenView:
        """The teacher's layers."""
        return self._views[1]

    def forward(
        self, ours: Mapping[int, torch.Tensor], theirs: Mapping[int, torch.Tensor], mask: torch.Tensor
    ) -> TokenPairs:
        """Pairs for the losses.

        Args:
            ours: student states ``[batch, length, student hidden]`` by place.
            theirs: teacher states ``[batch, length, teacher hidden]`` by place.
            mask: ``[batch, length]``, 1 for real tokens.
        """
        plan, (student, teacher) = self.plan, self._views
        pairs = list(enumerate(plan.layers))
        with torch.no_grad():
            their_scores = [teacher.scores(b, theirs[b]).float() for _, b in pairs if "attention" in plan.weights]
            layer = plan.relation_layers[1]
            their_parts = teacher.queries_keys_values(layer, theirs[layer]) if "relations" in plan.weights else ()
        scores = [student.scores(a, ours[a]).float() for a, _ in pairs if "attention" in plan.weights]
        layer = plan.relation_layers[0]
        parts = student.queries_keys_values(layer, ours[layer]) if "relations" in plan.weights else ()
        return TokenPairs(
            mask=mask.bool(),
            embedding=(self.maps["embedding"](ours[0]).float(), theirs[0].float())
            if "embedding" in plan.weights
            else None,
            hidden=tuple((self.maps["hidden"](ours[a + 1]).float(), theirs[b + 1].float()) for a, b in pairs)
            if "hidden" in plan.weights
            else (),
            attention=tuple(zip(scores, their_scores, strict=True)),
            relations=tuple((a.float(), b.float()) for a, b in zip(parts, their_parts, strict=True)),
            relation_heads=plan.relation_heads,
        )


def _map(student: int, teacher: int, projection: torch.Tensor | None, seed: int) -> nn.Linear:
    """A linear map from the student's to the teacher's width, without bias."""
    made = nn.Linear(student, teacher, bias=False)
    with torch.no_grad():
        if projection is not None and tuple(projection.shape) == (teacher, student):
            made.weight.copy_(projection)
        elif student == teacher:
            made.weight.copy_(torch.eye(student))
        else:
            generator = torch.Generator().manual_seed(seed)
            nn.init.orthogonal_(made.weight, generator=generator)
    return made


def over_students(
    states: Mapping[int, torch.Tensor], mask: torch.Tensor, alignment: torch.Tensor | None
) -> tuple[Mapping[int, torch.Tensor], torch.Tensor]:
    """The teacher's states token by token of the student's, and a mask of the tokens that have some.

    Args:
        states: ``[batch, teacher's length, hidden]`` by place.
        mask: ``[batch, length]``, 1 for the student's real tokens.
        alignment: ``[batch, length, teacher's length]``; None where both cut texts alike.
    """
    if alignment is None:
        return states, mask
    over = {place: torch.bmm(alignment, found.to(alignment.dtype)) for place, found in states.items()}
    return over, mask * (alignment.sum(-1) > 0).to(mask.dtype)


def check_lengths(ids: Sequence[Any], teacher_ids: Sequence[Any]) -> None:
    """Token-level losses need the same tokens on both sides.

    Raises:
        TrainError: when a row has another number of tokens for the teacher than for the student.
    """
    for row, (ours, theirs) in enumerate(zip(ids, teacher_ids, strict=True)):
        if len(ours) != len(theirs):
            raise _unequal(f"row {row}", len(ours), len(theirs))


def check_batch(mask: torch.Tensor, teacher_mask: torch.Tensor) -> None:
    """As `check_lengths`, for the masks ``[batch, length]`` of a batch."""
    ours, theirs = mask.sum(1), teacher_mask.sum(1)
    if mask.shape != teacher_mask.shape or not torch.equal(ours, theirs):
        row = int((ours != theirs).int().argmax())
        raise _unequal("a row of the batch", int(ours[row]), int(theirs[row]))


def _unequal(where: str, ours: int, theirs: int) -> TrainError:
    return TrainError(
        "T091",
        f"the student sees {ours} tokens where the teacher sees {theirs}, so their tokens cannot be compared",
        where,
        "set distil.embedding, hidden, attention and relations to 0, or keep the teacher's vocabulary",
    )
