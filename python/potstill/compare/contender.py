"""One line of the comparison while it is being measured."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from potstill.bench.engine import Peer
from potstill.compare.worker import Worker
from potstill.errors import PotstillError


@dataclass
class Contender:
    """An engine, its file and its process.

    Attributes:
        peer: the engine.
        path: the file it loads, once made.
        reason: why it has no figures, or no more; empty while it is in the race.
        facts: what is told of it beside the times.
        logits: of each case's sentences, by the case's name.
        worker: its process, while there is one.
    """

    peer: Peer
    path: Path | None = None
    reason: str = ""
    facts: dict[str, Any] = field(default_factory=dict)
    logits: dict[str, list[list[float]]] = field(default_factory=dict)
    worker: Worker | None = None

    def start(self, threads: int) -> None:
        """Give it a fresh process."""
        self.worker = Worker(self.peer, threads)

    def ask(self, limit: float, when: str = "", **job: Any) -> dict[str, Any] | None:
        """The answer of its process to a request; None when it is out of the race, now or before.

        Args:
            limit: seconds.
            when: said with the reason of a failure.
            job: the request, see `potstill.compare.worker`.
        """
        if self.worker is None:
            return None
        try:
            return self.worker.ask(limit, **job)
        except PotstillError as error:
            self.drop(f"{error.what} ({when})" if when else error.what)
            return None

    def drop(self, reason: str) -> None:
        """Put it out of the race."""
        self.reason = reason
        self.close()

    def close(self) -> None:
        """End its process."""
        if self.worker is not None:
            self.worker.close()
            self.worker = None
