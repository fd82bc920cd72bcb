"""Where downloaded and computed things are kept between builds."""

from __future__ import annotations

import os
from pathlib import Path


def cache_dir() -> Path:
    """`POTSTILL_CACHE`, else `XDG_CACHE_HOME/potstill`, else `~/.cache/potstill`. The folder is not made here."""
    own = os.environ.get("POTSTILL_CACHE")
    if own:
        return Path(own).expanduser()
    shared = os.environ.get("XDG_CACHE_HOME")
    # The XDG specification says to ignore a relative path.
    base = Path(shared) if shared and Path(shared).is_absolute() else Path.home() / ".cache"
    return base / "potstill"
