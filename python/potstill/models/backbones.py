"""Encoders that transformers does not have: BERT over a factorized token table, and mean-of-vectors without attention.

Both are registered with transformers' Auto classes, so that `EncoderClassifier` builds, saves and loads them like any
other backbone.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from transformers import AutoConfig, AutoModel, BertConfig, BertModel, PreTrainedModel
from transformers.configuration_utils import PretrainedConfig
from transformers.modeling_outputs import BaseModelOutput


class FactorizedBertConfig(BertConfig):
    """BERT's configuration and the width of its token table.

    Args:
        embedding_size: width E of the token and position tables; a linear map takes them to ``hidden_size``.
    """

    model_type = "potstill_factorized_bert"

    def __init__(self, embedding_size: int = 128, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.embedding_size = embedding_size


class FactorizedEmbeddings(nn.Module):
    """``LayerNorm(projection(word[id] + position[p]))``; token type 0 is part of the positions.

    The token table is V x E instead of V x H (Lan et al., 2020, ALBERT). There the layer norm is before the projection;
    here it stays behind it, where BERT has it, so that a truncated SVD of a BERT's tables is the best start there is.
    """

    def __init__(self, config: FactorizedBertConfig) -> None:
        super().__init__()
        narrow = config.embedding_size
        self.word_embeddings = nn.Embedding(config.vocab_size, narrow, padding_idx=config.pad_token_id)
        self.position_embeddings = nn.Embedding(config.max_position_embeddings, narrow)
        self.projection = nn.Linear(narrow, config.hidden_size)
        self.LayerNorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)

    def forward(self, input_ids: torch.Tensor, **others: Any) -> torch.Tensor:
        """``[batch, length]`` ids to ``[batch, length, hidden]``; positions and token types given are not used."""
        del others
        rows = self.word_embeddings(input_ids) + self.position_embeddings.weight[: input_ids.shape[1]]
        return self.dropout(self.LayerNorm(self.projection(rows)))


class FactorizedBertModel(BertModel):
    """A `BertModel` whose embeddings are `FactorizedEmbeddings`."""

    config_class = FactorizedBertConfig

    def __init__(self, config: FactorizedBertConfig, add_pooling_layer: bool = False) -> None:
        super().__init__(config, add_pooling_layer=add_pooling_layer)
        self.embeddings = FactorizedEmbeddings(config)
        self.post_init()


class StaticConfig(PretrainedConfig):
    """Configuration of a token table without layers.

    Args:
        vocab_size: rows of the table.
        hidden_size: their width.
        max_position_embeddings: longest text; there is no position table.
        pad_token_id: row that is not trained.
    """

    model_type = "potstill_static"

    def __init__(
        self,
        vocab_size: int = 30522,
        hidden_size: int = 256,
        max_position_embeddings: int = 512,
        pad_token_id: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(pad_token_id=pad_token_id, **kwargs)
        self.vocab_size = vocab_size
        self.hidden_size = hidden_size
        self.max_position_embeddings = max_position_embeddings
        self.num_hidden_layers = 0
        self.type_vocab_size = 0
        self.initializer_range = 0.02


class StaticEmbeddings(nn.Module):
    """The table, under BERT's name for it."""

    def __init__(self, config: StaticConfig) -> None:
        super().__init__()
        self.word_embeddings = nn.Embedding(config.vocab_size, config.hidden_size, padding_idx=config.pad_token_id)

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        """``[batch, length]`` ids to ``[batch, length, hidden]``."""
        return self.word_embeddings(input_ids)


class StaticModel(PreTrainedModel):
    """Token vectors as they stand in the table: no positions, no attention, no layers."""

    config_class = StaticConfig
    base_model_prefix = "static"
    _supports_sdpa = True

    def __init__(self, config: StaticConfig) -> None:
        super().__init__(config)
        self.embeddings = StaticEmbeddings(config)
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        """The token table."""
        return self.embeddings.word_embeddings

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        output_hidden_states: bool = False,
        **others: Any,
    ) -> BaseModelOutput:
        """``last_hidden_state`` ``[batch, length, hidden]``; the mask is the pooling's business."""
        del attention_mask, others
        rows = self.embeddings(input_ids)
        return BaseModelOutput(last_hidden_state=rows, hidden_states=(rows,) if output_hidden_states else None)


for _config, _model in ((FactorizedBertConfig, FactorizedBertModel), (StaticConfig, StaticModel)):
    AutoConfig.register(_config.model_type, _config, exist_ok=True)
    AutoModel.register(_config, _model, exist_ok=True)
