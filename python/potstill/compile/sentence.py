"""An ONNX beside a sentence-transformers folder: pooling and normalisation as the folder says, or a refusal."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from potstill.compile.ir import Op
from potstill.compile.ops import Linear, Normalize, Pool
from potstill.compile.outputs import POOLINGS
from potstill.errors import CompileError
from potstill.models.sentence_folder import MODULES, SentenceModel, describe_sentence_model

# What F.normalize divides by at least.
SMALLEST_LENGTH = 1e-12


def sentence_beside(onnx: Path, tokenizer: Path | None) -> SentenceModel | None:
    """What the tokenizer's folder says of the model's vectors, or that of the ONNX, or the one over its `onnx/`.

    Raises:
        CompileError: as `describe_sentence_model`.
    """
    folders = [] if tokenizer is None else [tokenizer]
    folders += [onnx.parent, *([onnx.absolute().parent.parent] if onnx.absolute().parent.name == "onnx" else [])]
    found = next((folder for folder in folders if (folder / MODULES).is_file()), None)
    if found is not None:
        return describe_sentence_model(found)
    # Older folders keep the encoder and its tokenizer one folder below.
    for folder in folders:
        above = describe_sentence_model(folder.absolute().parent)
        if above is not None and above.encoder and above.encoder_folder.resolve() == folder.resolve():
            return above
    return None


@dataclass(frozen=True)
class Followed:
    """Output and pooling to take, and the folder that they are of.

    Attributes:
        sentence: the folder; None: none is followed.
        pooling, output: as `choose_outputs` takes them.
        whole: the output that is the finished vector, taken because the folder was followed.
    """

    sentence: SentenceModel | None
    pooling: str | None
    output: str | None
    whole: str | None = None

    @property
    def max_tokens(self) -> int | None:
        """The longest text by the folder."""
        return None if self.sentence is None else self.sentence.max_tokens


def follow(sentence: SentenceModel | None, outputs: Sequence[str], pooling: str | None, output: str | None) -> Followed:
    """What the user asked for, else the finished vector among the ONNX's outputs, else the folder's pooling.

    Raises:
        CompileError: the folder asks for something that a file cannot hold.
    """
    if sentence is None:
        return Followed(None, pooling, output)
    check_prompts(sentence)
    if output is not None or pooling is not None:
        return Followed(sentence, pooling, output)
    whole = next((name for name in outputs if "sentence_embedding" in name.lower()), None)
    return Followed(sentence, None if whole else adoptable_pooling(sentence), whole, whole)


def adoptable_pooling(sentence: SentenceModel) -> str:
    """The pooling for an output with one row a token.

    Raises:
        CompileError: the core has no such pooling, or dense layers follow, which the ONNX lacks.
    """
    if sentence.pooling not in POOLINGS:
        raise CompileError(
            "C162", f"the model's vectors are pooled as {sentence.pooling}, which is not supported",
            str(sentence.folder), "use a model with mean or cls pooling, or distil a student of it (potstill build)",
        )  # fmt: skip
    if sentence.dense:
        raise CompileError(
            "C162", "dense layers follow the pooling, and the ONNX lacks them", str(sentence.folder),
            "export the model with its output sentence_embedding, or distil a student of it (potstill build)",
        )  # fmt: skip
    return sentence.pooling


def check_prompts(sentence: SentenceModel) -> None:
    """A prompt before every text, which the file could not put there."""
    if sentence.default_prompt:
        raise CompileError(
            "C164", f"the model puts {sentence.default_prompt!r} before every text, which a .still file cannot do",
            str(sentence.folder / "config_sentence_transformers.json"),
            "set default_prompt_name to null in a copy of the folder, and write the prompt into your texts",
        )  # fmt: skip


def check_vector(embedding: Op, sentence: SentenceModel, output: str) -> None:
    """A finished vector of the ONNX that is not made as the folder says."""
    op, normalized, dense = embedding, False, 0
    if isinstance(op, Normalize):
        op, normalized = op.x, True
    while isinstance(op, Linear) and not op.per_token:
        op, dense = op.x, dense + 1
    pooling = op.kind if isinstance(op, Pool) else "nothing"
    made = _told(pooling, dense, normalized)
    wanted = _told(sentence.pooling, len(sentence.dense), sentence.normalized)
    if made != wanted:
        raise CompileError(
            "C163", f"the output {output!r} of the ONNX is {made}, its folder says {wanted}", str(sentence.folder),
            f"export the model again, or take the ONNX as it is: --output {shlex.quote(output)}",
        )  # fmt: skip


def notes_of(sentence: SentenceModel | None, pooling: str | None) -> list[str]:
    """What the user should know of what was adopted; `pooling` is None where the ONNX pools by itself."""
    if sentence is None:
        return []
    taken = sentence.pooling if pooling is None else pooling
    told = _told(taken, len(sentence.dense), sentence.normalized)
    notes = [f"vectors are as the sentence-transformers folder says: {told}"]
    if taken != sentence.pooling:
        notes = [f"--pooling {taken} was taken, although the sentence-transformers folder says {sentence.pooling}"]
    if sentence.prompts:
        names = ", ".join(sorted(sentence.prompts))
        left = "" if sentence.include_prompt else "; its own library leaves a prompt's tokens out of the pooling"
        notes.append(f"the model knows prompts ({names}): write them into the texts{left}")
    return notes


def _told(pooling: str, dense: int, normalized: bool) -> str:
    layers = f", {dense} dense layer{'s' if dense > 1 else ''}" if dense else ""
    return f"{pooling} pooling{layers}, {'normalised' if normalized else 'not normalised'}"
