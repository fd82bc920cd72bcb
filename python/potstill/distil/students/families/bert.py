"""BERT, and those that kept its names: RoBERTa, XLM-R, CamemBERT, ELECTRA."""

from __future__ import annotations

from typing import Any

from potstill.distil.students.shape import Embeddings, Layer

TYPES = ("bert", "roberta", "xlm-roberta", "camembert", "electra")


def fits(config: Any) -> bool:
    """A small ELECTRA has a narrower token table, and a map behind it."""
    return getattr(config, "embedding_size", config.hidden_size) == config.hidden_size


def layers(module: Any) -> list[Layer]:
    """The layers in order."""
    return [
        Layer(
            query=layer.attention.self.query,
            key=layer.attention.self.key,
            value=layer.attention.self.value,
            attention_out=layer.attention.output.dense,
            attention_norm=layer.attention.output.LayerNorm,
            up=layer.intermediate.dense,
            down=layer.output.dense,
            norm=layer.output.LayerNorm,
            heads=module.config.num_attention_heads,
        )
        for layer in module.encoder.layer
    ]


def embeddings(module: Any) -> Embeddings:
    """RoBERTa's kind counts positions from behind the padding id, and has one token type, which then counts twice."""
    found = module.embeddings
    places, types = found.position_embeddings, found.token_type_embeddings.weight
    first = 0 if places.padding_idx is None else places.padding_idx + 1
    return Embeddings(
        words=found.word_embeddings.weight,
        positions=places.weight[first:],
        types=types[:2] if len(types) > 1 else types.expand(2, -1),
        norm=found.LayerNorm,
    )
