"""DistilBERT: BERT without token types, under names of its own."""

from __future__ import annotations

from typing import Any

from potstill.distil.students.shape import Embeddings, Layer

TYPES = ("distilbert",)


def layers(module: Any) -> list[Layer]:
    """The layers in order."""
    return [
        Layer(
            query=layer.attention.q_lin,
            key=layer.attention.k_lin,
            value=layer.attention.v_lin,
            attention_out=layer.attention.out_lin,
            attention_norm=layer.sa_layer_norm,
            up=layer.ffn.lin1,
            down=layer.ffn.lin2,
            norm=layer.output_layer_norm,
            heads=module.config.num_attention_heads,
        )
        for layer in module.transformer.layer
    ]


def embeddings(module: Any) -> Embeddings:
    """Token types are zeros."""
    found = module.embeddings
    return Embeddings(
        words=found.word_embeddings.weight,
        positions=found.position_embeddings.weight,
        types=found.word_embeddings.weight.new_zeros(2, module.config.hidden_size),
        norm=found.LayerNorm,
    )
