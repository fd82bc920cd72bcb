"""What a model can be for, by name. To add a task: a module here with a subclass of `Task`, and a line in the table.

Importing this package imports neither torch nor numpy.
"""

from __future__ import annotations

import importlib
from typing import Any

from potstill.errors import TrainError
from potstill.models.heads.base import Task, Truth

# Modules with a class of this name.
TASKS = {
    "classification": ("potstill.models.heads.classification", "Classification"),
    "multi-label": ("potstill.models.heads.multi_label", "MultiLabel"),
    "embedding": ("potstill.models.heads.embedding", "Embedding"),
    "token-classification": ("potstill.models.heads.token_classification", "TokenClassification"),
}

__all__ = ["TASKS", "Task", "Truth", "task_named", "task_of"]


def task_named(name: str) -> Task:
    """The task called ``name``.

    Raises:
        TrainError: there is none.
    """
    if name not in TASKS:
        raise TrainError("T070", f"unknown task {name!r}", "task", f"use one of {', '.join(TASKS)}")
    module, kind = TASKS[name]
    task: Task = getattr(importlib.import_module(module), kind)()
    return task


def task_of(recipe: Any) -> Task:
    """The task of a recipe; classification when it names none."""
    return task_named(getattr(recipe, "task", "classification"))
