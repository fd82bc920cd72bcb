"""A search's result as a table and as a picture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from potstill.compare.figure import saved_figure
from potstill.pipeline.report.table import section
from potstill.units import show_bytes


def render(result: Mapping[str, Any]) -> str:
    """The table for a terminal: a row a student, `*` for those that no other beats."""
    teacher = result["teacher"]
    columns = ["", "", "size", f"ms, {result['board']}", "validation", "drop", "test", "kept on test"]
    rows = [
        [
            "teacher", "", show_bytes(teacher["bytes"]), "", _percent(teacher["validation_accuracy"]), "",
            _percent(teacher["test_accuracy"]), "",
        ]
    ]  # fmt: skip
    for point in sorted(result["points"], key=lambda point: (point["ms"], point["bytes"])):
        kept = point["test_accuracy"] / teacher["test_accuracy"] if teacher["test_accuracy"] else 0.0
        rows.append(
            [
                point["name"], "*" if point["pareto"] else "", show_bytes(point["bytes"]), f"{point['ms']:.2f}",
                _percent(point["validation_accuracy"]), f"{point['drop']:.1f}", _percent(point["test_accuracy"]),
                _percent(kept),
            ]
        )  # fmt: skip
    title = f"{result['recipe']}: students by predicted time of {result['tokens']} tokens on {result['board']}"
    note = "*: no other student is as accurate on validation, as small and as fast"
    return "\n".join([*section(title, columns, rows)[1:], note])


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def write_png(result: Mapping[str, Any], path: Path) -> Path:
    """Accuracy against predicted milliseconds and against bytes, the teacher as a line; filled marks are the front.

    Raises:
        SystemFailure: matplotlib is missing, a file cannot be written.
    """
    with saved_figure(path, (13, 5.5), "build", "potstill search") as figure:
        axes = figure.subplots(1, 2, sharey=True)
        board = f"{result['board']}, {result['tokens']} tokens, {result['threads']} thread(s)"
        for axis, key, scale, label in (
            (axes[0], "ms", 1.0, f"predicted ms on {board}"),
            (axes[1], "bytes", 1e-6, ".still file, MB"),
        ):
            front = sorted(
                (float(p[key]) * scale, 100 * p["validation_accuracy"]) for p in result["points"] if p["pareto"]
            )
            axis.plot([x for x, _ in front], [y for _, y in front], color="black", linewidth=0.8, alpha=0.5)
            for point in result["points"]:
                x, y = float(point[key]) * scale, 100 * point["validation_accuracy"]
                axis.plot(x, y, "o", color="black", fillstyle="full" if point["pareto"] else "none")
                axis.annotate(point["name"], (x, y), xytext=(4, 4), textcoords="offset points", fontsize=7)
            axis.axhline(100 * result["teacher"]["validation_accuracy"], linestyle="--", color="C0", label="teacher")
            axis.set_xscale("log")
            axis.set_xlabel(label)
            axis.grid(True, which="both", alpha=0.25)
        axes[0].set_ylabel("accuracy of the packed student on validation, %")
        axes[0].legend()
        figure.suptitle(f"{result['recipe']}: accuracy against time and size; filled: no other student beats it")
    return path
