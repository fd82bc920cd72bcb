"""The recipe's section `[compile]`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from potstill.recipe.base import Section, Tokens


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
