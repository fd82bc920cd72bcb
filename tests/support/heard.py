"""A progress that keeps its messages."""

from __future__ import annotations

from potstill.work.progress import QuietProgress


class Heard(QuietProgress):
    """Keeps the messages."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def message(self, text: str) -> None:
        self.messages.append(text)
