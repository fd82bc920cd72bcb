"""States of every token of a BERT-shaped encoder, seen while it runs, by their place in the stack.

Place 0 is what the first layer reads (the embedding output), place i what layer i - 1 gives and layer i reads. Queries,
keys and values are one linear map away from what their layer reads, so states alone are enough for all losses.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from potstill.errors import TrainError


@dataclass(frozen=True)
class TokenView:
    """The layers of a BERT-shaped encoder.

    Attributes:
        layers: transformer layers in order.
        width: width of the states.
        heads: attention heads of a layer.
    """

    layers: tuple[nn.Module, ...]
    width: int
    heads: int

    def queries_keys_values(self, layer: int, states: torch.Tensor, count: int = 3) -> tuple[torch.Tensor, ...]:
        """The first ``count`` of queries, keys, values ``[batch, length, hidden]`` of a layer that reads ``states``."""
        attention: Any = self.layers[layer].get_submodule("attention.self")
        return tuple(module(states) for module in (attention.query, attention.key, attention.value)[:count])

    def scores(self, layer: int, states: torch.Tensor) -> torch.Tensor:
        """Attention scores before the softmax, ``[batch, heads, length, length]``, padding not masked."""
        query, key = self.queries_keys_values(layer, states, 2)
        batch, length, width = query.shape
        size = width // self.heads
        query, key = (part.reshape(batch, length, self.heads, size).transpose(1, 2) for part in (query, key))
        return query @ key.transpose(-1, -2) / size**0.5


def token_view(model: nn.Module, who: str) -> TokenView:
    """The view of a classifier's encoder.

    Args:
        model: `EncoderClassifier`, the wrapper that `load_classifier` gives, or a Hugging Face model.
        who: ``"student"`` or ``"teacher"``, for the error.

    Raises:
        TrainError: when its layers are not shaped like BERT's.
    """
    body: Any = getattr(model, "backbone", None)
    if body is None:
        whole = getattr(model, "body", model)
        body = getattr(whole, "base_model", whole)
    layers = getattr(getattr(body, "encoder", None), "layer", None)
    try:
        found = tuple(layers) if layers is not None else ()
        for layer in found:
            for name in ("query", "key", "value"):
                layer.get_submodule(f"attention.self.{name}")
        config = body.config
        view = TokenView(found, int(config.hidden_size), int(config.num_attention_heads))
    except (AttributeError, TypeError):
        found = ()
    if not found:
        raise TrainError(
            "T090",
            f"the {who} ({type(body).__name__}) has no BERT-shaped layers, whose tokens could be compared",
            "distil.embedding, distil.hidden, distil.attention, distil.relations",
            "set these weights to 0; the losses on logits and on the pooled vector work with any model",
        )
    return view


@contextmanager
def tap(view: TokenView, places: Iterable[int]) -> Iterator[dict[int, torch.Tensor]]:
    """Collect the states ``[batch, length, width]`` at these places while the encoder runs; gradients flow on.

    A second run inside the block replaces what the first left.
    """
    found: dict[int, torch.Tensor] = {}
    handles = []

    def reader(place: int) -> Any:
        def keep(_: nn.Module, given: tuple[Any, ...], named: dict[str, Any]) -> None:
            found[place] = given[0] if given else named["hidden_states"]

        return keep

    def writer(place: int) -> Any:
        def keep(_: nn.Module, given: Any, result: Any) -> None:
            found[place] = result[0] if isinstance(result, tuple) else result

        return keep

    try:
        for place in sorted(set(places)):
            if place < len(view.layers):
                handles.append(view.layers[place].register_forward_pre_hook(reader(place), with_kwargs=True))
            else:
                handles.append(view.layers[-1].register_forward_hook(writer(place)))
        yield found
    finally:
        for handle in handles:
            handle.remove()


def last_of_groups(count: int, of: int) -> list[int]:
    """Teacher layer (from 0) for each of ``count`` student layers: the last of evenly cut groups, 4 of 6: 1, 2, 4, 5.

    TinyBERT's uniform mapping (Jiao et al., 2020) where ``count`` divides ``of``.
    """
    return [-(-(index + 1) * of // count) - 1 for index in range(count)]
