"""What the model of an ONNX is, for its card: labels, heads and scores, as asked for or as the ONNX notes them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from potstill.card import UNITS, Card, heads_of
from potstill.card.notes import noted_labels
from potstill.compile.arguments import Asked
from potstill.compile.ops import Embedding
from potstill.compile.ops.embedding import reads_pairs
from potstill.compile.scores import score_kind
from potstill.errors import CompileError
from potstill.work.contents import file_sha256

if TYPE_CHECKING:
    from potstill.compile.import_onnx import Imported
    from potstill.compile.ir import Graph, Op
    from potstill.compile.tokenizers import Tables

# Written into every file: who made it, and the version of the file format's writer.
PRODUCER = "potstill compile 1"


def check_tokenizer(tables: Tables, graph: Graph, folder: Path | None) -> None:
    """The tokenizer in `folder` is the model's own, and of a model of pairs: it encodes them as the core does, and one
    fits.

    Raises:
        CompileError: it is not.
    """
    for op in graph.ordered():
        if isinstance(op, Embedding) and tables.pieces > op.word.shape[0]:
            raise CompileError(
                "C025", f"the tokenizer has {tables.pieces} pieces, the model only {op.word.shape[0]} embeddings",
                str(folder), "give the tokenizer that the model was trained with",
            )  # fmt: skip
    if not reads_pairs(graph):
        return
    if tables.template.pairs_problem is not None:
        raise CompileError(
            "C145", tables.template.pairs_problem, str(folder),
            "use a tokenizer with a template of pairs, or keep this model on the onnxruntime backend",
        )  # fmt: skip
    shortest = len(tables.template.pair)
    if graph.max_tokens < shortest:
        raise CompileError(
            "C146", f"a limit of {graph.max_tokens} tokens is too short: a pair takes {shortest} or more",
            "max_tokens", f"allow {shortest} tokens or more",
        )  # fmt: skip


def card_of(asked: Asked, imported: Imported) -> tuple[Card, list[str]]:
    """The model's card, and what the user should know of it.

    Raises:
        CompileError: labels that do not fit the logits, or a score that nobody describes.
    """
    graph, noted = imported.graph, imported.onnx.source.notes
    labels = _labels(asked, graph.logits, noted)
    several = noted.get("multi_label") is True if asked.multi_label is None else asked.multi_label
    score, notes = _score(asked, graph.logits, noted, several=several)
    heads = heads_of(
        [] if score and labels == ["LABEL_0"] else labels,
        logits=graph.logits is not None,
        embedding=graph.embedding is not None,
        multi_label=several,
        per_token=graph.logits is not None and graph.logits.per_token,
        units=_units(asked, graph.logits, noted),
        score=score,
    )
    card = Card(
        asked.onnx.stem.encode(errors="replace").decode() if asked.name is None else asked.name,
        heads,
        graph.max_tokens,
        scheme=asked.scheme.name,
        producer=PRODUCER,
        license=asked.license or "",
        provenance={**asked.provenance, "onnx_sha256": file_sha256(asked.onnx)},
        forbidden_ids=graph.forbidden_ids,
    )
    return card, [*graph.notes, *notes]


def _score(asked: Asked, logits: Op | None, noted: Mapping[str, Any], *, several: bool) -> tuple[str, list[str]]:
    """How the model's score is given, and notes; empty for a model of classes."""
    width = 0 if logits is None else logits.width
    if width == 1 and logits is not None and logits.per_token:
        raise CompileError(
            "C140",
            "a model that labels words with one label tells nothing",
            str(asked.onnx),
            "train it with two labels",
        )
    if width != 1 or several:
        if asked.activation is not None:
            what = "of several labels" if several else f"with {width} outputs"
            raise CompileError(
                "C143", f"an activation is for a model with one score, not {what}", asked.activation,
                "leave --activation out",
            )  # fmt: skip
        return "", []
    # Optimum puts the ONNX of a hub's repository into its folder onnx/.
    folder = asked.onnx.parent
    beside = [asked.tokenizer, folder, folder.parent if folder.name == "onnx" else None]
    return score_kind(asked.activation, noted, [path for path in beside if path is not None])


def _units(asked: Asked, logits: Op | None, noted: Mapping[str, Any]) -> str:
    """What a tagger labels of a text: as asked for, else as the ONNX notes it; empty where nobody says."""
    if asked.units is not None and not (logits is not None and logits.per_token):
        raise CompileError(
            "C149", "units are for a model that labels words, with one row of logits a token", asked.units,
            "leave --units out",
        )  # fmt: skip
    found = str(asked.units or noted.get("units") or "")
    return found if found in UNITS else ""


def _labels(asked: Asked, logits: Op | None, noted: Mapping[str, Any]) -> list[str]:
    """Those asked for, else those that the ONNX notes, else LABEL_0, LABEL_1, ..."""
    where = str(asked.onnx)
    if logits is None:
        if asked.labels:
            what = f"{len(asked.labels)} labels for a model without logits"
            raise CompileError("C020", what, where, "leave the labels out")
        return []
    made = [f"LABEL_{i}" for i in range(logits.width)]
    labels = list(noted_labels(noted) or made) if asked.labels is None else asked.labels
    if len(labels) != logits.width:
        what = f"{len(labels)} labels for {logits.width} logits"
        raise CompileError("C020", what, where, f"give {logits.width} labels in the model's order")
    if len(set(labels)) != len(labels):
        raise CompileError("C020", "a label occurs twice", ", ".join(labels), "give each class its own label")
    return labels
