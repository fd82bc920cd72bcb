"""A teacher's encoder by role, and what its parts read and give, for the initialisations that copy or project them."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
import torch
from torch import nn

from potstill.distil.students.families import TYPES, family_of
from potstill.distil.students.shape import Encoder
from potstill.errors import TrainError
from potstill.models.evaluation import batches_by_length, padded
from potstill.models.positions import encoder_module
from potstill.runtime.rows import TokenRows


def has_bert_layers(classifier: nn.Module) -> bool:
    """Whether a student's layers can start from those of a classifier's encoder."""
    return family_of(encoder_module(classifier).config) is not None


def encoder_of(classifier: nn.Module, init: str) -> Encoder:
    """The encoder of a classifier (`load_classifier`).

    Raises:
        TrainError: when its layers are not BERT's.
    """
    module = encoder_module(classifier)
    family = family_of(module.config)
    if family is None:
        raise TrainError(
            "T042",
            f"init {init} reads teachers with BERT's layers ({', '.join(TYPES)}), this one is "
            f"{module.config.model_type}",
            "student.init",
            'set student.init = "pca", which then takes its token table alone, or "random"',
        )
    return Encoder(module, family.embeddings(module), family.layers(module), int(module.config.hidden_size))


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
        if getattr(module.config, "type_vocab_size", 0) < 2:
            rows = TokenRows(rows.ids, None, rows.words, rows.pad_id)
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
