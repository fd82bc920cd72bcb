"""What a check found: fine, a warning, a failure that the build would end in, or not looked at."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from potstill.errors import PotstillError, RecipeError

Status = Literal["ok", "warning", "failure", "not checked"]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        name: what was looked at.
        status: how it ended.
        seen: the fact, in one clause.
        next_step: what to do; empty when nothing needs doing.
        error: of a failure, what the build raises.
    """

    name: str
    status: Status
    seen: str
    next_step: str = ""
    error: PotstillError | None = None


class Findings:
    """Collects findings."""

    def __init__(self) -> None:
        self.all: list[Finding] = []

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.all)

    def ok(self, name: str, seen: str) -> None:
        """Nothing to do."""
        self.all.append(Finding(name, "ok", seen))

    def warning(self, name: str, seen: str, next_step: str = "") -> None:
        """It works, but not as well as it could."""
        self.all.append(Finding(name, "warning", seen, next_step))

    def unknown(self, name: str, seen: str) -> None:
        """It could not be looked at; `seen` says why."""
        self.all.append(Finding(name, "not checked", seen))

    def failure(self, name: str, error: PotstillError) -> None:
        """The build would end in this error."""
        self.all.append(Finding(name, "failure", f"{error.what} ({error.where})", error.next_step, error))

    @contextmanager
    def refusals(self, name: str) -> Iterator[None]:
        """Errors of ours in the block are failures under this name."""
        try:
            yield
        except PotstillError as error:
            self.failure(name, error)

    @property
    def failures(self) -> list[PotstillError]:
        """The errors of all failures."""
        return [found.error for found in self.all if found.error is not None]

    def require(self, where: str) -> None:
        """Raise the failure, if there is one.

        Args:
            where: names the recipe.

        Raises:
            PotstillError: the failure itself; of several a RecipeError, which tells each.
        """
        found = self.failures
        if len(found) == 1:
            raise found[0]
        if found:
            listed = "".join(f"\n  {error}" for error in found)
            raise RecipeError(
                "R030", f"the build would fail for {len(found)} reasons", where, f"mend them all:{listed}"
            )
