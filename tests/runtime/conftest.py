"""The tiny model that the runtime's tests run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tiny_still import write_model


@pytest.fixture(scope="session")
def still(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier with a tokenizer."""
    return write_model(tmp_path_factory.mktemp("still") / "tiny.still")
