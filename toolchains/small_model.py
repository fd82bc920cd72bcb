"""Make a random model of the common student's shape as .still files: ``python -m toolchains.small_model FOLDER``.

One file a scheme: model.int8.still, model.fp32.still, ...

For tests of bits, not of accuracy: BERT of 4 layers, hidden 312, 12 heads, FFN 1200 (so 312 leaves vector tails),
mean pooling, 3 labels, a WordPiece vocabulary of the test sentences. Needs the extra ``build``.
"""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path

import torch
from tokenizers import BertWordPieceTokenizer
from transformers import BertConfig

from potstill.compile import compile_onnx
from potstill.distil.modeling import EncoderClassifier, EncoderClassifierConfig
from potstill.export.onnx import export_onnx
from potstill.quantize.schemes import SCHEMES
from toolchains.same_bits import MORE_SENTENCES

LABELS = ("red", "green", "blue")


def vocabulary() -> dict[str, int]:
    """Specials, every other word of the sentences whole, all letters alone and as continuations."""
    text = " ".join(MORE_SENTENCES).lower()
    words = sorted(set(re.findall(r"[a-z]+", text)))[::2]
    letters = sorted(set(re.sub(r"\s", "", text)))
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    pieces = [*specials, *letters, *(f"##{c}" for c in letters if c.isalpha()), *words]
    return {piece: number for number, piece in enumerate(dict.fromkeys(pieces))}


def write_classifier(folder: Path) -> None:
    """A classifier folder: random weights of seed 0, larger than at a usual start so that logits differ by text."""
    words = vocabulary()
    torch.manual_seed(0)
    encoder = BertConfig(
        vocab_size=len(words),
        hidden_size=312,
        num_hidden_layers=4,
        num_attention_heads=12,
        intermediate_size=1200,
        max_position_embeddings=128,
        initializer_range=0.08,
    )
    names = dict(enumerate(LABELS))
    config = EncoderClassifierConfig(encoder, "mean", id2label=names, label2id={n: i for i, n in names.items()})
    EncoderClassifier(config).save_pretrained(folder)
    BertWordPieceTokenizer(vocab=words, lowercase=True).save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(
        '{"tokenizer_class": "BertTokenizerFast", "model_max_length": 128, "pad_token": "[PAD]", '
        '"unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]"}',
        encoding="utf-8",
    )


def main(out: Path) -> None:
    """Write the .still files into the folder `out`."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "model"
        write_classifier(folder)
        onnx = export_onnx(folder, Path(temporary) / "model.onnx")
        for scheme in SCHEMES:
            compile_onnx(
                onnx,
                out / f"model.{scheme}.still",
                scheme=scheme,
                tokenizer=folder,
                labels=list(LABELS),
                name="small-random",
                max_tokens=128,
                provenance=None,
                license=None,
            )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
