"""Kinds of students, a file each: the file's name is the recipe's ``student.architecture``.

A file has ``build(settings, teacher_config, labels) -> EncoderClassifier``. It may have ``INITS``, the names of the
initialisations that mean something for it; its own ``initialise(job)`` and ``check(job)``, which then stand for
``init = "pca"``; and ``finish(job)``, which is called after the initialisation.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

NAMES = tuple(file.name for file in pkgutil.iter_modules(__path__))


def kind_named(name: str) -> Any:
    """The module of a kind, one of `NAMES`."""
    return importlib.import_module(f"{__name__}.{name}")
