"""Families of encoders whose layers compute what BERT's do, a file each.

A file has `TYPES`, the model types of transformers that are such; ``layers(module)`` and ``embeddings(module)``, the
parts of the encoder by role; and may have ``fits(config)`` for types of which some models are another thing.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

_FAMILIES = tuple(importlib.import_module(f"{__name__}.{file.name}") for file in pkgutil.iter_modules(__path__))
TYPES = tuple(sorted(kind for family in _FAMILIES for kind in family.TYPES))


def family_of(config: Any) -> Any | None:
    """The module of an encoder's family; None where its layers are others than BERT's."""
    for family in _FAMILIES:
        if config.model_type in family.TYPES and getattr(family, "fits", lambda _: True)(config):
            return family
    return None
