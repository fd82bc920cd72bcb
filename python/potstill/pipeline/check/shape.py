"""What `potstill doctor` reads besides .still files: the shape of an ONNX encoder, or of a recipe's student."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from potstill.doctor.check import Findings
from potstill.errors import PotstillError, missing_module
from potstill.pipeline.check.recipe_shape import shape_of_recipe

if TYPE_CHECKING:
    from potstill.bench.predict import CostModel


def read_shape(findings: Findings, subject: str) -> CostModel | None:
    """The shape of what will run; None where it is unknown, with the reason among the findings.

    Raises:
        RecipeError: the recipe is wrong.
    """
    path = Path(subject)
    return _onnx(findings, path) if path.suffix == ".onnx" else shape_of_recipe(findings, subject)


def _onnx(findings: Findings, path: Path) -> CostModel | None:
    try:
        from potstill.compile.import_onnx import unknown_operators
        from potstill.pipeline.check.onnx_shape import model_of_onnx
    except ImportError as error:
        lacking = missing_module(error, "build", str(path))
        findings.unknown("operators", f"{lacking.what}: {lacking.next_step}")
        return None
    try:
        model = model_of_onnx(path)
    except PotstillError as error:
        findings.failure("operators", f"{error.what} ({error.where}, {error.code})", error.next_step)
        if len(others := unknown_operators(path)) > 1:  # the first alone is what the line above says
            listed = ", ".join(f"{name} (x{count})" for name, count in sorted(others.items()))
            findings.failure("all operators", f"the core has no equivalent for {listed}", error.next_step)
        return None
    findings.ok("operators", "the compiler reads every node, the core runs every operator")
    return model
