"""From token vectors to the vector of a text: poolings, dense layers, length 1."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from potstill.errors import TrainError
from potstill.models.sentence_folder import ACTIVATIONS, POOLINGS, Dense, SentenceModel

# What F.normalize divides by at least.
_SMALLEST_LENGTH = 1e-12
_FILES = ("model.safetensors", "pytorch_model.bin")


def pool(hidden: torch.Tensor, attention_mask: torch.Tensor, pooling: str) -> torch.Tensor:
    """Pool ``[batch, length, hidden]`` to ``[batch, hidden]``, over positions whose mask is 1.

    Of several poolings (``cls+mean``) the vectors stand side by side. Without pooling (``none``) the states are given
    as they are.
    """
    if pooling == "none":
        return hidden
    parts = [_pool(hidden, attention_mask, one) for one in pooling.split("+")]
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=-1)


def _pool(hidden: torch.Tensor, mask: torch.Tensor, pooling: str) -> torch.Tensor:
    if pooling == "cls":
        return hidden[:, 0]
    weights = mask.to(hidden.dtype).unsqueeze(-1)
    if pooling == "max":
        return hidden.masked_fill(weights == 0, torch.finfo(hidden.dtype).min).amax(1)
    if pooling == "lasttoken":
        places = torch.arange(hidden.shape[1], device=hidden.device)
        return hidden[torch.arange(len(hidden), device=hidden.device), (places * mask).argmax(1)]
    if pooling == "weightedmean":
        weights = weights * torch.arange(1, hidden.shape[1] + 1, device=hidden.device)[:, None]
    count = weights.sum(1).clamp(min=1.0)
    return (hidden * weights).sum(1) / (count.sqrt() if pooling == "mean_sqrt_len" else count)


def known_pooling(pooling: str) -> bool:
    """Whether `pool` knows it."""
    return pooling == "none" or set(pooling.split("+")) <= {*POOLINGS}


def pooled_width(hidden: int, pooling: str) -> int:
    """Width of what `pool` gives."""
    return hidden * (1 + pooling.count("+"))


def unit_length(vectors: torch.Tensor) -> torch.Tensor:
    """``[batch, width]`` divided by their lengths, as `torch.nn.functional.normalize`.

    Written out: that exports with an Expand, which engines on boards refuse.
    """
    squares = (vectors * vectors).sum(-1, keepdim=True)
    return vectors / squares.clamp(min=_SMALLEST_LENGTH**2).sqrt()


class DenseLayer(nn.Module):
    """activation(linear(vector)), as the module Dense of sentence-transformers.

    Args:
        settings: ``inputs``, ``outputs``, ``bias``, ``activation``.
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        super().__init__()
        self.linear = nn.Linear(settings["inputs"], settings["outputs"], bias=settings["bias"])
        if settings["activation"] not in ACTIVATIONS:
            raise TrainError(
                "T125",
                f"unknown activation {settings['activation']!r}",
                "a dense layer",
                f"use {', '.join(ACTIVATIONS)}",
            )
        self.activation = getattr(nn, settings["activation"])()

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        """``[batch, inputs]`` to ``[batch, outputs]``."""
        done: torch.Tensor = self.activation(self.linear(vectors))
        return done


def dense_settings(sentence: SentenceModel) -> list[dict[str, Any]]:
    """The dense layers as a configuration keeps them."""
    return [
        {"inputs": d.inputs, "outputs": d.outputs, "bias": d.bias, "activation": d.activation} for d in sentence.dense
    ]


def dense_weights(sentence: SentenceModel, width: int) -> list[dict[str, torch.Tensor]]:
    """The weights of dense layers behind a pooled vector of this width, as state dictionaries of `DenseLayer.linear`.

    Raises:
        TrainError: they are missing, cannot be read, or have another shape.
    """
    for layer in sentence.dense:
        if layer.inputs != width:
            raise TrainError(
                "T124", f"a dense layer reads {layer.inputs} numbers, what is before it gives {width}",
                str(sentence.folder / layer.folder),
                "take the pooling that the folder says (teacher.pooling = \"auto\"), or fetch the model again",
            )  # fmt: skip
        width = layer.outputs
    return [_weights(sentence.folder / layer.folder, layer) for layer in sentence.dense]


def _weights(folder: Path, layer: Dense) -> dict[str, torch.Tensor]:
    path = next((folder / name for name in _FILES if (folder / name).is_file()), folder / _FILES[0])
    try:
        if path.suffix == ".bin":
            found = torch.load(path, map_location="cpu", weights_only=True)
        else:
            from safetensors.torch import load_file

            found = load_file(path)
        state = {key.removeprefix("linear."): value.float() for key, value in found.items()}
        shapes = {key: tuple(value.shape) for key, value in state.items()}
    except Exception as error:  # what torch and safetensors raise for a damaged file shares no base
        raise TrainError(
            "T124", "the weights of a dense layer cannot be read", str(path), "fetch the model again"
        ) from error
    wanted = {"weight": (layer.outputs, layer.inputs), **({"bias": (layer.outputs,)} if layer.bias else {})}
    if shapes != wanted:
        raise TrainError(
            "T124", f"a dense layer should have weights {wanted}, the file has {shapes}", str(path),
            "fetch the model again",
        )  # fmt: skip
    return state
