"""Parameters of a test that only `nox -s builds` tries."""

from __future__ import annotations

from typing import Any

import pytest


def longer(*values: Any) -> list[Any]:
    """Each of the values, marked `builds`."""
    return [pytest.param(value, marks=pytest.mark.builds) for value in values]
