"""What a model can be for: a task a file, found by its name. README.md tells how to add one.

Importing this package imports neither torch nor numpy.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING

from potstill.errors import TrainError
from potstill.models.heads.base import Task, Truth

if TYPE_CHECKING:
    from potstill.recipe.schema import Recipe

# The names of a recipe; each has a file with `TASK`.
TASKS = tuple(file.name.replace("_", "-") for file in pkgutil.iter_modules(__path__) if file.name != "base")

__all__ = ["TASKS", "Task", "Truth", "task_named", "task_of"]


def task_named(name: str) -> Task:
    """The task called ``name``.

    Raises:
        TrainError: there is none.
    """
    if name not in TASKS:
        raise TrainError("T070", f"unknown task {name!r}", "task", f"use one of {', '.join(TASKS)}")
    found: type[Task] = importlib.import_module(f"{__name__}.{name.replace('-', '_')}").TASK
    return found()


def task_of(recipe: Recipe) -> Task:
    """The task of a recipe."""
    return task_named(recipe.task)
