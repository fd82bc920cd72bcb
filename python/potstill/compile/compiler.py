"""`compile_onnx`: ONNX in, `.still` out."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from potstill.card import Card, heads_of
from potstill.card.notes import noted_labels
from potstill.compile.arguments import (
    choice_of,
    folder_of,
    labels_of,
    limit_of,
    out_of,
    path_of,
    provenance_of,
    scheme_of,
    text_of,
)
from potstill.errors import CompileError
from potstill.runtime.inputs import read_flag
from potstill.still.schemes import Scheme

if TYPE_CHECKING:
    from potstill.compile.import_onnx import Imported
    from potstill.compile.ir import Graph
    from potstill.compile.tokenizers import Tables
    from potstill.still.packed import PackedModel

# Written into every file: who made it, and the version of the file format's writer.
PRODUCER = "potstill compile 1"
# [CLS] a [SEP] b [SEP]
SHORTEST_PAIR = 5


@dataclass(frozen=True)
class CompileReport:
    """What was written.

    Attributes:
        bytes: size of the file.
        scheme: its name: "fp32", "int8", "int4", "int4+embedding-int8", "mixed" and so on.
        max_tokens: longest text accepted, specials included.
        parameters: number of weights (logical, without padding and tokenizer tables).
        tensors: for each tensor its name, dtype, layout, shape and stored bytes.
        ops: number of operators by kind.
        labels: class labels in the order of the logits.
        notes: assumptions about the input that the user should know.
        differences: of the self-check, for each output and length the relative difference to the ONNX.
        forbidden_ids: token ids that a text must not have; the core refuses them.
    """

    bytes: int
    scheme: str
    max_tokens: int
    parameters: int
    tensors: list[dict[str, Any]]
    ops: dict[str, int]
    labels: list[str]
    notes: list[str]
    differences: list[dict[str, Any]]
    forbidden_ids: list[int] = dataclasses.field(default_factory=list)

    def to_json(self) -> str:
        """The report as a JSON object."""
        return json.dumps(dataclasses.asdict(self), ensure_ascii=False)


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
    lowercase: bool | None = None,
    verify: bool = True,
) -> CompileReport:
    """Compile an ONNX encoder into one `.still` file. The same inputs give the same bytes.

    Args:
        onnx: fp32 (or half precision) ONNX of a BERT-family encoder, from any exporter.
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
        pairs: the model reads pairs of texts: token types are told apart; None for what the ONNX says (`pairs`).
        lowercase: text is lower-cased and loses its accents; None for what the tokenizer's folder says (where it
            says nothing and its vocabulary contradicts the default, which is to lower-case).
        verify: compare with onnxruntime up to the longest text before writing, and run the written file with the core
            (when it is built) before it takes its name.

    Raises:
        CompileError: the ONNX, its output or its tokenizer is not one that the core can run; the message names it.
        InputError: an argument has a type that it cannot have, `out` is no file to replace.
        SystemFailure: a file cannot be written; a package is missing.
    """
    from potstill.compile.import_onnx import import_onnx
    from potstill.compile.lower import lower
    from potstill.compile.sentence import sentence_beside
    from potstill.compile.verify import core_available, verify_file
    from potstill.still.writer import write_still

    onnx, tokenizer = path_of(onnx, "onnx"), folder_of(tokenizer, "tokenizer")
    out = out_of(out, onnx)
    labels, max_tokens, provenance = labels_of(labels), limit_of(max_tokens), provenance_of(provenance)
    name, license, output = text_of(name, "name"), text_of(license, "license"), text_of(output, "output")
    pooling, activation = text_of(pooling, "pooling"), text_of(activation, "activation")
    multi_label, pairs = choice_of(multi_label, "multi_label"), choice_of(pairs, "pairs")
    lowercase, verify = choice_of(lowercase, "lowercase"), read_flag(verify, "verify")
    chosen_scheme = scheme_of(scheme, embedding)
    tables = None
    if tokenizer is not None:
        from potstill.compile.tokenizers import read_tokenizer

        tables = read_tokenizer(tokenizer, lowercase=lowercase)
    limits = [n for n in (max_tokens, tables.max_tokens if tables is not None else None) if n is not None]
    limit = min(limits) if limits else None
    imported = import_onnx(
        onnx, max_tokens=limit, output=output, pooling=pooling, pairs=pairs,
        piece=None if tables is None else tables.piece_in_text,
        sentence=sentence_beside(onnx, tokenizer),
    )  # fmt: skip
    if tables is not None and imported.sentence is not None and imported.sentence.lowercase and not tables.lowercase:
        note = "texts are lower-cased before the tokenizer, as the sentence-transformers folder says"
        tables = dataclasses.replace(tables, lowercase=True, notes=(*tables.notes, note))
    graph = imported.graph
    notes = imported.onnx.source.notes
    if labels is None and graph.logits is not None:
        labels = noted_labels(notes) or None
    names = _labels(labels, None if graph.logits is None else graph.logits.width, onnx)
    if tables is not None:
        _check_vocabulary(len(tables.offsets) - 1, graph, tokenizer)
        _check_pairs(tables, graph, tokenizer)
    several = notes.get("multi_label") is True if multi_label is None else multi_label
    score, score_notes = _score(graph, several, activation, notes, onnx, tokenizer)
    if score and names == ["LABEL_0"]:
        names = []
    card = Card(
        name if name is not None else onnx.stem.encode(errors="replace").decode(),
        heads_of(
            names, logits=graph.logits is not None, embedding=graph.embedding is not None, multi_label=several,
            per_token=graph.logits is not None and graph.logits.per_token, score=score,
        ),
        graph.max_tokens,
        scheme=chosen_scheme.name,
        producer=PRODUCER,
        license=license or "",
        provenance={**provenance, "onnx_sha256": _sha256(onnx)},
        forbidden_ids=graph.forbidden_ids,
    )  # fmt: skip
    differences = _verify(imported, card) if verify else []
    model = lower(graph, chosen_scheme, card, tables)
    check = (lambda path: verify_file(path, model, imported)) if verify and core_available() else None
    size = write_still(model, out, check=check)
    return report(model, size, [*(tables.notes if tables is not None else ()), *graph.notes, *score_notes], differences)


def _score(
    graph: Graph, several: bool, activation: str | None, notes: Mapping[str, Any], onnx: Path,
    tokenizer: Path | None,
) -> tuple[str, list[str]]:  # fmt: skip
    """How the model's score is given, and notes; empty for a model of classes."""
    from potstill.compile.scores import score_kind

    one = graph.logits is not None and graph.logits.width == 1
    if one and graph.logits is not None and graph.logits.per_token:
        raise CompileError(
            "C140", "a model that labels words with one label tells nothing", str(onnx), "train it with two labels"
        )
    if not one or several:
        if activation is not None:
            what = "of several labels" if several else f"with {graph.logits.width if graph.logits else 0} outputs"
            raise CompileError("C143", f"an activation is for a model with one score, not {what}", activation,
                               "leave --activation out")  # fmt: skip
        return "", []
    # Optimum puts the ONNX of a hub's repository into its folder onnx/.
    beside = [onnx.parent, *([onnx.parent.parent] if onnx.parent.name == "onnx" else [])]
    return score_kind(activation, notes, [*([] if tokenizer is None else [tokenizer]), *beside])


