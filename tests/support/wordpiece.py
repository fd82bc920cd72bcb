"""A BERT tokenizer as the library `tokenizers` stores it."""

from __future__ import annotations

from typing import Any

FLAGS = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}


def wordpiece(pieces: list[str], **normalizer: bool | None) -> dict[str, Any]:
    """A tokenizer.json: the first five `pieces` are [PAD], [UNK], [CLS], [SEP], [MASK]; `normalizer` are its flags."""
    usual = {"clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": True}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": i, "content": token, **FLAGS} for i, token in enumerate(pieces[:5])],
        "normalizer": {"type": "BertNormalizer", **usual, **normalizer},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]},
        "decoder": None,
        "model": {
            "type": "WordPiece",
            "unk_token": "[UNK]",
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
            "vocab": {piece: i for i, piece in enumerate(dict.fromkeys(pieces))},
        },
    }
