"""The recipe's section `[quantize]`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from potstill.recipe.base import LearningRate, Section


class Quantize(Section):
    """How weights are rounded, and whether the student is trained for it."""

    clip: Literal["absmax", "mse"] = Field(
        default="absmax",
        description="Range of an int8 row: its largest value, or where the squared error is least (`mse`). Rows of "
        "int4 are always cut off where their error is least.",
    )
    rounding: Literal["gptq", "nearest"] = Field(
        default="gptq",
        description="How the layers that `compile.scheme` puts into int4 are rounded: on training texts, the error of "
        "a weight made good by its neighbours (`gptq`, about a minute), or each to its `nearest` value.",
    )
    calibration_rows: int = Field(
        default=1024, ge=1, le=1_000_000, description="Training texts that `gptq` looks at, spread evenly."
    )
    qat_epochs: float = Field(
        default=0.0,
        ge=0.0,
        le=1000.0,
        description="Passes over the training data with rounded weights and activations, after distillation, so that "
        "the student learns to bear `compile.scheme`; 0 is off. The best epoch is kept, the start included; "
        "small students in int4 gained between nothing and 2.5 points.",
    )
    qat_learning_rate: LearningRate = Field(
        default=1e-4, description="Peak learning rate of these passes (AdamW, linear decay)."
    )
