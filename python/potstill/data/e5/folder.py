"""The container as a sentence-transformers folder: config, weights in f32, tokenizer, pooling, prompts."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np

from potstill.data.charsmap import charsmap
from potstill.data.e5.container import Container

# Words of the container, and those of transformers, for what a layer is made of.
_MATRICES = {
    "q": "attention.self.query", "k": "attention.self.key", "v": "attention.self.value",
    "ao": "attention.output.dense", "fi": "intermediate.dense", "fo": "output.dense",
}  # fmt: skip
_NORMS = {"aln": "attention.output.LayerNorm", "oln": "output.LayerNorm"}
PROMPTS = {"query": "query: ", "passage": "passage: "}


def write_folder(model: Container, folder: Path) -> None:
    """Write the folder's files.

    Raises:
        DataError: a tensor is missing or has another size.
    """
    from safetensors.numpy import save_file

    save_file(weights(model), folder / "model.safetensors", metadata={"format": "pt"})
    files: dict[str, Any] = {
        "config.json": _config(model),
        "tokenizer.json": tokenizer_json(model),
        "tokenizer_config.json": _tokenizer_config(model),
        "modules.json": [
            {"idx": index, "name": str(index), "path": path, "type": f"sentence_transformers.models.{kind}"}
            for index, (path, kind) in enumerate((("", "Transformer"), ("1_Pooling", "Pooling"), ("", "Normalize")))
        ],
        "sentence_bert_config.json": {"max_seq_length": model.positions, "do_lower_case": False},
        "config_sentence_transformers.json": {"prompts": PROMPTS, "default_prompt_name": None},
        "1_Pooling/config.json": {"word_embedding_dimension": model.hidden, "pooling_mode_mean_tokens": True},
    }
    for name, content in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")


def weights(model: Container) -> dict[str, np.ndarray]:
    """The weights of `transformers.BertModel` without its pooler, f32."""
    hidden, inner = model.hidden, model.intermediate
    found = {
        "embeddings.word_embeddings.weight": model.tensor("emb.word", model.vocabulary, hidden),
        "embeddings.position_embeddings.weight": model.tensor("emb.pos", model.positions, hidden),
        "embeddings.token_type_embeddings.weight": model.tensor("emb.type", model.types, hidden),
        "embeddings.LayerNorm.weight": model.tensor("emb.ln.w", hidden),
        "embeddings.LayerNorm.bias": model.tensor("emb.ln.b", hidden),
    }
    for layer in range(model.layers):
        for short, name in _MATRICES.items():
            rows, columns = inner if short == "fi" else hidden, inner if short == "fo" else hidden
            found[f"encoder.layer.{layer}.{name}.weight"] = model.tensor(f"l{layer}.{short}.w", rows, columns)
            found[f"encoder.layer.{layer}.{name}.bias"] = model.tensor(f"l{layer}.{short}.b", rows)
        for short, name in _NORMS.items():
            found[f"encoder.layer.{layer}.{name}.weight"] = model.tensor(f"l{layer}.{short}.w", hidden)
            found[f"encoder.layer.{layer}.{name}.bias"] = model.tensor(f"l{layer}.{short}.b", hidden)
    return found


def tokenizer_json(model: Container) -> dict[str, Any]:
    """XLM-R's tokenizer: its table of characters, words with a mark in front, Unigram, ``<s> A </s></s> B </s>``."""
    begin, end = model.pieces[model.bos], model.pieces[model.eos]
    mask_id = len(model.pieces) - 1
    specials = [model.bos, model.pad, model.eos, model.unk, mask_id]
    characters = base64.b64encode(charsmap(model.characters)).decode()
    scores = [float(score) for score in model.scores]
    mark = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}
    first, second = ({"Sequence": {"id": name, "type_id": 0}} for name in ("A", "B"))
    opened, closed = ({"SpecialToken": {"id": token, "type_id": 0}} for token in (begin, end))
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {"id": index, "content": model.pieces[index], "single_word": False, "lstrip": index == mask_id,
             "rstrip": False, "normalized": False, "special": True}
            for index in sorted(specials)
        ],
        "normalizer": {"type": "Precompiled", "precompiled_charsmap": characters},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, mark]},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [opened, first, closed],
            "pair": [opened, first, closed, closed, second, closed],
            "special_tokens": {
                token: {"id": token, "ids": [index], "tokens": [token]}
                for token, index in ((begin, model.bos), (end, model.eos))
            },
        },
        "decoder": mark,
        "model": {
            "type": "Unigram",
            "unk_id": model.unk,
            "vocab": list(zip(model.pieces, scores, strict=True)),
            "byte_fallback": False,
        },
    }  # fmt: skip


def _tokenizer_config(model: Container) -> dict[str, Any]:
    ids = {"bos": model.bos, "cls": model.bos, "eos": model.eos, "sep": model.eos, "pad": model.pad, "unk": model.unk}
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": model.positions,
        "model_input_names": ["input_ids", "attention_mask"],
        "clean_up_tokenization_spaces": False,
        **{f"{name}_token": model.pieces[index] for name, index in ids.items()},
        "mask_token": model.pieces[-1],
    }


def _config(model: Container) -> dict[str, Any]:
    return {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "vocab_size": model.vocabulary,
        "hidden_size": model.hidden,
        "num_hidden_layers": model.layers,
        "num_attention_heads": model.heads,
        "intermediate_size": model.intermediate,
        "max_position_embeddings": model.positions,
        "type_vocab_size": model.types,
        "layer_norm_eps": model.epsilon,
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.1,
        "initializer_range": 0.02,
        "pad_token_id": model.pad,
        "bos_token_id": model.bos,
        "eos_token_id": model.eos,
        "dtype": "float32",
    }
