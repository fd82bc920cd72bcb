"""Which outputs of the ONNX are the class logits and the pooled vector."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace

from potstill.compile.specialise import Specialised
from potstill.errors import CompileError

POOLINGS = ("mean", "cls")

_LOGITS = ("logit", "score", "class", "label")
_EMBEDDING = ("embed", "pool", "sentence", "feature")
_TOKENS = ("last_hidden_state", "token_embeddings", "hidden")


@dataclass(frozen=True)
class Chosen:
    """Output names by role. `unnamed` are vectors whose names tell nothing; `tokens` is to be pooled by `pooling`.

    With `per_token` the logits have one row a token: the model labels words. `notes` say what was left out.
    """

    logits: str | None = None
    embedding: str | None = None
    unnamed: tuple[str, ...] = ()
    tokens: str | None = None
    pooling: str | None = None
    per_token: bool = False
    notes: tuple[str, ...] = ()

    def names(self) -> list[str]:
        """All outputs that are taken."""
        return [name for name in (self.logits, self.embedding, self.tokens, *self.unnamed) if name]


@dataclass(frozen=True)
class _Offered:
    """The outputs of the ONNX by shape: `vectors` [batch, n], `rows` [batch, length, n], `others`."""

    vectors: tuple[str, ...]
    rows: tuple[str, ...]
    others: tuple[str, ...]
    where: str

    def choices(self, names: Sequence[str]) -> str:
        """Next step of an error: the options that take each of the named outputs."""
        return "choose one: " + ", or ".join(f"--output {_options(name, self)}" for name in names)


def choose_outputs(graph: Specialised, pooling: str | None, output: str | None = None) -> Chosen:
    """Pick by shape ([batch, n] or [batch, length, n]) and name.

    Args:
        graph: the specialised graph.
        pooling: None, or how to pool the per-token output of an encoder without head.
        output: None, or the one output to take.

    Raises:
        CompileError: there is no pooled output and no pooling was asked for; several outputs could be meant,
            unknown pooling; no such output.
    """
    if pooling is not None and pooling not in POOLINGS:
        raise CompileError("C019", "unknown pooling", repr(pooling), f"choose one of: {', '.join(POOLINGS)}")
    offered = _offered(graph)
    if output is not None:
        chosen = _named(offered, graph.source.outputs, output, pooling)
    elif pooling is not None:
        chosen = _pooled(offered, pooling)
    else:
        chosen = _guessed(offered)
    return _with_notes(chosen, offered)


def ambiguous(graph: Specialised, names: Sequence[str]) -> CompileError:
    """Several outputs could be what the model is for; only the user knows."""
    return _ambiguous(_offered(graph), names)


def is_classifier(graph: Specialised, output: str | None) -> bool:
    """Whether the outputs that may be taken, all or the one asked for, are logits by their names."""
    return any(_is_logits(name) for name in (graph.source.outputs if output is None else (output,)))


def _offered(graph: Specialised) -> _Offered:
    vectors, rows, others = [], [], []
    for name in graph.source.outputs:
        shape = graph.shapes.get(name)
        if shape is not None and len(shape) == 2 and shape[0] == 1:
            vectors.append(name)
        elif shape is not None and len(shape) == 3 and shape[:2] == (1, graph.length):
            rows.append(name)
        else:
            others.append(name)
    return _Offered(tuple(vectors), tuple(rows), tuple(others), str(graph.source.path))


def _named(offered: _Offered, known: Sequence[str], output: str, pooling: str | None) -> Chosen:
    """The output that the user asked for."""
    if output not in known:
        raise CompileError(
            "C100", f"the ONNX has no output {output!r}", offered.where, f"its outputs are: {', '.join(known)}"
        )
    if output in offered.vectors:
        if pooling is not None:
            raise CompileError(
                "C016", f"the output {output!r} is one vector a text and needs no pooling", offered.where,
                "leave --pooling out",
            )  # fmt: skip
        return _vectors((output,))
    if output not in offered.rows:
        raise CompileError(
            "C016", f"the output {output!r} is not a vector for each text or token", offered.where,
            f"choose another of its outputs: {', '.join(known)}",
        )  # fmt: skip
    if pooling is not None:
        return Chosen(tokens=output, pooling=pooling)
    if _is_hidden(output):
        raise _unpooled(offered, (output,))
    return Chosen(output, per_token=True)


def _pooled(offered: _Offered, pooling: str) -> Chosen:
    """The output with one row a token, to be pooled."""
    if not offered.rows:
        raise CompileError(
            "C016", "no output with one row a token, which could be pooled", offered.where, "leave --pooling out"
        )
    best = min(_rank(name, _TOKENS) for name in offered.rows)
    candidates = [name for name in offered.rows if _rank(name, _TOKENS) == best]
    if len(candidates) > 1:
        raise _ambiguous(offered, candidates)
    return Chosen(tokens=candidates[0], pooling=pooling)


def _guessed(offered: _Offered) -> Chosen:
    """By names and shapes alone; what these leave open is refused."""
    taggers = [name for name in offered.rows if _is_logits(name)]
    if len(taggers) == 1 and not offered.vectors:
        return Chosen(taggers[0], per_token=True)
    if taggers:
        raise _ambiguous(offered, [*offered.vectors, *taggers])
    if not offered.vectors:
        raise _unpooled(offered, offered.rows)
    return _vectors(offered.vectors, offered)


def _vectors(names: tuple[str, ...], offered: _Offered | None = None) -> Chosen:
    logits = [name for name in names if _is_logits(name)]
    embedding = [name for name in names if _rank(name, _EMBEDDING) < len(_EMBEDDING) and name not in logits]
    unnamed = [name for name in names if name not in logits and name not in embedding]
    if offered is not None and (len(logits) > 1 or len(embedding) > 1 or len(names) > 2):
        raise _ambiguous(offered, names)
    return Chosen(next(iter(logits), None), next(iter(embedding), None), tuple(unnamed))


def _with_notes(chosen: Chosen, offered: _Offered) -> Chosen:
    """Say which outputs were left out, and how to take them instead."""
    taken = chosen.names()
    rest = [name for name in (*offered.vectors, *offered.rows) if name not in taken]
    lost = [name for name in offered.others if name not in taken]
    if not rest and not lost:
        return chosen
    note = f"taken: the output {' and '.join(map(repr, taken))}; left out: {', '.join(map(repr, (*rest, *lost)))}"
    if rest:
        note += f" (to take another: {' or '.join(f'--output {_options(name, offered)}' for name in rest)})"
    return replace(chosen, notes=(note,))


def _ambiguous(offered: _Offered, names: Sequence[str]) -> CompileError:
    what = f"more than one output could be what the model is for ({', '.join(names)})"
    return CompileError("C017", what, offered.where, offered.choices(names))


def _unpooled(offered: _Offered, rows: Sequence[str]) -> CompileError:
    """One row a token, or nothing that can be used at all."""
    outputs = ", ".join((*offered.vectors, *offered.rows, *offered.others))
    what = f"the model has no pooled output or logits (outputs: {outputs})"
    if not rows:
        step = "export it with an output [batch, n] (a pooled vector or logits) or [batch, length, n] (one row a token)"
    elif len(rows) > 1:
        step = offered.choices(rows)
    elif _is_hidden(rows[0]):
        step = "add --pooling mean or --pooling cls, as the model was trained"
    else:
        step = f"add --pooling mean or --pooling cls, or --output {rows[0]} if its rows are logits of words"
    return CompileError("C016", what, offered.where, step)


def _options(name: str, offered: _Offered) -> str:
    """What follows `--output` for this output."""
    quoted = shlex.quote(name)
    return f"{quoted} --pooling mean (or cls)" if name in offered.rows and not _is_logits(name) else quoted


def _is_logits(name: str) -> bool:
    return _rank(name, _LOGITS) < len(_LOGITS)


def _is_hidden(name: str) -> bool:
    return _rank(name, _TOKENS) < len(_TOKENS)


def _rank(name: str, words: tuple[str, ...]) -> int:
    """Position of the first of `words` in the name; len(words) when none is."""
    lower = name.lower()
    return next((i for i, word in enumerate(words) if word in lower), len(words))
