"""Which of our two wheels this is."""

from __future__ import annotations

from importlib.util import find_spec


def builds_models() -> bool:
    """Whether this wheel also makes models; a board's only runs them."""
    return find_spec("potstill.pipeline") is not None
