"""`compile_onnx`: ONNX in, `.still` out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from potstill.compile.arguments import read_arguments
from potstill.compile.report import CompileReport, report
from potstill.still.schemes import Scheme


def compile_onnx(
    onnx: Path,
    out: Path,
    *,
    scheme: str | Scheme = "int8",
    embedding: str = "auto",
    tokenizer: Path | None = None,
    labels: Sequence[str] | None = None,
    name: str | None = None,
    max_tokens: int | None = None,
    provenance: Mapping[str, str] | None = None,
    license: str | None = None,
    output: str | None = None,
    pooling: str | None = None,
    multi_label: bool | None = None,
    pairs: bool | None = None,
    activation: str | None = None,
    units: str | None = None,
    lowercase: bool | None = None,
    verify: bool = True,
) -> CompileReport:
    """Compile an ONNX encoder into one `.still` file. The same inputs give the same bytes.

    Args:
        onnx: ONNX of a BERT-family encoder, from any exporter: fp32 or half precision, plain, fused by onnxruntime's
            optimizers, or quantized (its weights are used as what they stand for, and rounded by `scheme`).
        out: the file to write; written atomically, an old one stays until the new one is complete.
        scheme: "fp32", "int8" or "int4", or a whole `Scheme` (potstill.still.schemes).
        embedding: dtype of the word embedding, by the same names; "auto" is the scheme's. Not used with a `Scheme`.
        tokenizer: folder of a Hugging Face WordPiece tokenizer; None for a model that is run on token ids.
        labels: class labels in the order of the logits; None for those noted in the ONNX (property `labels`, a JSON
            list), else LABEL_0, LABEL_1, ...
        name: model name kept in the file; None for the name of the ONNX file.
        max_tokens: longest text to accept; the least of this, the model's positions and the tokenizer's limit counts.
        provenance: hashes of recipe, data, teacher, student; the ONNX file's own SHA-256 is added as `onnx_sha256`.
        license: SPDX expression or text.
        output: name of the one output to take; None to tell by names and shapes.
        pooling: "mean" or "cls" for an output with one row a token.
        multi_label: labels do not exclude each other; None for what the ONNX says (property `multi_label`).
        activation: "raw" or "sigmoid": how the one output of a regression model or a reranker is given; None for what
            the ONNX (property `score`) or the model's config.json says, beside the tokenizer or the ONNX, else raw.
        units: of a model that labels words, what it labels of a text: "words", "characters" or "given"
            (`potstill.Model.units`); None for what the ONNX says (property `units`), else words.
        pairs: the model reads pairs of texts: token types are told apart; None for what the ONNX says (`pairs`).
        lowercase: text is lower-cased and loses its accents; None for what the tokenizer's folder says (where it
            says nothing and its vocabulary contradicts the default, which is to lower-case).
        verify: compare with onnxruntime up to the longest text before writing, and run the written file with the core
            (when it is built) before it takes its name.

    Raises:
        CompileError: the ONNX, its output or its tokenizer is not one that the core can run; the message names it.
        InputError: an argument has a type that it cannot have, `out` is not a file that can be written.
        SystemFailure: a file cannot be written; a package is missing.
    """
    from potstill.compile.beside import beside_given
    from potstill.compile.describe import card_of, check_tokenizer
    from potstill.compile.import_onnx import import_onnx, least
    from potstill.compile.lower import lower
    from potstill.compile.sentence import sentence_beside
    from potstill.compile.tokenizers import lowercased_by, read_tokenizer
    from potstill.compile.verify import check_of_file, check_onnx
    from potstill.still.writer import write_still

    asked = read_arguments(
        onnx, out, scheme=scheme, embedding=embedding, tokenizer=tokenizer, labels=labels, name=name,
        max_tokens=max_tokens, provenance=provenance, license=license, output=output, pooling=pooling,
        multi_label=multi_label, pairs=pairs, activation=activation, units=units, lowercase=lowercase,
        verify=verify,
    )  # fmt: skip
    tables = None if asked.tokenizer is None else read_tokenizer(asked.tokenizer, lowercase=asked.lowercase)
    imported = import_onnx(
        asked.onnx,
        max_tokens=asked.max_tokens if tables is None else least(asked.max_tokens, tables.max_tokens),
        output=asked.output,
        pooling=asked.pooling,
        pairs=asked.pairs,
        piece=None if tables is None else tables.piece_in_text,
        sentence=sentence_beside(asked.onnx, asked.tokenizer),
    )
    if tables is not None:
        tables = lowercased_by(tables, imported.sentence)
        check_tokenizer(tables, imported.graph, asked.tokenizer)
    card, notes = card_of(asked, imported)
    differences = check_onnx(imported, card) if asked.verify else []
    rounding, beside = beside_given(imported) if asked.verify else ([], [])
    model = lower(imported.graph, asked.scheme, card, tables)
    size = write_still(model, asked.out, check=check_of_file(model, imported) if asked.verify else None)
    notes = [*(() if tables is None else tables.notes), *notes, *beside]
    return report(model, size, notes, differences, rounding)
