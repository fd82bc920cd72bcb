"""Runs on the emulated board, by its Python: one engine, one warm marked call for each length.

``python guest.py JOB`` with JOB a JSON object: peer (fields of `potstill.bench.peers.Peer`), path, lengths. Prints a
JSON object: the engine's version and, by length, what the engine computed for it.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

# As in qemu_count.c.
OPEN_WINDOW, CLOSE_WINDOW = 0x57110001, 0x57110000
PACKAGES = {"onnxruntime": "onnxruntime", "litert": "ai-edge-litert", "potstill": "potstill"}


def marker(which: int, label: int) -> None:
    """A system call that the kernel refuses and the counting plugin sees."""
    with contextlib.suppress(OSError):
        os.getpriority(which, label)


def main(job: dict[str, object]) -> None:
    """Open the engine, then for each length: two calls to warm up, one between markers."""
    from potstill.bench.measure import sentence
    from potstill.bench.peers import Peer

    peer = Peer(**job["peer"])  # type: ignore[arg-type]
    runner = peer.open(Path(str(job["path"])), 1)
    padded = {}
    gc.disable()
    for tokens in job["lengths"]:  # type: ignore[attr-defined]
        call = runner.prepare(sentence(tokens))
        call()
        call()
        marker(OPEN_WINDOW, tokens)
        call()
        marker(CLOSE_WINDOW, tokens)
        padded[tokens] = runner.padded(tokens)
    try:
        found = version(PACKAGES.get(peer.module, peer.module))
    except PackageNotFoundError:
        found = ""
    print(json.dumps({"version": found, "padded": padded}))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
