"""Whether all engines compute the same: logits of each engine against the fp32 ones."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from potstill.bench.race import Contender

# fp32 engines agree with each other to about 1e-5 of the largest logit; others must at least resemble the fp32 ones.
_FP32_ALLOWED = 1e-2
_OTHERS_ALLOWED = 0.5


def check(everyone: Sequence[Contender]) -> None:
    """Compare all logits seen so far with those of the reference, and drop each engine that computes something else.

    The reference is onnxruntime fp32, else the first fp32 engine there is, else the model itself.
    """
    with_logits = [contender for contender in everyone if contender.logits]
    first = [c for c in with_logits if c.peer.engine == "onnxruntime" and c.peer.precision == "fp32"]
    first += [c for c in with_logits if c.peer.precision == "fp32"] + with_logits[-1:]
    for contender in with_logits:
        found = agreement(contender.logits, first[0].logits)
        contender.facts |= found
        contender.facts["reference"] = first[0].peer.name
        allowed = _FP32_ALLOWED if contender.peer.precision == "fp32" else _OTHERS_ALLOWED
        if not found["relative_difference"] <= allowed and not contender.reason:
            contender.drop(
                f"its logits are not those of {first[0].peer.name}: "
                f"they differ by {found['relative_difference']:.2g} of their size, allowed is {allowed:.2g}"
            )


def agreement(
    found: Mapping[str, Sequence[Sequence[float]]], wanted: Mapping[str, Sequence[Sequence[float]]]
) -> dict[str, float]:
    """How close logits are to others, over the cases both have.

    Returns:
        ``label_agreement`` share of sentences with the same largest logit, ``max_abs_difference``,
        ``relative_difference`` root mean square of the difference over that of the wanted logits (NaN for NaN).
    """
    pairs = [(a, b) for case in found if case in wanted for a, b in zip(found[case], wanted[case], strict=True)]
    same = sum(max(range(len(a)), key=a.__getitem__) == max(range(len(b)), key=b.__getitem__) for a, b in pairs)
    differences = [x - y for a, b in pairs for x, y in zip(a, b, strict=True)]
    size = math.fsum(y * y for _, b in pairs for y in b)
    worst = math.nan if any(map(math.isnan, differences)) else max(map(abs, differences), default=0.0)
    return {
        "label_agreement": same / len(pairs) if pairs else math.nan,
        "max_abs_difference": worst,
        "relative_difference": math.sqrt(math.fsum(d * d for d in differences) / size) if size else worst,
    }
