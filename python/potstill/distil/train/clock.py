"""How long each phase of a run took."""

from __future__ import annotations

import time


class Clock:
    """Seconds of each phase, and their sum under ``total``."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {"total": 0.0}
        self._start = self._last = time.monotonic()

    def lap(self, name: str) -> None:
        now = time.monotonic()
        self.laps[name] = round(now - self._last, 1)
        self.laps["total"] = round(now - self._start, 1)
        self._last = now
