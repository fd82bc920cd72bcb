"""Initialisation by projection: a narrower, shallower student that starts as the teacher seen through its main axes.

The hidden states of the teacher on training text lie mostly in few directions. All weights are projected on the leading
ones; heads are shortened and feed-forward neurons dropped so that the least is lost on that text; then, layer by layer
and on the student's own states, the output maps are corrected by least squares and every layer norm's gain and bias are
fitted to the teacher's projected states. At the teacher's own sizes the result is the teacher itself.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from potstill.distil.students.basis import gain_and_bias, principal_axes, ridge, shrink_bilinear, shrink_product
from potstill.distil.students.head import fit_head
from potstill.distil.students.registry import Job
from potstill.distil.students.teacher_view import Encoder, Layer, Taps, encoder_of
from potstill.errors import TrainError

# Rows of text the fits look at, and their tokens: 7,000 of the demo reviews, five for each feed-forward neuron.
SAMPLE_ROWS = 256
SAMPLE_TOKENS = 16384
# Ridge of the corrections, relative to the mean squared activation; they shrink to the projected weights, not to 0.
_RIDGE = 1e-2


def initialise(job: Job) -> None:
    """Set the student's weights from the teacher's; records the axes in ``job.projection``.

    Raises:
        TrainError: T042 teacher not of the BERT kind, T047 student wider than the teacher, T048 no sample text.
    """
    teacher, student = encoder_of(job.teacher, "pca"), encoder_of(job.student, "pca")
    if student.hidden > teacher.hidden:
        raise TrainError(
            "T047",
            f"init pca projects down, but the student's hidden {student.hidden} is over the teacher's {teacher.hidden}",
            "student.hidden",
            f"use {teacher.hidden} or less, or init = 'random'",
        )
    sample = _sample(job)
    types = None if job.types is None else job.types[: len(sample)]
    theirs, ours = (Taps(encoder.module, sample, job.pad_id, types) for encoder in (teacher, student))
    norms = {"embeddings": teacher.embeddings.LayerNorm}
    norms |= {str(index): layer.norm for index, layer in enumerate(teacher.layers)}
    states = theirs.collect({}, norms)
    axes = principal_axes(_mean_moment(states), student.hidden)
    job.projection = axes
    _project_embeddings(teacher, student, axes)
    _fit_norm(ours, student.embeddings.LayerNorm, states["embeddings"] @ axes)
    ends = [*job.layers[:-1], len(teacher.layers) - 1]
    for own, index, end in zip(student.layers, job.layers, ends, strict=True):
        _set_layer(own, teacher.layers[index], teacher.layers[end], axes, theirs, ours)
    fit_head(job)


def _sample(job: Job) -> list[np.ndarray]:
    rows: list[np.ndarray] = []
    tokens = 0
    for row in job.ids:
        if len(rows) >= SAMPLE_ROWS or (rows and tokens + len(row) > SAMPLE_TOKENS):
            break
        rows.append(row)
        tokens += len(row)
    if not rows:
        raise TrainError("T048", "init pca needs training text", "data.train", "give a training set with rows")
    return rows


def _mean_moment(states: dict[str, np.ndarray]) -> np.ndarray:
    """Mean over the states of their second moments ``[hidden, hidden]``, each of trace 1: layers count alike."""
    total: np.ndarray | None = None
    for rows in states.values():
        wide = rows.astype(np.float64)
        moment = wide.T @ wide
        moment /= np.trace(moment)
        total = moment if total is None else total + moment
    assert total is not None
    return total / len(states)


def _project_embeddings(teacher: Encoder, student: Encoder, axes: np.ndarray) -> None:
    names = ("word_embeddings", "position_embeddings", "token_type_embeddings")
    for name in names:
        _set(getattr(student.embeddings, name).weight, _array(getattr(teacher.embeddings, name).weight) @ axes)


def _set_layer(own: Layer, source: Layer, end: Layer, axes: np.ndarray, theirs: Taps, ours: Taps) -> None:
    """One student layer from one teacher layer; everything before it is already set.

    ``end`` is the teacher's layer whose output this layer should give: its own, and for the student's last layer the
    teacher's last, so that teacher layers left out after it are made up for.
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
    _set_heads(own, source, axes, taught)
    _fit_block(ours, own.attention_out, own.attention_norm, taught["before_attended"] @ axes, taught["attended"] @ axes)
    _set_neurons(own, source, axes, taught["down"])
    _fit_block(ours, own.down, own.norm, taught["before_out"] @ axes, taught["out"] @ axes)


