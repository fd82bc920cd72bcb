"""The teacher's small files: where they are, what encoder they describe. No weight is read or fetched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from potstill.data.demo import known_teacher
from potstill.errors import TrainError
from potstill.pipeline.check.findings import Findings
from potstill.pipeline.check.weights import check_weights

if TYPE_CHECKING:
    from potstill.distil.teacher.sentence import Vectors
    from potstill.recipe.schema import Recipe

# Of a model of the hub only these are fetched.
_SMALL_FILES = ("*.json", "*.txt", "*.model")
_WEIGHTS = ("*.safetensors", "*.bin", "*.h5", "*.msgpack")
_OTHER = (
    "use an encoder (BERT, XLM-R, DeBERTa, T5's) or a decoder of text (GPT-2, Llama, Qwen), "
    "e.g. teacher.model = demo:all-minilm-l6-v2"
)
# The demo teachers' configurations; their packages are pinned, so they need not be fetched to be known.
DEMOS: Mapping[str, Mapping[str, Any]] = {
    "demo:all-minilm-l6-v2": {
        "vocab_size": 30522, "hidden_size": 384, "num_hidden_layers": 6, "num_attention_heads": 12,
        "intermediate_size": 1536, "max_position_embeddings": 512, "type_vocab_size": 2,
    },
    "demo:e5-small": {
        "vocab_size": 250037, "hidden_size": 384, "num_hidden_layers": 12, "num_attention_heads": 12,
        "intermediate_size": 1536, "max_position_embeddings": 512, "type_vocab_size": 2,
    },
}  # fmt: skip


@dataclass(frozen=True)
class Teacher:
    """A teacher as its files describe it.

    Attributes:
        folder: with its configuration and tokenizer; None for a demo teacher that is not on this machine.
        config: the configuration as it lies there.
        classifier: the model that is trained, its weights on torch's device ``meta``.
    """

    folder: Path | None
    config: Any
    classifier: Any

    @property
    def encoder(self) -> Any:
        """The Hugging Face encoder."""
        return self.classifier.backbone


def teacher_folder(recipe: Recipe, *, cache: Path, fetch: bool) -> Path | None:
    """Where the teacher's small files are, as `potstill build` would find them.

    Args:
        recipe: ``teacher.model`` is read, a relative path from the recipe's folder first.
        cache: where demo packages are kept.
        fetch: get the small files of a model of the hub.

    Returns:
        The folder; None where it is not on this machine: a demo teacher, or a hub's model when nothing is fetched.

    Raises:
        TrainError: no such folder; with `fetch` the hub lacks it, cannot be reached or wants a login.
        DataError: no such demo.
    """
    from potstill.recipe.base import resolve

    named = str(recipe.teacher.model)
    if named.startswith("demo:"):
        folder = cache / "demo" / known_teacher(named)
        return folder if folder.is_dir() else None
    path = resolve(named, recipe.base)
    if path.is_dir():
        return path
    from potstill.models.hub import model_errors

    with model_errors(path if path.is_absolute() else named):
        return _of_hub(named, fetch)


def _of_hub(named: str, fetch: bool) -> Path | None:
    from huggingface_hub import errors, snapshot_download

    options = {"repo_id": named, "allow_patterns": list(_SMALL_FILES)}
    try:
        found = Path(snapshot_download(local_files_only=True, **options))
        if (found / "config.json").is_file() and has_tokenizer(found):
            return found
    except errors.HFValidationError as error:
        raise TrainError(
            "T001", "there is no such folder, and it is not the id of a model on the hub", named,
            "check teacher.model: a path from the recipe's folder, or a hub id (owner/name)",
        ) from error  # fmt: skip
    except errors.LocalEntryNotFoundError:
        if not fetch:
            return None
    return Path(snapshot_download(**options)) if fetch else None


def has_tokenizer(folder: Path) -> bool:
    """Whether a folder holds the files of some tokenizer."""
    names = ("tokenizer.json", "vocab.txt", "vocab.json", "merges.txt", "tokenizer_config.json")
    return any((folder / name).is_file() for name in names) or any(folder.glob("*.model"))


def read_teacher(recipe: Recipe, folder: Path | None, labels: list[str], words: bool, vectors: Vectors) -> Teacher:
    """The teacher's encoder under a head for these labels, without weights.

    Args:
        recipe: ``teacher`` is read.
        folder: see `teacher_folder`; None is a demo teacher.
        labels: label names.
        words: the head reads every token.
        vectors: how it makes its vectors.

    Raises:
        TrainError: transformers cannot read it or does not know its type, or its weights are damaged; it reads no text;
            its encoder comes with a decoder only; its weights are quantized; the folder holds no weights.
    """
    import torch
    from transformers import AutoConfig, BertConfig

    from potstill.models.classifier import EncoderClassifier, EncoderClassifierConfig, label_tables
    from potstill.models.hub import model_errors, quiet_loading
    from potstill.models.vectors import dense_settings

    named = str(recipe.teacher.model)
    if folder is None:
        config = BertConfig(**DEMOS[named])
    else:
        with model_errors(folder), quiet_loading():
            config = AutoConfig.from_pretrained(str(folder), trust_remote_code=False)
    encoder = config.backbone_config() if isinstance(config, EncoderClassifierConfig) else config
    _check_kind(encoder, named)
    local = folder is not None and not _in_hub_cache(folder)
    if folder is not None and local and not any(path for name in _WEIGHTS for path in folder.glob(name)):
        raise TrainError(
            "T103", "the folder holds no weights", f"teacher.model = {named}",
            "give a folder written by save_pretrained (config.json and model.safetensors)",
        )  # fmt: skip
    shape = EncoderClassifierConfig(
        backbone=encoder,
        pooling="none" if words else vectors.pooling,
        dense=[] if vectors.sentence is None else dense_settings(vectors.sentence),
        normalized=vectors.sentence is not None and vectors.sentence.normalized,
        **label_tables(labels),
    )
    with model_errors(folder or named), quiet_loading(), torch.device("meta"):
        made = Teacher(folder, config, EncoderClassifier(shape))
    if made.encoder.main_input_name != "input_ids":
        raise _no_text_encoder(encoder.model_type, f"teacher.model = {named}")
    if folder is not None and local:
        check_weights(folder, made.encoder)
    return made


def _no_text_encoder(kind: str, where: str) -> TrainError:
    return TrainError("T100", f"a model of type {kind} does not read text alone", where, _OTHER)


def _check_kind(config: Any, named: str) -> None:
    from potstill.models.families import encodes_text, has_decoder

    where, kind = f"teacher.model = {named}", config.model_type
    if has_decoder(config) and not encodes_text(config):
        raise TrainError(
            "T101", f"a teacher of type {kind} has an encoder and a decoder, and the encoder cannot be had by itself",
            where, _OTHER,
        )  # fmt: skip
    sizes = ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads")
    if not all(isinstance(getattr(config, size, None), int) for size in sizes):
        raise _no_text_encoder(kind, where)
    if too_small := [size for size in sizes if getattr(config, size) < 1]:
        what = f"config.json says {too_small[0]} = {getattr(config, too_small[0])}"
        raise TrainError("T002", what, where, "use the config.json that was saved with the weights")
    if getattr(config, "quantization_config", None) is not None:
        raise TrainError(
            "T102", "the teacher's weights are quantized; it is trained and read in f32", where,
            "use the model that it was made from",
        )  # fmt: skip


def _in_hub_cache(folder: Path) -> bool:
    return "snapshots" in folder.parts


def note_teacher(findings: Findings, teacher: Teacher) -> None:
    """What the teacher is, in a line."""
    config = teacher.encoder.config
    attention = config._attn_implementation
    seen = (
        f"{config.model_type}: {config.num_hidden_layers} layers, hidden {config.hidden_size}, {attention} attention, "
        f"{teacher.classifier.config.pooling} pooling"
    )
    findings.ok("teacher", seen)
