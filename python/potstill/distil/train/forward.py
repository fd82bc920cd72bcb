"""Passes the Trainer's steps and loss on to a `potstill.work.progress` task."""

from __future__ import annotations

import math
import time
from typing import Any

from transformers import TrainerCallback

from potstill.work.progress import Task


class ForwardProgress(TrainerCallback):
    """Reports step, epoch and loss to a task, four times a second at most; the task works out the time left."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.loss: float | None = None
        self._last = 0.0

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Report the total, and where a resumed run goes on."""
        self.task.update(state.global_step, total=state.max_steps)

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **kwargs: Any) -> None:
        """Keep the last training loss."""
        if logs and "loss" in logs:
            self.loss = float(logs["loss"])

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Report the step."""
        now = time.monotonic()
        if now - self._last < 0.25 and state.global_step < state.max_steps:
            return
        self._last = now
        epochs = math.ceil(args.num_train_epochs)
        note = f"epoch {min(int((state.epoch or 0) - 1e-6) + 1, epochs)} of {epochs}"
        if self.loss is not None:
            note += f", loss {self.loss:.3f}"
        self.task.update(state.global_step, note)
