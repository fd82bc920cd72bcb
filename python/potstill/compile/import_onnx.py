"""ONNX -> fused graph: load, specialise, interpret, fuse, find the position table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from potstill.card.notes import noted_number
from potstill.compile.expr import SEQUENCES, TOKENS, Const, Elementwise, Expr, Reduced, Tensor
from potstill.compile.fuse import Fuser
from potstill.compile.ids import Piece, forbidden_ids, sample_ids
from potstill.compile.interpret import interpret, known
from potstill.compile.ir import Graph, Op
from potstill.compile.load import Source, load_onnx
from potstill.compile.ops import Embedding, Linear, Normalize
from potstill.compile.ops.embedding import EmbeddingSum
from potstill.compile.ops.linear import reaches
from potstill.compile.outputs import Chosen, ambiguous, choose_outputs, is_classifier
from potstill.compile.positions import resolve_embedding
from potstill.compile.rewrites import Read, plain
from potstill.compile.sentence import SMALLEST_LENGTH, Followed, check_vector, follow, notes_of
from potstill.compile.specialise import PROBE_LENGTH, Inputs, Specialised, classify_inputs, specialise
from potstill.compile.steady import check_repeatable, check_sizes
from potstill.compile.views import is_plain
from potstill.errors import CompileError
from potstill.models.sentence_folder import SentenceModel


@dataclass(frozen=True)
class Imported:
    """A fused graph and what is needed to compare it with the ONNX it came from.

    `outputs` maps "logits" and "embedding" to ONNX output names, where the ONNX has them; with `pooling` set, the
    named output has one row a token and is still to be pooled, and `normalized` divided by its length. `sentence` is
    the sentence-transformers folder that was followed. `read` has the ONNX before and after it was rewritten.
    """

    graph: Graph
    onnx: Specialised
    read: Read
    outputs: dict[str, str]
    pooling: str | None
    normalized: bool = False
    sentence: SentenceModel | None = None


def import_onnx(
    path: Path,
    *,
    max_tokens: int | None = None,
    output: str | None = None,
    pooling: str | None = None,
    pairs: bool | None = None,
    piece: Piece | None = None,
    sentence: SentenceModel | None = None,
) -> Imported:
    """Read an encoder of the BERT family from any exporter.

    Args:
        path: the `.onnx` file.
        max_tokens: rows of the position table to keep at most; None for all, or what the ONNX says (its property
            `max_tokens`, as potstill's own export writes it).
        output: the one output to take; None to tell by names and shapes.
        pooling: for encoders that end at one row a token: "mean" or "cls".
        pairs: tell the second text of a pair from the first; None for what the ONNX says (property `pairs`).
        piece: of an id that texts contain, its text, else None; left out, no tokenizer is known.
        sentence: the sentence-transformers folder of the model; not followed by a classifier.

    Raises:
        CompileError: what is missing, invalid or unsupported, naming operator and node.
        SystemFailure: onnx or onnxruntime is not installed.
    """
    read = plain(load_onnx(path))
    source = read.source
    inputs = classify_inputs(source)
    limit = least(max_tokens, noted_number(source.notes, "max_tokens") or None)
    _check_fixed_length(inputs, limit, path)
    onnx = _at_one_length(source, inputs)
    followed = follow(None if is_classifier(onnx, output) else sentence, onnx.source.outputs, pooling, output)
    chosen = choose_outputs(onnx, followed.pooling, followed.output)
    forbidden = _check_ids(onnx, chosen, piece)
    found, outputs = _fused(onnx, chosen)
    normalized = _as_followed(found, followed, chosen)
    limit = least(limit, followed.max_tokens)
    pairs = source.notes.get("pairs") is True if pairs is None else pairs
    resolve = partial(resolve_embedding, graph=onnx, limit=limit, pairs=pairs)
    logits, embedding, rows = _with_positions(found.get("logits"), found.get("embedding"), onnx, resolve)
    halved = ["the ONNX is in half precision: its weights are used as they are, in f32 arithmetic"]
    notes = [
        *chosen.notes,
        *(f"the id {i} marks padding and must not occur inside a sequence" for i in forbidden),
        *(halved if source.halved else ()),
        *read.notes,
        *onnx.notes,
        *notes_of(followed.sentence, chosen.pooling),
    ]
    graph = Graph(embedding, logits, rows, tuple(notes), forbidden)
    return Imported(graph, onnx, read, outputs, chosen.pooling, normalized, followed.sentence)


def least(*limits: int | None) -> int | None:
    """The lowest of the limits that there are."""
    return min((limit for limit in limits if limit is not None), default=None)


def _at_one_length(source: Source, inputs: Inputs) -> Specialised:
    length = inputs.fixed_length or PROBE_LENGTH
    return specialise(source, sample_ids(source, inputs.ids, length, seed=0), inputs)


def _check_ids(onnx: Specialised, chosen: Chosen, piece: Piece | None) -> tuple[int, ...]:
    """The ids that a text must not have, of a model that gives one answer to every other text."""
    check_repeatable(onnx, chosen.names())
    check_sizes(onnx, chosen.names())
    return forbidden_ids(onnx, chosen.names(), piece)


def _fused(onnx: Specialised, chosen: Chosen) -> tuple[dict[str, Op], dict[str, str]]:
    """As `_results`; rounded numbers are named as the cause where they are."""
    try:
        return _results(onnx, chosen, interpret(onnx, chosen.names()), Fuser(onnx.length))
    except CompileError as error:
        if onnx.source.halved and error.code == "C010":
            raise CompileError(
                "C103", "an activation is not recognised: its constants are rounded to half precision", error.where,
                "compile from the fp32 ONNX",
            ) from error  # fmt: skip
        raise


def _as_followed(found: dict[str, Op], followed: Followed, chosen: Chosen) -> bool:
    """Normalise vectors that are pooled here, and check those that the ONNX gives whole; whether it normalised."""
    sentence = followed.sentence
    if sentence is not None and chosen.tokens is not None and sentence.normalized:
        found["embedding"] = Normalize("normalize", found["embedding"], SMALLEST_LENGTH)
        return True
    if sentence is not None and followed.whole is not None:
        check_vector(found["embedding"], sentence, followed.whole)
    return False


def _check_fixed_length(inputs: Inputs, limit: int | None, path: Path) -> None:
    """A length fixed by the example of an export would become the limit of the file: only on the user's word."""
    fixed = inputs.fixed_length
    if fixed is None:
        return
    if inputs.mask is None:
        raise CompileError(
            "C101", f"the ONNX is fixed to {fixed} tokens and has no attention mask: it reads no shorter text",
            str(path), "export it with a dynamic length, or with the input attention_mask",
        )  # fmt: skip
    if limit is None or limit > fixed:
        raise CompileError(
            "C101", f"the ONNX is fixed to {fixed} tokens", str(path),
            f"export it with a dynamic length, or take that as the longest text: --max-tokens {fixed}",
        )  # fmt: skip


def unknown_operators(path: Path) -> dict[str, int]:
    """Operators that depend on the text and that the core has no equivalent for, with their number of nodes.

    What only makes constants or shapes is computed when a model is compiled, and is not among them. An operator that is
    missing here may still be refused for the way it is used. Empty for a file that cannot be read that far.
    """
    try:
        source = plain(load_onnx(path)).source
        graph = _at_one_length(source, classify_inputs(source))
    except CompileError:
        return {}
    found = [f"{node.domain}.{node.op}" if node.domain else node.op for node in graph.nodes if not known(node)]
    return {name: found.count(name) for name in found}


def _results(
    graph: Specialised, chosen: Chosen, values: dict[str, Tensor], fuser: Fuser
) -> tuple[dict[str, Op], dict[str, str]]:
    """The operators behind logits and embedding, and the ONNX names of those that the ONNX puts out itself."""
    if chosen.tokens is not None:
        tensor = values[chosen.tokens]
        _expect(graph, chosen.tokens, tensor, TOKENS)
        where, width = f"output '{chosen.tokens}'", tensor.expr.width
        pooled: Expr = Reduced(SEQUENCES, width, where, tensor.expr, "cls" if chosen.pooling == "cls" else "sum")
        if chosen.pooling == "mean":
            share = Const(np.asarray(1.0 / graph.length))
            pooled = Elementwise(SEQUENCES, width, where, "Mul", (pooled, share))
        return {"embedding": fuser.build(pooled)}, {"embedding": chosen.tokens}
    names = {role: name for role, name in (("logits", chosen.logits), ("embedding", chosen.embedding)) if name}
    found: dict[str, Op] = {}
    for name in (*names.values(), *chosen.unnamed):
        _expect(graph, name, values[name], TOKENS if chosen.per_token else SEQUENCES)
        found[name] = fuser.build(values[name].expr)
    rest = list(chosen.unnamed)
    # Names that tell nothing: of two, the one made from the other is the logits; a single one is the logits when a
    # bare linear layer on a pooled vector made it.
    if len(rest) == 2:
        first, second = rest
        later_first = reaches(found[second], found[first])
        if not later_first and not reaches(found[first], found[second]):
            raise ambiguous(graph, rest)
        names = {"embedding": second, "logits": first} if later_first else {"embedding": first, "logits": second}
    elif rest and names:
        role, named = next(iter(names.items()))
        earlier, later = (named, rest[0]) if role == "embedding" else (rest[0], named)
        if not reaches(found[earlier], found[later]):
            raise ambiguous(graph, [named, *rest])
        names["embedding" if role == "logits" else "logits"] = rest[0]
    elif rest:
        head = _is_head(found[rest[0]])
        names["logits" if head else "embedding"] = rest[0]
        made = "logits, because a plain linear layer makes it" if head else "pooled vector, as no linear head makes it"
        graph.notes.append(f"the output {rest[0]!r} is taken as the {made}")
    results = {role: found[name] for role, name in names.items()}
    if "embedding" not in results and not chosen.per_token and _is_head(results["logits"]):
        results["embedding"] = results["logits"].inputs()[0]
    return results, names


def _is_head(op: Op) -> bool:
    return isinstance(op, Linear) and op.activation == "none" and not op.x.per_token


def _expect(graph: Specialised, name: str, tensor: Tensor, rows: str) -> None:
    if tensor.expr.rows != rows or not is_plain(tensor.axes, tensor.expr.width) or tensor.offset:
        raise CompileError(
            "C016", f"the output {name!r} is not a vector for each {'token' if rows == TOKENS else 'text'}",
            str(graph.source.path), "export pooled vectors or logits as they come out of their layer",
        )  # fmt: skip


def _with_positions(
    logits: Op | None, embedding: Op | None, graph: Specialised, resolve: Callable[[EmbeddingSum], Embedding]
) -> tuple[Op | None, Op | None, int]:
    """Replace embedding sums by embeddings with their position table."""
    done: dict[int, Op] = {}

    def rebuilt(root: Op) -> Op:
        stack = [root]
        while stack:
            op = stack[-1]
            missing = [x for x in op.inputs() if id(x) not in done]
            if id(op) in done:
                stack.pop()
            elif missing:
                stack.extend(missing)
            else:
                stack.pop()
                done[id(op)] = resolve(op) if isinstance(op, EmbeddingSum) else op.with_inputs(done)
        return done[id(root)]

    results = [None if op is None else rebuilt(op) for op in (logits, embedding)]
    tables = [op for op in done.values() if isinstance(op, Embedding)]
    rows = {table.position.shape[0] for table in tables}
    if len(rows) != 1:
        raise CompileError(
            "C015", f"{len(tables)} embedding tables for token ids", str(graph.source.path),
            "only one word embedding table is supported",
        )  # fmt: skip
    return results[0], results[1], rows.pop()
