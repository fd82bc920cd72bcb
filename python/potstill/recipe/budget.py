"""The recipe's section `[budget]`."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, field_validator

from potstill.recipe.base import Name, Section
from potstill.units import parse_bytes


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
