"""Which outputs of the ONNX are the class logits and the pooled vector."""

from __future__ import annotations

from dataclasses import dataclass

from potstill.compile.specialise import Specialised
from potstill.errors import CompileError

POOLINGS = ("mean", "cls")

_LOGITS = ("logit", "score", "class", "label")
_EMBEDDING = ("embed", "pool", "sentence", "feature")
_TOKENS = ("last_hidden_state", "token_embeddings", "hidden")


@dataclass(frozen=True)
class Chosen:
    """Output names by role. `unnamed` are vectors whose names tell nothing; `tokens` is to be pooled by `pooling`.

    With `per_token` the logits have one row a token: the model labels words.
    """

    logits: str | None = None
    embedding: str | None = None
    unnamed: tuple[str, ...] = ()
    tokens: str | None = None
    pooling: str | None = None
    per_token: bool = False


def choose_outputs(graph: Specialised, pooling: str | None) -> Chosen:
    """Pick by shape ([batch, n] or [batch, length, n]) and name.

    Args:
        pooling: None, or how to pool the per-token output of an encoder without head.

    Raises:
        CompileError: C016 there is no pooled output and no pooling was asked for, C017 more vectors than two,
            C019 unknown pooling.
    """
    where = str(graph.source.path)
    if pooling is not None and pooling not in POOLINGS:
        raise CompileError("C019", "unknown pooling", repr(pooling), f"choose one of: {', '.join(POOLINGS)}")
    vectors, rows = [], []
    for name in graph.source.outputs:
        shape = graph.shapes.get(name)
        if shape is not None and len(shape) == 2 and shape[0] == 1:
            vectors.append(name)
        elif shape is not None and len(shape) == 3 and shape[:2] == (1, graph.length):
            rows.append(name)
    if pooling is not None:
        if not rows:
            raise CompileError(
                "C016", "no output with one row a token, which could be pooled", where, "leave the pooling argument out"
            )
        tokens = min(rows, key=lambda name: _rank(name, _TOKENS))
        return Chosen(tokens=tokens, pooling=pooling)
    tagging = [n for n in rows if _rank(n, _LOGITS) < len(_LOGITS)]
    if not vectors and len(tagging) == 1:
        return Chosen(tagging[0], per_token=True)
    if not vectors:
        raise CompileError(
            "C016", f"the model has no pooled output or logits (outputs: {', '.join(graph.source.outputs)})", where,
            "export it with pooling or a classification head, or compile with pooling='mean' or 'cls'",
        )  # fmt: skip
    logits = [n for n in vectors if _rank(n, _LOGITS) < len(_LOGITS)]
    embedding = [n for n in vectors if _rank(n, _EMBEDDING) < len(_EMBEDDING) and n not in logits]
    unnamed = [n for n in vectors if n not in logits and n not in embedding]
    if len(logits) > 1 or len(embedding) > 1 or len(logits) + len(embedding) + len(unnamed) > 2:
        raise CompileError(
            "C017", f"more than one candidate for logits or embedding ({', '.join(vectors)})", where,
            "export with the outputs logits and embedding only",
        )  # fmt: skip
    return Chosen(next(iter(logits), None), next(iter(embedding), None), tuple(unnamed))


def _rank(name: str, words: tuple[str, ...]) -> int:
    """Position of the first of `words` in the name; len(words) when none is."""
    lower = name.lower()
    return next((i for i, word in enumerate(words) if word in lower), len(words))
