"""The table of `potstill seeds`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from potstill.pipeline.report.table import section
from potstill.units import show_bytes


def render(result: Mapping[str, Any]) -> str:
    """Mean and spread of every recipe: accuracy on the test set, what is kept, size, what rounding cost."""
    seeds = ", ".join(map(str, result["seeds"]))
    header = [
        "",
        "teacher",
        "student fp32",
        "packed",
        "kept",
        "size",
        "of teacher",
        "rounding cost, points",
        "same label",
        "ONNX int8, same label",
    ]
    rows = []
    for name, recipe in result["recipes"].items():
        if not recipe["builds"]:
            continue
        mean, spread = recipe["mean"], recipe["spread"]

        def share(key: str, mean: Mapping[str, float] = mean, spread: Mapping[str, float] = spread) -> str:
            return f"{100 * mean[key]:.1f} ± {100 * spread[key]:.1f} %" if key in mean else "-"

        cost = f"{mean['packed_cost_points']:+.2f} ± {spread['packed_cost_points']:.2f}"
        onnx = f"{share('onnx_int8')}, {share('onnx_int8_agreement')}" if "onnx_int8" in mean else "-"
        rows.append(
            [
                name, share("teacher"), share("student_fp32"), share("packed"), share("retained"),
                show_bytes(mean["bytes"]), f"1/{1 / mean['bytes_of_teacher']:.1f}", cost, share("packed_agreement"),
                onnx,
            ]
        )  # fmt: skip
    counts = {round(recipe["mean"].get("test_rows", 0)) for recipe in result["recipes"].values() if recipe["builds"]}
    tested = f", each on {' or '.join(f'{count:,}' for count in sorted(counts))} test rows" if all(counts) else ""
    title = f"Test accuracy: mean ± standard deviation over the seeds {seeds}{tested}"
    return "\n".join(section(title, header, rows)[1:])
