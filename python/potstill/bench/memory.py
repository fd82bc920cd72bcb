"""Peak memory and load time of an engine with a model, in a fresh process each.

The process is Python, the engine, the model and one answer; nothing else is imported. Peak memory is Linux's VmHWM,
the high-water mark of the address space made by exec: `ru_maxrss` would still hold the size of the process that forked.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from potstill.bench.engine import Peer
from potstill.errors import SystemFailure

_TIME_LIMIT = 300.0
_REPEATS = 3


def measure_memory(peer: Peer, path: Path, *, tokens: int, vocabulary: int, threads: int = 1) -> dict[str, Any]:
    """Start one process for the peer and read its peak memory.

    Args:
        peer: the engine.
        path: its model file, or the model folder for PyTorch.
        tokens: length of the sentence that is run; working memory grows with it.
        vocabulary: number of the model's token ids.
        threads: threads of the engine.

    Returns:
        ``{engine, precision, tokens, peak_rss_bytes, load_ms}``: bytes after the answer; milliseconds from before the
        engine's import until the model was ready.

    Raises:
        SystemFailure: the process failed; the system does not tell peak memory.
    """
    import potstill

    source = str(Path(str(potstill.__file__)).parent.parent)
    paths = [source, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    job = {
        "peer": asdict(peer),
        "path": str(path),
        "threads": threads,
        "tokens": tokens,
        "vocabulary": vocabulary,
    }
    where = peer.name
    try:
        done = subprocess.run(
            [sys.executable, "-m", "potstill.bench.memory", json.dumps(job)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "HF_HUB_OFFLINE": "1"},
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIME_LIMIT,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise SystemFailure(
            "S060", "the measuring process did not end", where, "try again on an idle machine"
        ) from error
    if done.returncode != 0:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        reason = lines[-1][:200] if lines else f"exit code {done.returncode}"
        raise SystemFailure("S060", f"the measuring process failed ({reason})", where, "see the message")
    row: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return row


def peak_rss_bytes() -> int:
    """High-water mark of this process's resident memory.

    Raises:
        SystemFailure: the system does not tell.
    """
    try:
        for line in Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError as error:
        raise SystemFailure(
            "S061", "the system does not tell peak memory", "/proc/self/status", "measure on Linux"
        ) from error
    raise SystemFailure("S061", "the system does not tell peak memory", "/proc/self/status", "measure on Linux")


def _main(argument: str) -> None:
    job = json.loads(argument)
    peer = Peer(**job["peer"])
    start = time.perf_counter()
    runner = peer.open(Path(job["path"]), job["threads"])
    ready = time.perf_counter()
    # The same ids as the timing; its module imports nothing heavy.
    from potstill.bench.rounds import sentence

    call = runner.prepare([sentence(job["tokens"], job["vocabulary"])])
    for _ in range(_REPEATS):
        call()
    row = {
        "engine": peer.engine,
        "precision": peer.precision,
        "tokens": job["tokens"],
        "peak_rss_bytes": peak_rss_bytes(),
        "load_ms": (ready - start) * 1e3,
    }
    print("\n" + json.dumps(row), flush=True)


if __name__ == "__main__":
    _main(sys.argv[1])
