"""A stand-in for building a choice."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from potstill.pipeline.budget.attempt import Attempt
from potstill.pipeline.budget.ladder import Choice


@pytest.fixture
def build() -> Callable[..., tuple[Callable[[Choice], Attempt], list[str]]]:
    """Make a stand-in that gives each choice a drop by a rule, and notes what was built."""

    def make(drop: Callable[[Choice], float], heavier: float = 1.0) -> tuple[Callable[[Choice], Attempt], list[str]]:
        built: list[str] = []

        def run(choice: Choice) -> Attempt:
            built.append(choice.name)
            lost = drop(choice)
            size = int(choice.bytes * heavier)
            return Attempt(choice.name, size, choice.ms, 0.88 - lost / 100, 0.87, lost, choice.name)

        return run, built

    return make
