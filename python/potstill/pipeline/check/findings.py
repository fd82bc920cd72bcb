"""What the checks of a recipe found, with the errors that the build would end in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from potstill.doctor import check
from potstill.errors import PotstillError, RecipeError


class Findings(check.Findings):
    """Collects checks and errors."""

    def __init__(self, section: str = "recipe") -> None:
        super().__init__(section)
        self.errors: list[PotstillError] = []

    def refused(self, name: str, error: PotstillError) -> None:
        """The build would end in this error."""
        self.failure(name, f"{error.what} ({error.where})", error.next_step)
        self.errors.append(error)

    @contextmanager
    def refusals(self, name: str) -> Iterator[None]:
        """Errors of ours in the block are failures under this name."""
        try:
            yield
        except PotstillError as error:
            self.refused(name, error)

    def require(self, where: str) -> None:
        """Raise the error, if there is one.

        Args:
            where: names the recipe.

        Raises:
            PotstillError: the error itself; a RecipeError that lists them where there are several.
        """
        if len(self.errors) == 1:
            raise self.errors[0]
        if self.errors:
            listed = "".join(f"\n  {error}" for error in self.errors)
            raise RecipeError(
                "R030", f"the build would fail for {len(self.errors)} reasons", where, f"fix them all:{listed}"
            )
