"""Checkpoints that survive `kill -9`, the best model so far, and early stopping.

The Trainer writes a checkpoint file by file, so a kill can leave half of one. A checkpoint counts only once its marker
is there, which is written last and holds the history of evaluations up to it.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import TrainerCallback

from potstill.distil.train.arguments import Schedule
from potstill.distil.train.averaging import WeightAverage
from potstill.errors import os_errors
from potstill.work.atomic import atomic_write
from potstill.work.processes import current

MARKER = "complete.json"
_BEST = "best.safetensors"
_SETTINGS = "settings.json"


def write_json(path: Path, value: Any) -> None:
    """Write JSON atomically."""
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(value, indent=1, sort_keys=True), encoding="utf-8")


def prepare_work(work: Path, settings: dict[str, Any]) -> None:
    """Make the work folder ready; what a run of other settings left there is removed."""
    with os_errors(work):
        work.mkdir(parents=True, exist_ok=True)
        recorded = work / _SETTINGS
        text = json.dumps(settings, indent=1, sort_keys=True)
        if recorded.is_file() and recorded.read_text(encoding="utf-8") == text:
            return
        # The settings go first: should this be cut short, what is left is seen to be of unknown settings.
        recorded.unlink(missing_ok=True)
        for path in work.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
    write_json(recorded, settings)


def latest_checkpoint(work: Path) -> Path | None:
    """The newest complete checkpoint; incomplete ones, left by a kill, are removed."""
    found: list[tuple[int, Path]] = []
    for path in work.glob("checkpoint-*"):
        step = path.name.rpartition("-")[2]
        if step.isdigit() and (path / MARKER).is_file():
            found.append((int(step), path))
        else:
            shutil.rmtree(path, ignore_errors=True)
    return max(found)[1] if found else None


class KeepBest(TrainerCallback):
    """Evaluates after each epoch, keeps the best weights, stops early, and decides when checkpoints are written.

    The average of the weights (`WeightAverage`) is evaluated and kept instead of the weights themselves.

    Args:
        measure: gives the accuracy (0-1) of a model; must use no random numbers, or resuming would change the run.
        work: folder of the checkpoints and of the best weights.
        schedule: steps between checkpoints inside an epoch (one is always written after each epoch), and patience.
        announce: called after each evaluation with epoch (from 1), value, and whether it is the best.
        start: evaluate the weights before the first step too, as epoch 0, so that training never ends with worse ones.
    """

    def __init__(
        self,
        measure: Callable[[nn.Module], float],
        work: Path,
        schedule: Schedule,
        announce: Callable[[int, float, bool], None],
        start: bool = False,
    ) -> None:
        self.measure, self.work, self.schedule, self.announce, self.start = measure, work, schedule, announce, start
        self.average = WeightAverage()
        self._checkpoint: Path | None = None
        self.history: list[dict[str, Any]] = []

    @property
    def best(self) -> dict[str, Any] | None:
        """The first of the best evaluations: ``{"epoch", "step", "accuracy", "loss"}``."""
        return max(self.history, key=lambda entry: entry["accuracy"], default=None)

    def resume(self, checkpoint: Path | None) -> None:
        """Take over the history that a checkpoint recorded."""
        self.history = []
        self._checkpoint = checkpoint
        if checkpoint is not None:
            self.history = json.loads((checkpoint / MARKER).read_text(encoding="utf-8"))["history"]

    def _steps_in_epoch(self, args: Any, state: Any) -> int:
        """Steps of a whole epoch; of a run shorter than one, all of it. max_steps is the epochs' number rounded up."""
        epochs = max(1.0, float(args.num_train_epochs))
        return max(1, math.ceil(state.max_steps / epochs) if epochs.is_integer() else int(state.max_steps / epochs))

    def _evaluate(self, state: Any, model: nn.Module, epoch: int) -> None:
        with self.average.in_place(model):
            self._evaluate_weights(state, model, epoch)

    def _evaluate_weights(self, state: Any, model: nn.Module, epoch: int) -> None:
        # One process decides, the others hear it: all keep the same best and stop at the same epoch.
        value = current().broadcast(lambda: self.measure(model))
        before = self.best
        loss = next((entry["loss"] for entry in reversed(state.log_history) if "loss" in entry), None)
        self.history.append({"epoch": epoch, "step": state.global_step, "accuracy": value, "loss": loss})
        is_best = before is None or value > before["accuracy"]
        if is_best and state.is_world_process_zero:
            weights = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in model.state_dict().items()}
            with atomic_write(self.work / _BEST) as temporary:
                save_file(weights, temporary)
        self.announce(epoch, value, is_best)

    def _stop_if_stale(self, control: Any) -> None:
        best, patience = self.best, self.schedule.patience
        if patience is not None and best is not None and self.history[-1]["epoch"] - best["epoch"] >= patience:
            control.should_training_stop = True

    def on_train_begin(self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any) -> None:
        """After a resume: make up for an evaluation lost by a kill between the last step and it."""
        if self._checkpoint is not None:
            self.average.load(self._checkpoint, model)
        else:
            self.average.start(model)
        if self.start and not self.history and state.global_step == 0:
            self._evaluate(state, model, 0)
        steps = self._steps_in_epoch(args, state)
        epochs = math.ceil(state.global_step / steps)
        ended = state.global_step % steps == 0 or state.global_step == state.max_steps
        if state.global_step and ended and len(self.history) - self.start < epochs:
            self._evaluate(state, model, epochs)
        if self.history:
            self._stop_if_stale(control)

    def on_step_end(self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any) -> None:
        """Average; ask for a checkpoint every ``save_steps`` steps; the end of an epoch has its own."""
        self.average.update(model, state.global_step)
        if state.global_step % self.schedule.save_steps == 0 and state.global_step % self._steps_in_epoch(args, state):
            control.should_save = True

    def on_epoch_end(self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any) -> None:
        """Evaluate, keep the best, stop when stale, and save."""
        self._evaluate(state, model, math.ceil((state.epoch or 0) - 1e-6))
        self._stop_if_stale(control)
        control.should_save = True

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Mark the checkpoint just written as complete."""
        # Each process has written its random state into it.
        current().barrier()
        if state.is_world_process_zero:
            folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
            self.average.save(folder)
            write_json(folder / MARKER, {"history": self.history, "torch": torch.__version__})

    def restore_best(self, model: nn.Module) -> None:
        """Put the best weights into the model, if any were kept."""
        current().barrier()
        path = self.work / _BEST
        if path.is_file() and self.history:
            model.load_state_dict(load_file(path))
