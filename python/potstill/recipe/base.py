"""What all sections of a recipe have in common: their base class and the types of keys."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Name = Annotated[str, Field(min_length=1)]
LearningRate = Annotated[float, Field(gt=0.0, lt=1.0)]
# Longest position table among the encoders we know of is 8,192; a typing error is far more likely above it.
Tokens = Annotated[int, Field(ge=4, le=8192)]
Weight = Annotated[float, Field(ge=0.0, le=100.0)]
Precision = Literal["auto", "fp32", "bf16"]
Pooling = Literal["mean", "cls"]
# Each has a file in potstill/models/heads.
Task = Literal["classification", "multi-label", "embedding", "token-classification"]


class Section(BaseModel):
    """Base of all sections: unknown keys are errors, and a number is never taken from a text."""

    # A recipe is fixed once it is read: stage keys are hashes of it.
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    # Folder of the recipe file; relative paths are looked up there first. Not part of the recipe's content.
    _base: Path | None = PrivateAttr(default=None)

    @property
    def base(self) -> Path | None:
        """Folder of the recipe file, or None for a bundled recipe."""
        return self._base


def resolve(name: str, base: Path | None) -> Path:
    """A path written in a recipe: taken from the recipe's folder, else from the current one."""
    path = Path(name).expanduser()
    if base is not None and not path.is_absolute() and (base / path).exists():
        return base / path
    return path
