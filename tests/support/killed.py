"""Training that dies at a checkpoint, and what must be the same when it was resumed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


class Killed(BaseException):
    """Stands for kill -9: nothing may catch it."""


def kill_after(monkeypatch: pytest.MonkeyPatch, writes: int) -> None:
    """Die in the middle of writing a checkpoint: after its weights, before the rest."""
    from transformers import Trainer

    original = Trainer._save_optimizer_and_scheduler
    left = [writes]

    def dying(self: Any, folder: str) -> None:
        if left[0] == 0:
            raise Killed
        left[0] -= 1
        original(self, folder)

    monkeypatch.setattr(Trainer, "_save_optimizer_and_scheduler", dying)


def weights(folder: Path) -> dict[str, Any]:
    """Every tensor of a saved classifier, by name."""
    from potstill.models.classifier import load_classifier

    return dict(load_classifier(folder).state_dict())


def same(first: dict[str, Any], second: dict[str, Any]) -> bool:
    """Whether all tensors have the same bits."""
    return first.keys() == second.keys() and all(first[name].equal(second[name]) for name in first)
