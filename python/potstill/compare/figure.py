"""A figure of matplotlib, saved as a picture."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from potstill.errors import missing_package
from potstill.work.atomic import atomic_write


@contextmanager
def saved_figure(path: Path, size: tuple[float, float], extra: str, wanted: str) -> Iterator[Any]:
    """Give a `matplotlib.figure.Figure` of `size` inches, and write it to `path` (PNG) when the block ends well.

    Args:
        extra: of Potstill, which installs matplotlib.
        wanted: names what asks for the picture.

    Raises:
        SystemFailure: matplotlib is missing, a file cannot be written.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise missing_package("matplotlib", extra, wanted) from error
    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    yield figure
    with atomic_write(path) as temporary:
        figure.savefig(temporary, dpi=110, format="png")