def _set_heads(own: Layer, source: Layer, axes: np.ndarray, taught: dict[str, np.ndarray]) -> None:
    """Queries, keys, values and their output map, head by head.

    With fewer heads than the teacher, those whose output is largest are kept. A longer head keeps its random rows
    behind the teacher's, a shorter one is shrunk with the least loss (`shrink_bilinear`, `shrink_product`).
    """
    wide, narrow = source.query.out_features // source.heads, own.query.out_features // own.heads
    out = axes.T @ _array(source.attention_out.weight)
    blocks = [slice(head * wide, (head + 1) * wide) for head in range(source.heads)]
    moments = {name: [_moment(taught[name][:, block]) for block in blocks] for name in ("query", "key", "value")}
    sizes = [float(np.trace(out[:, b] @ moments["value"][h] @ out[:, b].T)) for h, b in enumerate(blocks)]
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
            _set(own_map.weight[target], factor * (short @ _array(map_.weight)[block] @ axes))
            _set(own_map.bias[target], factor * (short @ _array(map_.bias)[block]))
        _set(own.attention_out.weight[:, target], back)
    _set(own.attention_out.bias, axes.T @ _array(source.attention_out.bias))


def _set_neurons(own: Layer, source: Layer, axes: np.ndarray, activations: np.ndarray) -> None:
    """The feed-forward neurons that move the output most (their variance times the length of their output)."""
    up, down = _array(source.up.weight) @ axes, axes.T @ _array(source.down.weight)
    sizes = activations.var(axis=0) * (down**2).sum(axis=0)
    count = min(own.up.out_features, len(sizes))
    kept = np.sort(np.argsort(-sizes, kind="stable")[:count])
    rest = np.setdiff1d(np.arange(len(sizes)), kept)
    _set(own.up.weight[:count], up[kept])
    _set(own.up.bias[:count], _array(source.up.bias)[kept])
    _set(own.down.weight[:, :count], down[:, kept])
    # Dropped neurons still give their mean.
    _set(own.down.bias, axes.T @ _array(source.down.bias) + down[:, rest] @ activations[:, rest].mean(axis=0))


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
        _set(linear.weight, _array(linear.weight) + weight)
        _set(linear.bias, _array(linear.bias) + bias)
        seen["sum"] = seen["sum"] + seen["in"] @ weight.T + bias
    _set_norm(norm, seen["sum"], targets)


def _fit_norm(ours: Taps, norm: nn.LayerNorm, targets: np.ndarray) -> None:
    _set_norm(norm, ours.collect({"in": norm}, {})["in"], targets)


def _set_norm(norm: nn.LayerNorm, rows: np.ndarray, targets: np.ndarray) -> None:
    normed = (rows - rows.mean(1, keepdims=True)) / np.sqrt(rows.var(1, keepdims=True) + norm.eps)
    gain, bias = gain_and_bias(normed, targets)
    _set(norm.weight, gain)
    _set(norm.bias, bias)


def _moment(rows: np.ndarray) -> np.ndarray:
    wide = rows.astype(np.float64)
    return wide.T @ wide / len(wide)


def _array(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().float().cpu().numpy().astype(np.float64)


def _set(tensor: torch.Tensor, values: np.ndarray) -> None:
    with torch.no_grad():
        tensor.copy_(torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32)))
