"""Settings for all tests: no network, one thread, a cache of their own. Set before any library is imported."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import fast

pytest_plugins = ["tiny_task"]

# Tests run on shared machines of few cores: one thread each keeps times and float sums the same everywhere.
_ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
}
os.environ.update(_ENVIRONMENT)
# Variables of the developer's shell that would change what the tests see.
for _name in ("POTSTILL_ISA", "POTSTILL_NUM_THREADS"):
    os.environ.pop(_name, None)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--fast`` and ``--builds``."""
    parser.addoption("--fast", action="store_true", help="only what needs no training and no second process")
    parser.addoption("--builds", action="store_true", help="only what is marked `builds`, which other runs leave out")


def pytest_configure(config: pytest.Config) -> None:
    """Register our markers."""
    config.addinivalue_line(
        "markers", "demo: uses the demo teacher or corpora, which pip fetches once into the user's Potstill cache"
    )
    config.addinivalue_line("markers", "builds: whole builds, and longer training: nox -s builds")
    if config.getoption("--fast"):
        config.addinivalue_line("filterwarnings", "ignore::ResourceWarning")  # of what is skipped half-way


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    """Begin to watch what tests do, except in the process that hands them to workers."""
    if session.config.getoption("--fast") and not session.config.getoption("numprocesses", None):
        fast.watch()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Builds first: workers that take them last would leave the others idle. Of `builds` either all or none run."""
    wanted = config.getoption("--builds")
    left_out = [item for item in items if (item.get_closest_marker("builds") is not None) != wanted]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in set(left_out)]
    items.sort(key=lambda item: "e2e" not in item.path.parts)


def pytest_report_collectionfinish(config: pytest.Config) -> str:
    """Say what a run leaves out."""
    return "" if config.getoption("--builds") else "without whole builds and longer training: nox -s builds"


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all workers of a run."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def base(run_folder: Path) -> Path:
    """The folder of what `tiny` makes, once a run."""
    folder = run_folder / "tiny"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(autouse=True)
def _own_cache(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Point POTSTILL_CACHE at a folder of this test run, except in tests marked `demo`, which share the real cache."""
    if request.node.get_closest_marker("demo") is None:
        patch = request.getfixturevalue("monkeypatch")
        patch.setenv("POTSTILL_CACHE", str(_session_cache(tmp_path_factory)))


def _session_cache(factory: pytest.TempPathFactory) -> Path:
    folder = factory.getbasetemp() / "potstill-cache"
    folder.mkdir(exist_ok=True)
    return folder
