"""A teacher run in the training step, and what a batch has of it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from potstill.models.split_classifier import head_name
from potstill.models.token_states import TokenView, tap


@dataclass(frozen=True)
class Taught:
    """The teacher's side of a batch: logits ``[batch, labels]``, pooled ``[batch, hidden]``, states by place."""

    logits: torch.Tensor | None = None
    pooled: torch.Tensor | None = None
    states: Mapping[int, torch.Tensor] = field(default_factory=dict)


def run_teacher(
    teacher: nn.Module,
    inputs: Mapping[str, Any],
    wants_pooled: bool,
    view: TokenView | None,
    places: Sequence[int],
    *,
    bf16: bool,
    device: str,
) -> Taught:
    """One forward pass without gradients.

    Args:
        teacher: a classifier in eval mode.
        inputs: ``input_ids``, ``attention_mask`` and maybe ``token_type_ids``, each ``[batch, length]``.
        wants_pooled: give the pooled vectors too.
        view: the teacher's layers, when states are wanted.
        places: of the states wanted, see `token_states`.
        bf16: run under bf16 autocast.
        device: type of the device it runs on.
    """
    keys = ("input_ids", "attention_mask", "token_type_ids")
    given = {key: inputs[key] for key in keys if inputs.get(key) is not None}
    context: Any = torch.autocast(device, torch.bfloat16) if bf16 else contextlib.nullcontext()
    seen: Any = tap(view, places) if view is not None else contextlib.nullcontext({})
    with torch.no_grad(), context, pooled_of(teacher, wants_pooled) as pooled, seen as states:
        result = teacher(**given)
    if not wants_pooled:
        return Taught(result["logits"], None, states)
    return Taught(result["logits"], pooled[0] if pooled else result["pooled"], states)


@contextlib.contextmanager
def pooled_of(model: nn.Module, wanted: bool) -> Iterator[list[torch.Tensor]]:
    """Collect what the head reads while a model without a ``pooled`` output runs; empty for models that have one."""
    found: list[torch.Tensor] = []
    if not wanted or hasattr(model, "gives_pooled"):
        yield found
        return
    head = model.get_submodule(head_name(model))
    handle = head.register_forward_pre_hook(lambda _, given: found.append(given[0]))
    try:
        yield found
    finally:
        handle.remove()


def mask_of(inputs: Mapping[str, Any]) -> torch.Tensor:
    """``[batch, length]``, 1 for real tokens."""
    mask = inputs.get("attention_mask")
    return torch.ones_like(inputs["input_ids"]) if mask is None else mask
