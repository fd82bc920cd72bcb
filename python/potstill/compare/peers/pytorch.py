"""PyTorch, fp32, eager mode under inference_mode: the model as it was trained."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from potstill.bench.engine import AnyLength
from potstill.errors import missing_package
from potstill.runtime.rows import TokenRows


class TorchRunner(AnyLength):
    """A classifier folder in PyTorch; the thread count is process-wide, so each call sets its own."""

    def __init__(self, path: Path, threads: int) -> None:
        from potstill.export.quiet import quiet

        try:
            with quiet():
                import torch

                from potstill.models.classifier import load_classifier
        except ImportError as error:
            raise missing_package(error.name or "torch", "build", "measuring PyTorch") from error
        self._torch = torch
        self._threads = threads
        with quiet():
            self._model = load_classifier(path)

    def prepare(self, batch: Sequence[Sequence[int]]) -> Callable[[], Any]:
        """See `Runner`; a batch is padded to its longest sentence."""
        torch, model, threads = self._torch, self._model, self._threads
        arrays = {name: torch.from_numpy(array) for name, array in TokenRows(batch).padded().items()}

        def call() -> Any:
            if torch.get_num_threads() != threads:
                torch.set_num_threads(threads)
            with torch.inference_mode():
                return model(**arrays).logits.numpy()

        return call


@contextlib.contextmanager
def threads_kept() -> Iterator[None]:
    """Give PyTorch its number of threads back, which measuring changes: what trains next must not depend on it."""
    import torch

    before = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(before)


def open_peer(path: Path, threads: int) -> TorchRunner:
    """Load a classifier folder.

    Raises:
        SystemFailure: torch or transformers is missing.
    """
    return TorchRunner(path, threads)


def version() -> str:
    """Package and version."""
    from potstill.compare.peers import package_version

    return package_version("torch")