def report(model: PackedModel, size: int, notes: list[str], differences: list[dict[str, Any]]) -> CompileReport:
    """Facts about a packed model."""
    from potstill.still.schema import kind

    header, helpers = model.header, ("scaleT", "colsumT", "wordScaleT")
    learned = {
        index for op in header.ops for field, index in vars(op.body).items()
        if field.endswith("T") and field not in helpers and index >= 0
    }  # fmt: skip
    tensors = [
        {
            "name": tensor.name, "dtype": model.dtype(index), "layout": model.layout(index),
            "shape": list(model.shape(index)), "bytes": model.sections[index].nbytes,
        }
        for index, tensor in enumerate(header.tensors)
    ]  # fmt: skip
    return CompileReport(
        size,
        header.card.scheme,
        header.input.maxTokens,
        sum(math.prod(tensors[index]["shape"]) for index in learned),
        tensors,
        dict(sorted(Counter(kind(op) for op in header.ops).items())),
        next((list(head.labels) for head in header.heads if head.labels), []),
        notes,
        differences,
        list(header.input.forbiddenIds or []),
    )


def _verify(imported: Imported, card: Card) -> list[dict[str, Any]]:
    from potstill.compile.lower import lower
    from potstill.compile.verify import verify

    model = lower(imported.graph, scheme_of("fp32", "auto"), card)
    return [dataclasses.asdict(item) for item in verify(model, imported)]


def _labels(labels: Sequence[str] | None, width: int | None, onnx: Path) -> list[str]:
    if width is None:
        if labels:
            raise CompileError(
                "C020", f"{len(labels)} labels for a model without logits", str(onnx), "leave the labels out"
            )
        return []
    if labels is None:
        return [f"LABEL_{i}" for i in range(width)]
    if len(labels) != width:
        raise CompileError(
            "C020", f"{len(labels)} labels for {width} logits", str(onnx), f"give {width} labels in the model's order"
        )
    if len(set(labels)) != len(labels):
        raise CompileError("C020", "a label occurs twice", ", ".join(labels), "give each class its own label")
    return list(labels)


def _check_vocabulary(pieces: int, graph: Graph, tokenizer: Path | None) -> None:
    from potstill.compile.ops import Embedding

    for op in graph.ordered():
        if isinstance(op, Embedding) and pieces > op.word.shape[0]:
            raise CompileError(
                "C025", f"the tokenizer has {pieces} pieces, the model only {op.word.shape[0]} embeddings",
                str(tokenizer), "give the tokenizer that the model was trained with",
            )  # fmt: skip


def _check_pairs(tables: Tables, graph: Graph, tokenizer: Path | None) -> None:
    """Of a model of pairs: the core encodes them as the tokenizer does, and one can fit."""
    from potstill.compile.ops import Embedding

    if not any(isinstance(op, Embedding) and op.types is not None for op in graph.ordered()):
        return
    if tables.pairs_problem is not None:
        raise CompileError(
            "C145", tables.pairs_problem, str(tokenizer),
            "use a tokenizer of BERT's template of pairs, or keep this model on the onnxruntime backend",
        )  # fmt: skip
    if graph.max_tokens < SHORTEST_PAIR:
        raise CompileError(
            "C146", f"a limit of {graph.max_tokens} tokens holds no pair, the shortest has {SHORTEST_PAIR}",
            "max_tokens", f"allow {SHORTEST_PAIR} tokens or more",
        )  # fmt: skip


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
