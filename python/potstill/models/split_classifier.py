"""A classifier of the hub, with its own head, seen as body and last linear layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel
from transformers.utils import ModelOutput

from potstill.errors import TrainError
from potstill.models.families import reads_forward
from potstill.models.vectors import pool


@dataclass
class ClassifierOutput(ModelOutput):
    """What every classifier here returns.

    Attributes:
        loss: scalar f32 mean cross-entropy, only with labels.
        logits: ``[batch, labels]`` f32; ``[batch, 0]`` for a sentence encoder, which has no labels; ``[batch, length,
            labels]`` for a model that labels tokens.
        pooled: ``[batch, hidden]`` f32, the vector the head reads, or that a sentence encoder gives; ``[batch, length,
            hidden]`` where the head reads tokens.
        hidden_states: tuple of ``[batch, length, hidden]``, embeddings first, only on request.
    """

    loss: torch.Tensor | None = None
    logits: torch.Tensor | None = None
    pooled: torch.Tensor | None = None
    hidden_states: tuple[torch.Tensor, ...] | None = None


class SplitClassifier(nn.Module):
    """A hub `*ForSequenceClassification`, or one of tokens, seen as body and last linear layer, so that what that reads
    is visible.

    The body is the model with its last linear layer replaced by the identity: what it returns as logits is what that
    layer reads. The wrapped model is changed in place.

    Raises:
        TrainError: when no linear layer has as many outputs as the model has labels.
    """

    gives_pooled = True

    def __init__(self, model: PreTrainedModel) -> None:
        super().__init__()
        self.config = model.config
        name = head_name(model)
        parent = model.get_submodule(name.rpartition(".")[0]) if "." in name else model
        self.head = getattr(parent, name.rpartition(".")[2])
        setattr(parent, name.rpartition(".")[2], nn.Identity())
        self.body = model
        whole = type(model).__name__.endswith("ForSequenceClassification")
        self._reads_last = whole and reads_forward(model.config)

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        token_type_ids: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
    ) -> ClassifierOutput:
        """As `EncoderClassifier.forward`."""
        inputs: dict[str, Any] = {"input_ids": input_ids, "attention_mask": attention_mask}
        if token_type_ids is not None and getattr(self.config, "type_vocab_size", 0) > 1:
            inputs["token_type_ids"] = token_type_ids
        pooled = self._last(**inputs) if self._reads_last else self.body(**inputs, return_dict=True).logits
        logits = self.head(pooled)
        loss = mean_loss(self.config, logits, labels) if labels is not None else None
        return ClassifierOutput(loss=loss, logits=logits.float(), pooled=pooled.float())

    def _last(self, input_ids: torch.Tensor, attention_mask: torch.Tensor | None) -> torch.Tensor:
        """The state of each row's last token ``[batch, hidden]``.

        transformers takes the last that is not the padding token, and refuses to find it in a model without one. Here
        padding is what the mask says; a padding token that ends the text itself is passed over as there.
        """
        states = self.body.base_model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        seen = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        if self.config.pad_token_id is not None:
            seen = seen * (input_ids != self.config.pad_token_id)
        return pool(states, seen, "lasttoken")


def mean_loss(config: Any, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Mean cross-entropy; of each label by itself where labels do not exclude each other."""
    if config.problem_type == "multi_label_classification":
        return nn.functional.binary_cross_entropy_with_logits(logits.float(), labels.float())
    if logits.ndim == 3:
        logits, labels = logits.flatten(0, 1), labels.flatten()
    return nn.functional.cross_entropy(logits.float(), labels)


def head_name(model: nn.Module) -> str:
    """Dotted name of the last linear layer with one output a label.

    Raises:
        TrainError: when there is none.
    """
    labels = int(model.config.num_labels)
    names = [n for n, m in model.named_modules() if isinstance(m, nn.Linear) and m.out_features == labels]
    if not names:
        raise TrainError(
            "T011",
            f"no linear layer with {labels} outputs found",
            type(model).__name__,
            "use a model with a linear classification head, or set pooled_cosine to 0",
        )
    return names[-1]
