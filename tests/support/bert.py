"""Random BERTs of a few words, in the hub's form."""

from __future__ import annotations

from pathlib import Path
from typing import Any

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def config(vocabulary: int, **changes: Any) -> Any:
    """Hidden 24, 4 heads, 48 neurons, 32 positions; weights larger than BERT's 0.02: attention does something."""
    from transformers import BertConfig

    usual = {
        "hidden_size": 24, "num_attention_heads": 4, "intermediate_size": 48, "max_position_embeddings": 32,
        "initializer_range": 0.3,
    }  # fmt: skip
    return BertConfig(vocab_size=vocabulary, **{**usual, **changes})


def tokenizer(pieces: list[str], limit: int = 32, lower: bool = True) -> Any:
    """The fast WordPiece tokenizer over `pieces`."""
    from transformers import BertTokenizer

    vocabulary = {piece: index for index, piece in enumerate(pieces)}
    return BertTokenizer(vocab=vocabulary, do_lower_case=lower, model_max_length=limit)


def encoder(folder: Path, pieces: list[str], *, layers: int, limit: int = 32, **changes: Any) -> Path:
    """A folder with a random encoder (seed 3) and its tokenizer; `changes` are of `config`."""
    import torch
    from transformers import BertModel

    torch.manual_seed(3)
    settings = {"max_position_embeddings": limit, "pad_token_id": pieces.index("[PAD]"), **changes}
    made = config(len(pieces), num_hidden_layers=layers, **settings)
    BertModel(made, add_pooling_layer=False).save_pretrained(folder)
    tokenizer(pieces, limit).save_pretrained(folder)
    return folder
