"""Small things every exporter needs: silence, and the name this program signs its files with."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator


@contextlib.contextmanager
def quiet() -> Iterator[io.StringIO]:
    """Catch Python-level output, warnings and log records up to WARNING; yields the buffer holding the output."""
    before = logging.root.manager.disable
    heard = io.StringIO()
    logging.disable(max(before, logging.WARNING))
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(heard), contextlib.redirect_stderr(heard):
            warnings.simplefilter("ignore")
            yield heard
    finally:
        logging.disable(before)


def producer() -> str:
    """Program and version written into every exported file."""
    import potstill

    return f"potstill {potstill.__version__}"
