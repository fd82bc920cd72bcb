"""How far figures from few test rows can be trusted: 95 % intervals of shares and of their differences."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

LEVEL = 0.95
_Z = 1.959964  # of the normal distribution, two-sided

Interval = tuple[float, float]


def wilson(share: float, rows: int) -> Interval:
    """The interval of a share (0-1) measured on independent rows.

    Wilson: Probable Inference, the Law of Succession, and Statistical Inference, 1927. It stays in 0-1, and holds for
    few rows and for shares near 0 and 1 too.

    Args:
        share: rows right of all.
        rows: at least 1.
    """
    z = _Z * _Z / rows
    middle = (share + z / 2) / (1 + z)
    half = _Z / (1 + z) * math.sqrt(share * (1 - share) / rows + z / (4 * rows))
    return max(0.0, middle - half), min(1.0, middle + half)


def difference(ours: float, theirs: float, rows: int, differing: float) -> Interval:
    """The interval of ``ours - theirs``, two shares of right answers to the same rows.

    Agresti and Min: Simple Improved Confidence Intervals for Comparing Matched Proportions, 2005. What it needs is the
    number of rows that one has right and the other wrong; it is taken as large as the arguments allow, so the interval
    is rather too wide than too narrow.

    Args:
        ours, theirs: shares (0-1) of right answers.
        rows: at least 1.
        differing: share of the rows (0-1) to which the answers differ at most; 1 if that is not known.
    """
    mine, other = round(ours * rows), round(theirs * rows)
    gap = mine - other
    most = min(other, rows - mine) + min(mine, rows - other)
    discordant = max(abs(gap), min(most, math.ceil(differing * rows - 1e-9)))
    wide = rows + 2
    half = _Z * math.sqrt(max(0.0, discordant + 1 - gap * gap / wide)) / wide
    return gap / wide - half, gap / wide + half


def intervals(report: Mapping[str, Any]) -> dict[str, Any]:
    """The intervals of a report's figures; for metrics that are not a share of right rows (F1, cosines) only the rows.

    Returns: ``rows`` of the test set; for accuracies ``level``, and intervals (shares 0-1) of ``teacher``, ``student``,
        ``packed``, of each export in ``accuracy``, of ``retained`` (a ratio), and of what rounding cost (``points``).
    """
    rows = int(report.get("rows", {}).get("test", 0))
    if report.get("metric", "accuracy") != "accuracy" or not rows:
        return {"rows": rows}
    teacher, student, packed = (float(report[name]["test_accuracy"]) for name in ("teacher", "student", "packed"))
    # Answers of the file that differ from the distilled student's, and through it from the teacher's.
    rounded = 1 - float({**report["label_agreement"], **report.get("before_agreement", {})}.get("still", 0.0))
    taught = 1 - float(report["student"].get("agreement", 0.0))
    against = difference(packed, teacher, rows, min(1.0, rounded + taught))
    return {
        "level": LEVEL,
        "rows": rows,
        "teacher": list(wilson(teacher, rows)),
        "student": list(wilson(student, rows)),
        "packed": list(wilson(packed, rows)),
        "accuracy": {name: list(wilson(float(share), rows)) for name, share in report["accuracy"].items()},
        "retained": [max(0.0, 1 + bound / teacher) for bound in against] if teacher else None,
        "points": [100 * bound for bound in difference(packed, student, rows, rounded)],
    }


def retained(student: float, teacher: float, guess: float = 0.0) -> float | None:
    """The share of its teacher's accuracy that a student keeps; None where the teacher is no better than a guess."""
    return student / teacher if teacher > guess else None
