"""What comes out: exports, the `.still` file, how its weights are rounded, and what it may cost."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from potstill.recipe.base import LearningRate, Name, Section, Tokens
from potstill.units import parse_bytes


class Export(Section):
    """Which exchange formats are written."""

    onnx: bool = Field(
        default=True,
        description="Write ONNX. The compiler reads it, so it is always made; `false` does not publish it.",
    )
    opset: Literal[13, 18] = Field(default=18, description="ONNX operator set; 13 for old runtimes.")
    tflite: bool = Field(default=True, description="Write TFLite too (needs the extra `tflite`).")
    onnx_static: bool = Field(
        default=False,
        description="Also write `model.static-int8.onnx`, whose activation ranges are fixed on training texts, for "
        "engines that want it; the usual `model.int8.onnx` scales activations while it runs.",
    )


class Compile(Section):
    """How the `.still` file is made."""

    scheme: Literal["int8", "int4", "fp32", "mixed"] = Field(
        default="int8",
        description="Numbers of the weights in the file; `int4` halves it at some cost in accuracy, `mixed` measures "
        "on the validation texts what each layer bears and chooses for each.",
    )
    embedding: Literal["auto", "int8", "int4", "fp32"] = Field(
        default="auto",
        description="Numbers of the word embedding, as a rule most of the file; `auto` is the scheme's (with `mixed` "
        "it is chosen as a layer is).",
    )
    mixed_drop: float | None = Field(
        default=None,
        ge=0.0,
        le=10.0,
        description="With `mixed`: most damage accepted, as `potstill sensitivity` tells it (the sum of the layers' "
        "Kullback-Leibler divergences, in nats); without it and without `mixed_bytes` 0.002.",
    )
    mixed_bytes: int | None = Field(
        default=None,
        ge=1,
        description="With `mixed`, instead of `mixed_drop`: most bytes of the linear layers and the word embedding.",
    )
    max_tokens: Tokens | None = Field(
        default=None, description="Longest text that the file accepts, in tokens; without it `data.max_tokens`."
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Compile:
        given = [name for name in ("mixed_drop", "mixed_bytes") if getattr(self, name) is not None]
        if given and self.scheme != "mixed":
            raise ValueError(f'{given[0]} has no meaning with scheme = "{self.scheme}"; use scheme = "mixed"')
        if len(given) == 2:
            raise ValueError("mixed_drop and mixed_bytes are two ways to set one limit; give one of them")
        return self


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


class BudgetTime(Section):
    """Milliseconds that one text may take."""

    board: Name = Field(description="A board of `boards.toml`, or of your own board file.", examples=["pi4"])
    tokens: Annotated[int, Field(ge=1, le=8192)] = Field(description="Length of the text, in tokens.")
    value: float = Field(gt=0.0, description="Milliseconds, predicted for that board (point estimate).")
    threads: int = Field(default=1, ge=1, le=256, description="Threads the prediction is made for.")


class Budget(Section):
    """What the result may cost. With any of these, the student's size, vocabulary and precision are chosen for you."""

    accuracy_drop: float | None = Field(
        default=None,
        ge=0.0,
        le=100.0,
        description="Points of accuracy that the packed student may lose against its teacher on the validation set. "
        "The cheapest student that holds it is taken; without it, the largest one that the other limits allow.",
    )
    bytes: int | None = Field(
        default=None, gt=0, description='Size of the `.still` file: bytes, or a text such as `"4MB"` (1 MB = 10^6).'
    )
    ms: BudgetTime | None = Field(
        default=None, description='Predicted time of a text: `{ board = "pi4", tokens = 32, value = 5 }`.'
    )

    @field_validator("bytes", mode="before")
    @classmethod
    def _size(cls, value: Any) -> Any:
        return parse_bytes(value) if isinstance(value, str) else value

    @property
    def stated(self) -> bool:
        """Whether there is any limit."""
        return any(limit is not None for limit in (self.accuracy_drop, self.bytes, self.ms))
