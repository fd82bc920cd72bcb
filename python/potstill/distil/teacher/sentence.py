"""A sentence-transformers model as the teacher: what its folder says is adopted, or refused before any work is done."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from potstill.errors import TrainError
from potstill.models.hub import model_errors, quiet_loading
from potstill.models.sentence_folder import MODULES, SentenceModel, describe_sentence_model

# What `describe_sentence_model` reads, and the weights of dense layers.
_PATTERNS = (MODULES, "*.json", "*_Pooling/*", "*_Dense/*", "*_Normalize/*")


@dataclass(frozen=True)
class Vectors:
    """How the teacher makes its vectors.

    Attributes:
        source: hub id or folder of the encoder and its tokenizer.
        pooling: as `potstill.models.vectors.pool` takes it; ``"auto"`` is the encoder's usual one.
        sentence: what the folder says, for its dense layers and normalisation; None where it is a plain encoder, or one
            that is trained to classify.
        notes: sentences for the user: what was adopted otherwise than the folder says, or not at all.
    """

    source: Path | str
    pooling: str
    sentence: SentenceModel | None = None
    notes: list[str] = field(default_factory=list)


def sentence_model(source: Path | str, needed: bool = True) -> SentenceModel | None:
    """What a folder, or a model of the hub, says of its vectors; None for a plain encoder.

    Args:
        source: the folder, or an id of the hub.
        needed: without it, a model that lies in the hub's cache is a plain encoder where the hub cannot be asked.

    Raises:
        TrainError: the hub cannot be reached. CompileError: as `describe_sentence_model`.
    """
    folder = Path(source)
    if folder.is_dir():
        return describe_sentence_model(folder)
    from huggingface_hub import hf_hub_download, snapshot_download, try_to_load_from_cache
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    with model_errors(source), quiet_loading():
        try:
            hf_hub_download(str(source), MODULES)
        except EntryNotFoundError as error:
            # Without the hub: what an earlier look at it found.
            known = try_to_load_from_cache(str(source), MODULES)
            if isinstance(error, LocalEntryNotFoundError) and (known is None or isinstance(known, str)) and needed:
                raise
            return None
        found = describe_sentence_model(Path(snapshot_download(str(source), allow_patterns=list(_PATTERNS))))
        if found is not None and found.encoder:
            patterns = [*_PATTERNS, f"{found.encoder}/*"]
            found = dataclasses.replace(found, folder=Path(snapshot_download(str(source), allow_patterns=patterns)))
        return found


def teacher_vectors(
    source: Path | str, sentence: SentenceModel | None, wanted: str, *, labelled: bool, max_tokens: int
) -> Vectors:
    """How a teacher makes its vectors: as its folder says where ``teacher.pooling`` is ``auto``.

    Args:
        source: hub id or folder of the teacher.
        sentence: `sentence_model` of it.
        wanted: ``teacher.pooling``.
        labelled: it is trained to classify: its vectors are those of its pooling, before dense layers.
        max_tokens: tokens of the longest text.

    Raises:
        TrainError: a prompt is put before every text; prompts that are not pooled; longer texts than it
            reads.
    """
    if sentence is None:
        return Vectors(source, wanted)
    notes = []
    pooling = sentence.pooling if wanted == "auto" else wanted
    if pooling != sentence.pooling:
        notes.append(
            f'teacher.pooling = "{wanted}" was taken, although the teacher\'s folder says {sentence.pooling}: its '
            "vectors are not those that its users know"
        )
    source = sentence.encoder_folder if sentence.encoder or Path(source).is_dir() else source
    if labelled:
        if sentence.dense or sentence.normalized:
            left = [*(["dense layers"] if sentence.dense else []), *(["normalisation"] if sentence.normalized else [])]
            notes.append(f"a classifier does without the teacher's {' and '.join(left)}, which vectors of texts have")
        return Vectors(source, pooling, None, notes)
    _check(sentence, max_tokens)
    if sentence.prompts:
        names = ", ".join(sorted(sentence.prompts))
        notes.append(f"the teacher has prompts ({names}): texts are used without, so write a prompt into them")
    return Vectors(source, pooling, sentence, notes)


def _check(sentence: SentenceModel, max_tokens: int) -> None:
    """What would make other vectors than those that the teacher's users know."""
    config = "config_sentence_transformers.json"
    if sentence.default_prompt:
        raise TrainError(
            "T120", f"the teacher puts {sentence.default_prompt!r} before every text, which a student cannot",
            str(sentence.folder / config),
            "set default_prompt_name to null in a copy of the folder, and write the prompt into your texts",
        )  # fmt: skip
    if sentence.prompts and not sentence.include_prompt:
        raise TrainError(
            "T121", "the teacher leaves the tokens of its prompts out of the pooling, which a student cannot",
            str(sentence.folder), f"empty prompts in {config} of a copy of the folder, and give texts without prompts",
        )  # fmt: skip
    if sentence.max_tokens is not None and max_tokens > sentence.max_tokens:
        raise TrainError(
            "T123", f"max_tokens is {max_tokens}, the teacher cuts texts at {sentence.max_tokens} tokens",
            "data.max_tokens", f"set data.max_tokens to {sentence.max_tokens} or less",
        )  # fmt: skip


def lowercased(tokenizer: Any, source: Path | str) -> None:
    """Have the tokenizer lower-case texts, as sentence-transformers does before it where its folder says so.

    Raises:
        TrainError: a tokenizer that is not BERT's and keeps the case.
    """
    from tokenizers import normalizers

    backend: Any = getattr(tokenizer, "backend_tokenizer", None)
    normalizer = getattr(backend, "normalizer", None)
    if isinstance(normalizer, normalizers.BertNormalizer):
        if normalizer.lowercase:
            return
        # None: accents go with the case; the folder speaks of the case alone.
        if normalizer.strip_accents is None:
            normalizer.strip_accents = False
        normalizer.lowercase = True
        backend.normalizer = normalizer
        for key, value in (("do_lower_case", True), ("strip_accents", normalizer.strip_accents)):
            tokenizer.init_kwargs[key] = value
            if hasattr(tokenizer, key):
                setattr(tokenizer, key, value)
        return
    if normalizer is None or normalizer.normalize_str("AZÄ") != normalizer.normalize_str("azä"):
        raise TrainError(
            "T122", "the teacher's texts are lower-cased before its tokenizer, which keeps the case", str(source),
            "use a teacher with BERT's tokenizer, or one that lower-cases by itself",
        )  # fmt: skip
