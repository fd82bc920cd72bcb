"""Initialisation by structured pruning: the teacher's most important channels, heads and neurons, as they are.

Importance is first order: what the output would lose, to first order, if a unit were switched off. A unit's switch is a
factor 1 on its activation; the derivative of the output by that factor is the sum over a text's tokens of activation
times gradient, and the unit's score its mean absolute value over texts. This is the head importance of Michel et al.
(2019) and the Taylor criterion of Molchanov et al. (2017), here for heads, feed-forward neurons and hidden channels
alike. The output looked at is the margin between the teacher's two largest logits: the gradient of a fine-tuned
teacher's own loss vanishes on every text it is sure of, and such texts would count for nothing. Where labels do not
exclude each other, it is the sum of the logits' distances from 0, where a label is given or not.

What stays is cut out of the weights; dropped neurons still give their mean, and output maps and layer norms are
corrected as in `projection`. Heads keep their length where ``hidden / heads`` is the teacher's, else they are shortened
as there.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from potstill.distil.students.job import Job
from potstill.distil.students.projection import LayerScores, Projection, narrower
from potstill.distil.students.shape import Encoder


def initialise(job: Job) -> None:
    """Set the student's weights from the teacher's; ``job.projection`` becomes the choice of channels, 0 and 1.

    Raises:
        TrainError: teacher not of the BERT kind; student wider than the teacher; no sample text.
    """
    both = Projection(job, "prune")
    channels, scores = importance(job.teacher, both.teacher, both.theirs.batches)
    kept = np.sort(np.argsort(-channels, kind="stable")[: both.student.hidden])
    axes = np.zeros((both.teacher.hidden, both.student.hidden), dtype=np.float32)
    axes[kept, np.arange(len(kept))] = 1.0
    states = both.theirs.collect({}, {"embeddings": both.teacher.embeddings.norm})
    both.apply(axes, states["embeddings"], scores)


def check(job: Job) -> None:
    """Teacher and student fit (errors as `initialise`)."""
    narrower(job, "prune")


def importance(
    classifier: nn.Module, encoder: Encoder, batches: list[dict[str, torch.Tensor]]
) -> tuple[np.ndarray, list[LayerScores]]:
    """First-order importance over padded batches of a classifier's hidden channels ``[hidden]``, and by layer.

    Channels are scored at every layer norm's output; each such place counts alike (its scores sum to 1), since early
    states are larger and would decide alone.

    Args:
        classifier: gives ``logits``, two or more where one excludes the others; its mode and gradients are put back.
        encoder: the classifier's encoder by role.
        batches: ``input_ids`` and ``attention_mask``, for pairs ``token_type_ids``.
    """
    norms = [encoder.embeddings.norm]
    for layer in encoder.layers:
        norms += [layer.attention_norm, layer.norm]
    places: dict[str, nn.Module] = {f"norm {index}": norm for index, norm in enumerate(norms)}
    # What the output maps read: the heads' results side by side, and the activated neurons.
    reads = {f"heads {index}": layer.attention_out for index, layer in enumerate(encoder.layers)}
    reads |= {f"neurons {index}": layer.down for index, layer in enumerate(encoder.layers)}
    scores: dict[str, np.ndarray] = {}
    rows = 0
    for batch in batches:
        seen = _activations(classifier, places, reads, batch)
        rows += len(batch["input_ids"])
        for name, by_text in seen.items():
            if name.startswith("heads"):
                heads = encoder.layers[0].heads
                by_text = by_text.reshape(len(by_text), heads, -1).sum(axis=2)
            found = np.abs(by_text).sum(axis=0)
            scores[name] = scores.get(name, np.zeros_like(found)) + found
    channels = np.zeros(encoder.hidden)
    for name in places:
        channels += scores[name] / max(float(scores[name].sum()), 1e-30)
    layers = [
        LayerScores(scores[f"heads {index}"] / rows, scores[f"neurons {index}"] / rows)
        for index in range(len(encoder.layers))
    ]
    return channels / len(places), layers


def _activations(
    classifier: nn.Module, places: dict[str, nn.Module], reads: dict[str, nn.Module], batch: dict[str, torch.Tensor]
) -> dict[str, np.ndarray]:
    """Activation times gradient of the margins, summed over each text's tokens: ``[texts, width]`` f64 by name."""
    kept: dict[str, torch.Tensor] = {}

    def hold(name: str, tensor: torch.Tensor) -> None:
        if not tensor.requires_grad:
            tensor.requires_grad_(True)
        tensor.retain_grad()
        kept[name] = tensor

    handles = [
        module.register_forward_hook(lambda _m, _a, result, name=name: hold(name, result))
        for name, module in places.items()
    ]
    handles += [
        module.register_forward_pre_hook(lambda _m, arguments, name=name: hold(name, arguments[0]))
        for name, module in reads.items()
    ]
    training = classifier.training
    wanted = [parameter.requires_grad for parameter in classifier.parameters()]
    classifier.eval().requires_grad_(False)
    try:
        with torch.enable_grad():
            logits = classifier(**batch).logits
            if getattr(classifier.config, "problem_type", None) == "multi_label_classification":
                logits.abs().sum().backward()
            else:
                best = logits.topk(2, dim=-1).values
                margins = best[..., 0] - best[..., 1]
                # A model that labels words has a margin for each token; those of padding say nothing.
                (margins * batch["attention_mask"] if margins.ndim == 2 else margins).sum().backward()
    finally:
        for handle in handles:
            handle.remove()
        classifier.train(training)
        for parameter, needs in zip(classifier.parameters(), wanted, strict=True):
            parameter.requires_grad_(needs)
    mask = batch["attention_mask"].unsqueeze(-1)
    return {
        name: (tensor.detach() * tensor.grad * mask).sum(1).double().cpu().numpy()
        for name, tensor in kept.items()
        if tensor.grad is not None
    }
