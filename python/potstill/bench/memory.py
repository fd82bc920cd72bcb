"""Peak memory of a process."""

from __future__ import annotations

from pathlib import Path

from potstill.errors import SystemFailure

_STATUS = Path("/proc/self/status")


def peak_rss_bytes() -> int:
    """High-water mark of this process's resident memory: Linux's VmHWM.

    `ru_maxrss` would still hold the size of the process that forked.

    Raises:
        SystemFailure: the system does not report it.
    """
    unknown = SystemFailure("S061", "the system does not report peak memory", str(_STATUS), "measure on Linux")
    try:
        lines = _STATUS.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError as error:
        raise unknown from error
    for line in lines:
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise unknown
