"""The common student: what `potstill bench` measures when no model is given, and what our figures elsewhere are of.

BERT of 4 layers, hidden 312, 12 heads, FFN 1200, vocabulary 30522, mean pooling, 2 labels: 14.3 million parameters,
random by a fixed seed. Speed does not depend on the values. Weights are larger than at a usual start (0.08 instead of
0.02), so that logits differ from sentence to sentence and wrong answers show.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from potstill.errors import missing_package
from potstill.work.atomic import atomic_folder

if TYPE_CHECKING:
    from potstill.work.progress import Progress

MAX_TOKENS = 128
SIZES: dict[str, Any] = {
    "vocab_size": 30522,
    "hidden_size": 312,
    "num_hidden_layers": 4,
    "num_attention_heads": 12,
    "intermediate_size": 1200,
    "max_position_embeddings": 512,
}
_SEED = 0
_VERSION = 1


def common_student(cache: Path, progress: Progress | None = None) -> Path:
    """The `.still` file of the common student, with ``common.onnx`` and ``student/`` beside it; made once (20 s).

    Raises:
        SystemFailure: the extra ``build`` is not installed, a file cannot be written.
    """
    import potstill

    folder = cache / "bench" / f"common-{potstill.__version__}-{_VERSION}"
    still = folder / "common.still"
    if still.is_file():
        return still
    if progress is not None:
        progress.message("making the common student (BERT 4 x 312, random weights), once")
    with atomic_folder(folder) as work:
        make(work, SIZES, MAX_TOKENS)
    return still


def make(folder: Path, sizes: dict[str, Any], max_tokens: int) -> None:
    """Write ``student/``, ``common.onnx`` and ``common.still`` (int8) of a random classifier into `folder`.

    Args:
        folder: exists.
        sizes: arguments of transformers' BertConfig.
        max_tokens: longest sentence.
    """
    from potstill.export.quiet import quiet

    try:
        with quiet():
            import torch
            from transformers import BertConfig

            from potstill.compile import compile_onnx
            from potstill.export.onnx import export_onnx
            from potstill.models.classifier import EncoderClassifier, EncoderClassifierConfig
    except ImportError as error:
        raise missing_package(error.name or "torch", "build", "making the common student") from error
    with quiet(), torch.random.fork_rng():
        torch.manual_seed(_SEED)
        backbone = BertConfig(**sizes, initializer_range=0.08)
        names = {0: "negative", 1: "positive"}
        labels = {name: index for index, name in names.items()}
        model = EncoderClassifier(EncoderClassifierConfig(backbone, "mean", id2label=names, label2id=labels))
        model.save_pretrained(folder / "student")
        onnx = export_onnx(folder / "student", folder / "common.onnx")
        compile_onnx(onnx, folder / "common.still", scheme="int8", name="common", max_tokens=max_tokens)
