"""The way from a teacher to a smaller student by projection, shared by the inits that only choose what to keep.

All weights are projected on given axes of the hidden states; heads are chosen and shortened, feed-forward neurons
dropped; then, layer by layer and on the student's own states, the output maps are corrected by least squares and every
layer norm's gain and bias are fitted to the teacher's projected states. At the teacher's own sizes the result is the
teacher itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import nn

from potstill.distil.students.basis import gain_and_bias, ridge, shrink_bilinear, shrink_product
from potstill.distil.students.head import fit_head
from potstill.distil.students.job import Job
from potstill.distil.students.shape import Encoder, Layer
from potstill.distil.students.teacher_view import Taps, encoder_of
from potstill.distil.students.weights import numbers, put
from potstill.distil.vocabulary.choice import aligned
from potstill.errors import TrainError
from potstill.runtime.rows import TokenRows

# Rows of text the fits look at, and their tokens: 7,000 of the demo reviews, five for each feed-forward neuron.
SAMPLE_ROWS = 256
SAMPLE_TOKENS = 16384
# Ridge of the corrections, relative to the mean squared activation; they shrink to the projected weights, not to 0.
_RIDGE = 1e-2


@dataclass(frozen=True)
class LayerScores:
    """How much each head ``[heads]`` and each neuron ``[intermediate]`` of a teacher layer matters; larger stays."""

    heads: np.ndarray
    neurons: np.ndarray


class Projection:
    """Teacher and student side by side over the same rows, token by token.

    Args:
        job: the initialisation's job.
        init: its name, for errors.

    Raises:
        TrainError: teacher not of the BERT kind; student wider than the teacher; no sample text.
    """

    def __init__(self, job: Job, init: str) -> None:
        self.job = job
        self.teacher, self.student = narrower(job, init)
        rows = sample_rows(job.rows, init)
        # The student's cut of the text for both: with a pruned vocabulary the teacher's own could be shorter.
        self.theirs = Taps(self.teacher.module, aligned(rows, job.kept))
        self.ours = Taps(self.student.module, rows)

    def states(self) -> dict[str, np.ndarray]:
        """The teacher's hidden states ``[tokens, hidden]``: ``embeddings`` and each layer's number."""
        norms = {"embeddings": self.teacher.embeddings.norm}
        norms |= {str(index): layer.norm for index, layer in enumerate(self.teacher.layers)}
        return self.theirs.collect({}, norms)

    def apply(self, axes: np.ndarray, embedded: np.ndarray, scores: Sequence[LayerScores] | None = None) -> None:
        """Set all of the student's weights.

        Args:
            axes: ``[teacher hidden, student hidden]``, orthonormal columns.
            embedded: the teacher's ``embeddings`` of `states`.
            scores: what heads and neurons to keep, for each teacher layer; by default those whose output is largest.
        """
        self.job.projection = axes
        _project_embeddings(self.teacher, self.student, axes, self.job.kept)
        _fit_norm(self.ours, self.student.embeddings.norm, embedded @ axes)
        layers, chosen = self.teacher.layers, self.job.layers
        ends = [*chosen[:-1], len(layers) - 1]
        for own, index, end in zip(self.student.layers, chosen, ends, strict=True):
            given = None if scores is None else scores[index]
            _set_layer(own, layers[index], layers[end], axes, self.theirs, self.ours, given)
        fit_head(self.job)


def narrower(job: Job, init: str) -> tuple[Encoder, Encoder]:
    """The encoders of teacher and student, of one kind, the student no wider.

    Raises:
        TrainError: as `Projection`.
    """
    teacher, student = encoder_of(job.teacher, init), encoder_of(job.student, init)
    if student.hidden > teacher.hidden:
        theirs = teacher.layers[0].heads
        raise TrainError(
            "T047",
            f"init {init} makes a student narrower, but its hidden {student.hidden} is over the teacher's "
            f"{teacher.hidden}",
            "student.hidden",
            f"use {teacher.hidden} or less, e.g. student.hidden = {teacher.hidden} with student.heads = {theirs}; or "
            'student.init = "random"',
        )
    return teacher, student


def sample_rows(rows: TokenRows, init: str) -> TokenRows:
    """The first rows, up to `SAMPLE_ROWS` and `SAMPLE_TOKENS`.

    Raises:
        TrainError: there is none.
    """
    if not len(rows):
        raise TrainError("T048", f"init {init} needs training text", "data.train", "give a training set with rows")
    fitting = np.searchsorted(np.cumsum(rows.lengths[:SAMPLE_ROWS]), SAMPLE_TOKENS, side="right")
    return rows[: max(1, int(fitting))]


def _project_embeddings(teacher: Encoder, student: Encoder, axes: np.ndarray, kept: np.ndarray | None) -> None:
    for name in ("words", "positions", "types"):
        table = numbers(getattr(teacher.embeddings, name))
        if name == "words" and kept is not None:
            table = table[kept]
        weight = getattr(student.embeddings, name)
        # The student of a teacher for long contexts has fewer positions.
        put(weight, table[: len(weight)] @ axes)


def _set_layer(
    own: Layer, source: Layer, end: Layer, axes: np.ndarray, theirs: Taps, ours: Taps, scores: LayerScores | None
) -> None:
    """One student layer from one teacher layer; everything before it is already set.

    ``end`` is the teacher's layer whose output this layer should give: its own, and for the student's last layer the
    teacher's last, which makes up for the teacher layers left out after it.
    """
    taught = theirs.collect(
        {"down": source.down, "before_attended": source.attention_norm, "before_out": end.norm},
        {
            "query": source.query,
            "key": source.key,
            "value": source.value,
            "attended": source.attention_norm,
            "out": end.norm,
        },
    )
    _set_heads(own, source, axes, taught, scores)
    _fit_block(ours, own.attention_out, own.attention_norm, taught["before_attended"] @ axes, taught["attended"] @ axes)
    _set_neurons(own, source, axes, taught["down"], scores)
    _fit_block(ours, own.down, own.norm, taught["before_out"] @ axes, taught["out"] @ axes)


def _set_heads(
    own: Layer, source: Layer, axes: np.ndarray, taught: dict[str, np.ndarray], scores: LayerScores | None
) -> None:
    """Queries, keys, values and their output map, head by head.

    With fewer heads than the teacher, those of the highest scores are kept, or those whose output is largest. A longer
    head keeps its random rows behind the teacher's, a shorter one is shrunk with the least loss (`shrink_bilinear`,
    `shrink_product`).
    """
    wide, narrow = source.query.out_features // source.heads, own.query.out_features // own.heads
    out = axes.T @ numbers(source.attention_out.weight)
    blocks = [slice(head * wide, (head + 1) * wide) for head in range(source.heads)]
    moments = {name: [_moment(taught[name][:, block]) for block in blocks] for name in ("query", "key", "value")}
    if scores is None:
        sizes = [float(np.trace(out[:, b] @ moments["value"][h] @ out[:, b].T)) for h, b in enumerate(blocks)]
    else:
        sizes = [float(score) for score in scores.heads]
    kept = sorted(sorted(range(source.heads), key=lambda head: -sizes[head])[: own.heads])
    rank = min(wide, narrow)
    # Scores are divided by sqrt(length): a longer or shorter head must undo the difference.
    scale = np.sqrt(np.sqrt(narrow / wide))
    for place, head in enumerate(kept):
        block, target = blocks[head], slice(place * narrow, place * narrow + rank)
        identity = np.eye(wide)
        query, key, value, back = identity, identity, identity, out[:, block]
        if rank < wide:
            query, key = shrink_bilinear(moments["query"][head], moments["key"][head], rank)
            value, back = shrink_product(moments["value"][head], out[:, block], rank)
        for own_map, map_, short, factor in (
            (own.query, source.query, query, scale),
            (own.key, source.key, key, scale),
            (own.value, source.value, value, 1.0),
        ):
            put(own_map.weight[target], factor * (short @ numbers(map_.weight)[block] @ axes))
            put(own_map.bias[target], factor * (short @ numbers(map_.bias)[block]))
        put(own.attention_out.weight[:, target], back)
    put(own.attention_out.bias, axes.T @ numbers(source.attention_out.bias))


def _set_neurons(
    own: Layer, source: Layer, axes: np.ndarray, activations: np.ndarray, scores: LayerScores | None
) -> None:
    """The feed-forward neurons of the highest scores, or that move the output most (variance times output's length)."""
    up, down = numbers(source.up.weight) @ axes, axes.T @ numbers(source.down.weight)
    sizes = activations.var(axis=0) * (down**2).sum(axis=0) if scores is None else scores.neurons
    count = min(own.up.out_features, len(sizes))
    kept = np.sort(np.argsort(-sizes, kind="stable")[:count])
    rest = np.setdiff1d(np.arange(len(sizes)), kept)
    put(own.up.weight[:count], up[kept])
    put(own.up.bias[:count], numbers(source.up.bias)[kept])
    put(own.down.weight[:, :count], down[:, kept])
    # Dropped neurons still give their mean.
    put(own.down.bias, axes.T @ numbers(source.down.bias) + down[:, rest] @ activations[:, rest].mean(axis=0))


def _fit_block(
    ours: Taps, linear: nn.Linear, norm: nn.LayerNorm, before_targets: np.ndarray, targets: np.ndarray
) -> None:
    """Correct an output map so that, on what the student reads, the sum before the norm is the teacher's; fit the norm.

    Args:
        ours: taps on the student.
        linear: the map whose output joins the residual.
        norm: the layer norm after it.
        before_targets: what the norm should read, ``[tokens, hidden]``.
        targets: what it should give.
    """
    seen = ours.collect({"in": linear, "sum": norm}, {})
    missing = before_targets - seen["sum"]
    if np.abs(missing).max() > 1e-4 * np.abs(before_targets).max():
        weight, bias = ridge(seen["in"], missing, _RIDGE)
        put(linear.weight, numbers(linear.weight) + weight)
        put(linear.bias, numbers(linear.bias) + bias)
        seen["sum"] = seen["sum"] + seen["in"] @ weight.T + bias
    _set_norm(norm, seen["sum"], targets)


def _fit_norm(ours: Taps, norm: nn.LayerNorm, targets: np.ndarray) -> None:
    _set_norm(norm, ours.collect({"in": norm}, {})["in"], targets)


def _set_norm(norm: nn.LayerNorm, rows: np.ndarray, targets: np.ndarray) -> None:
    normed = (rows - rows.mean(1, keepdims=True)) / np.sqrt(rows.var(1, keepdims=True) + norm.eps)
    gain, bias = gain_and_bias(normed, targets)
    put(norm.weight, gain)
    put(norm.bias, bias)


def _moment(rows: np.ndarray) -> np.ndarray:
    wide = rows.astype(np.float64)
    return wide.T @ wide / len(wide)
