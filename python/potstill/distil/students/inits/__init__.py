"""Where a student's weights start, a file each: the file's name is the recipe's ``student.init``.

A file has ``initialise(job) -> None``. It may have ``check(job)``, which raises what it needs no weights to know.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

NAMES = tuple(file.name for file in pkgutil.iter_modules(__path__))


def init_named(name: str) -> Any:
    """The module of an initialisation, one of `NAMES`."""
    return importlib.import_module(f"{__name__}.{name}")
