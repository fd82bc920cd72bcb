"""Weights as numpy arrays, and back."""

from __future__ import annotations

import numpy as np
import torch


def numbers(tensor: torch.Tensor) -> np.ndarray:
    """A copy of a tensor in f64."""
    return tensor.detach().double().cpu().numpy()


@torch.no_grad()
def put(tensor: torch.Tensor, values: np.ndarray) -> None:
    """Fill a tensor, in place, rounded to f32."""
    tensor.copy_(torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32)))
