"""Training of the learned maps of the token-level losses beside the student, and their place in checkpoints.

They are no part of the student, so that neither its files nor the averages and best weights that are kept of it know of
them; what the Trainer does for a model's parameters is done here: gradients are averaged over the processes, cut to the
same norm, and set to zero after a step.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import TrainerCallback

from potstill.errors import os_errors

_FILE = "distil_maps.safetensors"


class StepMaps(TrainerCallback):
    """Does for the maps, at each optimizer step, what the Trainer does for the student."""

    def __init__(self, maps: nn.Module) -> None:
        self.maps = maps

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Forget gradients of an earlier run."""
        self.maps.zero_grad()

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Average the gradients over the processes and cut their norm.

        All of DDP's own exchanges of this step are over by now, so the order of exchanges is the same everywhere.
        """
        parameters = list(self.maps.parameters())
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            for parameter in parameters:
                if parameter.grad is None:
                    parameter.grad = torch.zeros_like(parameter)
                torch.distributed.all_reduce(parameter.grad)
                parameter.grad /= torch.distributed.get_world_size()
        if parameters and args.max_grad_norm and args.max_grad_norm > 0:
            nn.utils.clip_grad_norm_(parameters, args.max_grad_norm)

    def on_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """The Trainer sets the model's gradients to zero; these are ours."""
        self.maps.zero_grad()


def add_to_optimizer(optimizer: torch.optim.Optimizer, maps: nn.Module) -> None:
    """A group of their own, without weight decay: it would pull them from the map that fits to 0."""
    parameters = list(maps.parameters())
    if parameters:
        optimizer.add_param_group({"params": parameters, "weight_decay": 0.0})


def save_maps(maps: nn.Module, folder: Path) -> None:
    """Write the maps into a checkpoint folder; nothing when there are none."""
    weights = {name: weight.detach().cpu().contiguous() for name, weight in maps.state_dict().items()}
    if weights:
        with os_errors(folder):
            save_file(weights, folder / _FILE)


def load_maps(maps: nn.Module, folder: Path) -> None:
    """Take the maps of a checkpoint."""
    if (folder / _FILE).is_file() and len(list(maps.parameters())):
        maps.load_state_dict(load_file(folder / _FILE))
