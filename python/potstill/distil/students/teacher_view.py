"""The parts of a BERT-shaped encoder by role, for the initialisations that copy or project them."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from potstill.errors import TrainError
from potstill.models.evaluation import batches_by_length, padded
from potstill.runtime.rows import TokenRows

_TYPES = ("bert",)


@dataclass
class Layer:
    """One transformer layer: five linear maps, the two output maps' and the layer norms."""

    query: nn.Linear
    key: nn.Linear
    value: nn.Linear
    attention_out: nn.Linear
    attention_norm: nn.LayerNorm
    up: nn.Linear
    down: nn.Linear
    norm: nn.LayerNorm
    activation: Any
    heads: int


@dataclass
class Encoder:
    """A BERT encoder by role; ``module`` is the Hugging Face model."""

    module: Any
    layers: list[Layer]
    hidden: int

    @property
    def embeddings(self) -> Any:
        """Word, position and type tables and their layer norm."""
        return self.module.embeddings


def encoder_of(classifier: nn.Module, init: str) -> Encoder:
    """The encoder of a classifier (`load_classifier`).

    Raises:
        TrainError: when it is not of the BERT kind.
    """
    module = getattr(classifier, "backbone", None)
    if module is None:
        module = classifier.body.base_model
    if module.config.model_type not in _TYPES:
        raise TrainError(
            "T042",
            f"init {init} reads teachers of type {', '.join(_TYPES)}, this one is {module.config.model_type}",
            "student.init",
            'set student.init = "random", or use a BERT teacher',
        )
    layers = [
        Layer(
            query=layer.attention.self.query,
            key=layer.attention.self.key,
            value=layer.attention.self.value,
            attention_out=layer.attention.output.dense,
            attention_norm=layer.attention.output.LayerNorm,
            up=layer.intermediate.dense,
            down=layer.output.dense,
            norm=layer.output.LayerNorm,
            activation=layer.intermediate.intermediate_act_fn,
            heads=module.config.num_attention_heads,
        )
        for layer in module.encoder.layer
    ]
    return Encoder(module, layers, int(module.config.hidden_size))


class _Enough(Exception):
    """Ends a forward pass once everything wanted was seen; the layers after it would be wasted work."""


class Taps:
    """Runs an encoder over sample rows and keeps what chosen modules read and give, for real tokens only.

    Args:
        module: the encoder.
        rows: the sample rows.
    """

    def __init__(self, module: nn.Module, rows: TokenRows) -> None:
        self.module = module
        self.batches = [padded(rows.take(chosen)) for chosen in batches_by_length(rows.lengths)]

    @torch.no_grad()
    def collect(self, inputs: dict[str, nn.Module], given: dict[str, nn.Module]) -> dict[str, np.ndarray]:
        """Rows ``[tokens, width]`` f32 that the modules in ``inputs`` read and those in ``given`` return, by name.

        Order of tokens is the same in every call and for every encoder over the same rows.
        """
        found: dict[str, list[np.ndarray]] = {name: [] for name in (*inputs, *given)}
        mask = torch.empty(0)

        missing: set[str] = set()

        def keep(name: str, tensor: Any) -> None:
            value = tensor[0] if isinstance(tensor, tuple) else tensor
            found[name].append(value[mask.bool()].float().cpu().numpy())
            missing.discard(name)
            if not missing:
                raise _Enough

        def reader(name: str) -> Any:
            return lambda _module, arguments: keep(name, arguments[0])

        def writer(name: str) -> Any:
            return lambda _module, _arguments, result: keep(name, result)

        handles = [module.register_forward_pre_hook(reader(name)) for name, module in inputs.items()]
        handles += [module.register_forward_hook(writer(name)) for name, module in given.items()]
        training = self.module.training
        self.module.eval()
        try:
            for batch in self.batches:
                mask = batch["attention_mask"]
                missing |= found.keys()
                with contextlib.suppress(_Enough):
                    self.module(**batch)
        finally:
            for handle in handles:
                handle.remove()
            self.module.train(training)
        return {name: np.concatenate(parts) for name, parts in found.items()}
