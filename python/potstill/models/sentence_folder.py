"""What a sentence-transformers folder says: which poolings, dense layers and normalisation make its vectors, and how
texts reach its encoder.

Read from its JSON files alone: no weights, no library, so that it can be asked before any work is done.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from potstill.errors import CompileError

MODULES = "modules.json"
# In the order in which several are put side by side.
POOLINGS = ("cls", "max", "mean", "mean_sqrt_len", "weightedmean", "lasttoken")
# Classes of torch.nn without arguments.
ACTIVATIONS = ("Identity", "Tanh", "ReLU", "GELU", "Sigmoid", "SiLU")
# The flags of older folders, by the pooling they switch on.
_FLAGS = {
    "cls": "pooling_mode_cls_token",
    "max": "pooling_mode_max_tokens",
    "mean": "pooling_mode_mean_tokens",
    "mean_sqrt_len": "pooling_mode_mean_sqrt_len_tokens",
    "weightedmean": "pooling_mode_weightedmean_tokens",
    "lasttoken": "pooling_mode_lasttoken",
}
_POOLING_KEYS = {*_FLAGS.values(), "pooling_mode", "word_embedding_dimension", "embedding_dimension", "include_prompt"}
_DENSE_KEYS = {"in_features", "out_features", "bias", "activation_function", "init_weight", "init_bias"}
_ENCODER_FILES = tuple(
    f"sentence_{kind}_config.json"
    for kind in ("bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet")
)
_ELSE = "give a model of a Transformer, a Pooling and perhaps Dense layers and a Normalize"


@dataclass(frozen=True)
class Dense:
    """activation(x @ weight.T + bias) of the vector.

    Attributes:
        folder: where its weights are, inside the model's folder.
        inputs: width of what it reads.
        outputs: width of what it gives.
        bias: whether it has one.
        activation: one of `ACTIVATIONS`.
    """

    folder: str
    inputs: int
    outputs: int
    bias: bool
    activation: str


@dataclass(frozen=True)
class SentenceModel:
    """See the module.

    Attributes:
        folder: the folder.
        encoder: where the encoder and its tokenizer are, inside the folder; "" for the folder itself.
        poolings: of `POOLINGS`; of several the vectors stand side by side.
        dense: layers behind the pooling, in order.
        normalized: vectors are divided by their length at the end.
        max_tokens: longest text, specials included; longer ones are cut. None where it is not told.
        lowercase: texts are lower-cased before the tokenizer sees them.
        prompts: texts that may be put before a text, by name; empty ones are left out.
        default_prompt: the one that is put before every text; "" for none.
        include_prompt: tokens of the prompt are pooled with the text's.
    """

    folder: Path
    encoder: str
    poolings: tuple[str, ...]
    dense: tuple[Dense, ...]
    normalized: bool
    max_tokens: int | None
    lowercase: bool
    prompts: Mapping[str, str]
    default_prompt: str
    include_prompt: bool

    @property
    def pooling(self) -> str:
        """The poolings as one word: `mean`, or `cls+mean`."""
        return "+".join(self.poolings)

    @property
    def encoder_folder(self) -> Path:
        """The folder of the encoder and its tokenizer."""
        return self.folder / self.encoder


def describe_sentence_model(folder: Path) -> SentenceModel | None:
    """What the folder says, or None where it holds no sentence-transformers model for vectors.

    Raises:
        CompileError: a file that cannot be read as what it should be; a module or setting that is not known.
    """
    if not (folder / MODULES).is_file():
        return None
    modules = _read(folder / MODULES)
    if not isinstance(modules, list) or not all(isinstance(module, dict) for module in modules):
        raise _unreadable(folder / MODULES, "it is not a list of modules")
    general = _settings(folder / "config_sentence_transformers.json")
    if general.get("model_type") == "CrossEncoder":
        return None
    if general.get("model_type", "SentenceTransformer") != "SentenceTransformer":
        raise _unknown(folder, f"a {general['model_type']}")
    if general.get("truncate_dim"):
        raise _unknown(folder, f"truncate_dim = {general['truncate_dim']!r}")
    names = [str(module.get("type", "")).rpartition(".")[2] for module in modules]
    if names[:2] != ["Transformer", "Pooling"]:
        raise _unknown(folder, f"a model that is made of {', '.join(names) or 'nothing'}")
    encoder, pooling = (str(module.get("path", "")) for module in modules[:2])
    longest, lowercase = _encoder(folder / encoder)
    poolings, include_prompt = _pooling(folder / pooling / "config.json")
    dense, normalized = _behind(folder, names[2:], [str(module.get("path", "")) for module in modules[2:]])
    prompts, default = _prompts(general, folder)
    return SentenceModel(
        folder=folder,
        encoder=encoder,
        poolings=poolings,
        dense=dense,
        normalized=normalized,
        max_tokens=longest,
        lowercase=lowercase,
        prompts=prompts,
        default_prompt=default,
        include_prompt=include_prompt,
    )


def _encoder(folder: Path) -> tuple[int | None, bool]:
    """Of the module Transformer: longest text, and whether texts are lower-cased."""
    path = next((folder / name for name in _ENCODER_FILES if (folder / name).is_file()), folder / _ENCODER_FILES[0])
    settings = _settings(path)
    if settings.get("transformer_task") not in (None, "feature-extraction"):
        raise _unknown(path, f"transformer_task = {settings['transformer_task']!r}")
    if settings.get("module_output_name") not in (None, "token_embeddings"):
        raise _unknown(path, f"module_output_name = {settings['module_output_name']!r}")
    return _whole(settings, "max_seq_length", path), bool(settings.get("do_lower_case", False))


def _pooling(path: Path) -> tuple[tuple[str, ...], bool]:
    settings = _needed(path)
    mode = settings.get("pooling_mode")
    if mode is None:
        # Mean is switched on where nothing is said of it.
        found = {name for name, flag in _FLAGS.items() if settings.get(flag, name == "mean")}
    else:
        named = [mode] if isinstance(mode, str) else mode
        if not isinstance(named, list) or not all(isinstance(name, str) for name in named):
            raise _unreadable(path, f"pooling_mode is {mode!r}")
        order = ["mean_sqrt_len" if name == "mean_sqrt_len_tokens" else name.lower() for name in named]
        found = set(order)
        if found <= {*POOLINGS} and order != [name for name in POOLINGS if name in found]:
            raise _unknown(path, f"the poolings {', '.join(order)} in this order")
    strange = sorted({*found} - {*POOLINGS}) + _others(settings, _POOLING_KEYS)
    if strange or not found:
        raise _unknown(path, f"the pooling {', '.join(strange) or 'nothing'}")
    return tuple(name for name in POOLINGS if name in found), bool(settings.get("include_prompt", True))


def _behind(folder: Path, names: list[str], paths: list[str]) -> tuple[tuple[Dense, ...], bool]:
    """The modules behind the pooling."""
    dense: list[Dense] = []
    normalized = False
    for name, path in zip(names, paths, strict=True):
        if name == "Normalize":
            normalized = True
        elif name == "Dense" and not normalized:
            dense.append(_dense(folder, path))
        elif name != "Dropout":  # without effect outside of training
            raise _unknown(folder, f"the module {name}{' behind Normalize' if normalized else ''}")
    return tuple(dense), normalized


def _dense(folder: Path, inside: str) -> Dense:
    path = folder / inside / "config.json"
    settings = _needed(path)
    names = {key: settings.get(key) for key in ("module_input_name", "module_output_name")}
    others = _others(settings, {*_DENSE_KEYS, *names})
    others += [f"{key} = {value!r}" for key, value in names.items() if value not in (None, "sentence_embedding")]
    if others:
        raise _unknown(path, f"a Dense layer with {', '.join(others)}")
    activation = str(settings.get("activation_function", "Tanh")).rpartition(".")[2]
    if activation not in ACTIVATIONS:
        raise _unknown(path, f"the activation {activation}")
    inputs, outputs = (_whole(settings, key, path) for key in ("in_features", "out_features"))
    if inputs is None or outputs is None:
        raise _unreadable(path, "in_features or out_features is missing")
    return Dense(inside, inputs, outputs, bool(settings.get("bias", True)), activation)


def _prompts(settings: Mapping[str, Any], folder: Path) -> tuple[dict[str, str], str]:
    prompts, default = settings.get("prompts") or {}, settings.get("default_prompt_name")
    path = folder / "config_sentence_transformers.json"
    if not isinstance(prompts, dict) or not all(isinstance(text, str) for text in prompts.values()):
        raise _unreadable(path, "prompts is not a table of texts")
    if default is not None and default not in prompts:
        raise _unreadable(path, f"default_prompt_name {default!r} is not among the prompts")
    named = {str(name): text for name, text in prompts.items() if text}
    return named, "" if default is None else prompts[default]


def _others(settings: Mapping[str, Any], known: set[str]) -> list[str]:
    """Settings of later versions that are switched on: what they do is not known."""
    return [f"{key} = {value!r}" for key, value in settings.items() if key not in known and value]


def _whole(settings: Mapping[str, Any], key: str, path: Path) -> int | None:
    value = settings.get(key)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise _unreadable(path, f"{key} is {value!r}")
    return value


def _settings(path: Path) -> dict[str, Any]:
    return _needed(path) if path.is_file() else {}


def _needed(path: Path) -> dict[str, Any]:
    found = _read(path)
    if not isinstance(found, dict):
        raise _unreadable(path, "it is not a table of settings")
    return found


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        reason = "it is not there" if isinstance(error, FileNotFoundError) else "it is not JSON"
        raise _unreadable(path, reason) from error


def _unreadable(path: Path, why: str) -> CompileError:
    return CompileError(
        "C160", f"a file of the sentence-transformers folder cannot be used: {why}", str(path), "fetch the model again"
    )


def _unknown(path: Path, what: str) -> CompileError:
    return CompileError(
        "C161", f"the sentence-transformers folder has {what}, which is not supported", str(path), _ELSE
    )
