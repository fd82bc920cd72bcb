"""These tests run on a board, emulated or real: ``nox -s emulate``. Elsewhere they are skipped with that reason."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

_NEEDED = ("POTSTILL_BOARD", "POTSTILL_MODEL", "POTSTILL_EXPECTED", "POTSTILL_TOKENS")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs a board where there is none."""
    if all(os.environ.get(name) for name in _NEEDED):
        return
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.skip(reason="runs on an emulated board only: nox -s emulate"))


@pytest.fixture(scope="session")
def model_path() -> Path:
    """The .still file under test."""
    return Path(os.environ["POTSTILL_MODEL"])


@pytest.fixture(scope="session")
def expected() -> dict[str, Any]:
    """What the host computed: emulated.json as toolchains/emulate/same_bits.py writes it."""
    content: dict[str, Any] = json.loads(Path(os.environ["POTSTILL_EXPECTED"]).read_text(encoding="utf-8"))
    return content
