"""Runs on the emulated board, by its Python: one engine, one warm marked call for each length.

``python guest.py JOB`` with JOB a JSON object: source (file of the engine's module), package, path, lengths. Prints a
JSON object: the package's version, a `.still`'s scheme and, by length, the length the engine computed.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import runpy
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

# As in qemu_count.c.
OPEN_WINDOW, CLOSE_WINDOW = 0x57110001, 0x57110000


def marker(which: int, label: int) -> None:
    """A system call that the kernel refuses and the counting plugin sees."""
    with contextlib.suppress(OSError):
        os.getpriority(which, label)


def main(job: dict[str, Any]) -> None:
    """Open the engine, then for each length: two calls to warm up, one between markers."""
    runner = runpy.run_path(job["source"])["open_peer"](Path(job["path"]), 1)
    scheme = ""
    if job["package"] == "potstill":
        from potstill.runtime.backends import open_backend

        scheme = open_backend("native", Path(job["path"]), 1).info["scheme"]
    padded = {}
    gc.disable()
    for tokens in job["lengths"]:
        # Any ids do: the work does not depend on them, and the smallest vocabularies have 65.
        call = runner.prepare([[1 + i * 29 % 64 for i in range(tokens)]])
        call()
        call()
        marker(OPEN_WINDOW, tokens)
        call()
        marker(CLOSE_WINDOW, tokens)
        padded[tokens] = runner.padded(tokens)
    try:
        found = version(job["package"])
    except PackageNotFoundError:
        found = ""
    print(json.dumps({"version": found, "scheme": scheme, "padded": padded}))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
