"""A classifier in the form that exports to a plain graph.

Three things in a Hugging Face encoder make graphs that other engines refuse: position and token type ids computed
from shapes (Range, Expand, Gather), the attention mask built by index arithmetic (Where, IsNaN, GatherND), and SDPA.
Here the embedding sum becomes ``word[id] + table[:length]`` and the mask ``(1 - mask) * -10000``: two products a
softmax turns into exact zeros, safe in half precision too.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn

from potstill.card import Card, heads_of
from potstill.export.quiet import producer
from potstill.models.classifier import labels_words, load_classifier

# exp(-10000 + score) is 0 in f32 for every score below 9,896; f16 holds the value.
MASKED_SCORE = -10000.0


class PlainEmbeddings(nn.Module):
    """BERT-like embeddings with fixed positions: word row + position row (token type row 0 folded in), LayerNorm.

    A ``projection`` between the sum and the LayerNorm (factorized tables) stays there. For pairs of texts the token
    type rows, ``[types, width]``, stay a table of their own.

    Args:
        original: an embeddings module with ``word_embeddings``, ``position_embeddings`` and ``LayerNorm``.
        pairs: tell token types apart.
    """

    def __init__(self, original: nn.Module, pairs: bool = False) -> None:
        super().__init__()
        self.word_embeddings = original.word_embeddings
        self.projection = getattr(original, "projection", None)
        self.LayerNorm = original.LayerNorm
        table = original.position_embeddings.weight.detach()[first_position(original) :]
        types = getattr(original, "token_type_embeddings", None)
        self.types = nn.Buffer(types.weight.detach().clone()) if pairs and types is not None else None
        if types is not None and not pairs:
            table = table + types.weight.detach()[0]
        self.positions = nn.Buffer(table.clone().unsqueeze(0))

    def forward(self, input_ids: torch.Tensor, *others: Any, **named: Any) -> torch.Tensor:
        """``[batch, length]`` ids to ``[batch, length, width]``; positions given are not used."""
        del others
        total = self.word_embeddings(input_ids) + self.positions[:, : input_ids.shape[1]]
        if self.types is not None:
            # Indexing the table would export as GatherND, which engines on boards refuse.
            total = total + nn.functional.embedding(named["token_type_ids"], self.types)
        return self.LayerNorm(total if self.projection is None else self.projection(total))


def first_position(embeddings: nn.Module) -> int:
    """Row of the position table that the first token reads: RoBERTa and its kin start behind the padding row."""
    if hasattr(embeddings, "create_position_ids_from_input_ids"):
        return int(embeddings.padding_idx) + 1
    return 0


def _is_plain_sum(module: nn.Module) -> bool:
    tables = (getattr(module, "word_embeddings", None), getattr(module, "position_embeddings", None))
    return all(isinstance(t, nn.Embedding) for t in tables) and isinstance(
        getattr(module, "LayerNorm", None), nn.Module
    )


def _additive_mask(*, attention_mask: torch.Tensor, **ignored: Any) -> torch.Tensor:
    """Stands in for transformers' create_bidirectional_mask: ``[batch, length]`` to ``[batch, 1, 1, length]``."""
    del ignored
    return (1.0 - attention_mask[:, None, None, :].to(torch.float32)) * MASKED_SCORE


class PlainClassifier(nn.Module):
    """The exported function: ids and mask in, logits (unless the model has no labels) and pooled vector out.

    Args:
        model: what `potstill.models.classifier.load_classifier` returns; its embeddings are replaced in place.
        pairs: token types are a third input.
    """

    def __init__(self, model: nn.Module, pairs: bool = False) -> None:
        super().__init__()
        self.pairs = pairs
        self.model = model
        self.rows = 0
        self.vocabulary = 0
        for parent in list(model.modules()):
            for name, child in list(parent.named_children()):
                if _is_plain_sum(child):
                    plain = PlainEmbeddings(child, pairs)
                    self.rows = plain.positions.shape[1]
                    self.vocabulary = plain.word_embeddings.num_embeddings
                    setattr(parent, name, plain)

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, ...]:
        """``[batch, length]`` integer ids and mask to logits ``[batch, labels]`` and embedding ``[batch, hidden]``.

        Of a model that labels words to logits ``[batch, length, labels]`` alone.
        """
        more = {"token_type_ids": token_type_ids} if self.pairs else {}
        output = self.model(input_ids=input_ids, attention_mask=attention_mask, **more)
        if output.logits.ndim == 3:
            return (output.logits,)
        return (output.logits, output.pooled) if self.model.config.num_labels else (output.pooled,)

    @contextlib.contextmanager
    def plain_masks(self) -> Iterator[None]:
        """Within the block the model's own code builds the mask by `_additive_mask`."""
        homes = {type(module).__module__ for module in self.model.modules()}
        changed = []
        for home in homes:
            code = sys.modules[home]
            if hasattr(code, "create_bidirectional_mask"):
                changed.append((code, code.create_bidirectional_mask))
                code.create_bidirectional_mask = _additive_mask  # type: ignore[attr-defined]
        try:
            yield
        finally:
            for code, original in changed:
                code.create_bidirectional_mask = original  # type: ignore[attr-defined]


def load_plain(model_dir: Path) -> tuple[PlainClassifier, Card]:
    """Load a classifier folder for export, f32, eval mode, eager attention, no gradients; and what it is.

    Raises:
        TrainError: as `potstill.models.classifier.load_classifier`.
    """
    model = load_classifier(model_dir, attention="eager")
    config = model.config
    backbone = config.backbone_config() if hasattr(config, "backbone_config") else config
    pairs = bool(getattr(config, "text_pair", False))
    plain = PlainClassifier(model, pairs).eval().requires_grad_(False)
    rows = plain.rows or int(getattr(backbone, "max_position_embeddings", 512))
    names = {int(key): str(value) for key, value in config.id2label.items()}
    heads = heads_of(
        [names[index] for index in range(len(names))],
        logits=bool(config.num_labels),
        per_token=labels_words(config),
        units=str(getattr(config, "units", "")),
        multi_label=config.problem_type == "multi_label_classification",
        normalized=bool(getattr(config, "normalized", False)) and not config.num_labels,
    )
    card = Card(
        model_dir.name,
        heads,
        min(rows, _tokenizer_limit(model_dir) or rows),
        vocabulary=plain.vocabulary or int(backbone.vocab_size),
        pad_id=int(getattr(backbone, "pad_token_id", None) or 0),
        pairs=pairs,
        producer=producer(),
    )
    return plain, card


def _tokenizer_limit(model_dir: Path) -> int | None:
    """The tokenizer's own limit of tokens, if the folder has one that means something."""
    path = model_dir / "tokenizer_config.json"
    if not path.is_file():
        return None
    limit = json.loads(path.read_text(encoding="utf-8")).get("model_max_length")
    # Tokenizers without a limit store 1e30.
    return int(limit) if isinstance(limit, int | float) and 0 < limit < 1_000_000 else None
