"""Which arithmetic training uses: bf16 autocast where the hardware has it, else f32."""

from __future__ import annotations

import contextlib
from typing import Any, Literal

import torch

from potstill.errors import TrainError


def cpu_has_bf16() -> bool:
    """Whether this CPU multiplies bf16 in hardware (AVX512-BF16, AMX-BF16); without it bf16 is slower than f32."""
    try:
        flags = torch.cpu.get_capabilities()
    except AttributeError:  # torch < 2.10
        probes = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
        return any(bool(getattr(torch.cpu, probe, bool)()) for probe in probes)
    return bool(flags.get("avx512_bf16") or flags.get("amx_bf16"))


def use_bf16(precision: str) -> bool:
    """Whether ``precision`` (auto, fp32, bf16) means bf16 autocast here.

    Raises:
        TrainError: unknown precision.
    """
    if precision not in ("auto", "fp32", "bf16"):
        raise TrainError("T012", f"unknown precision {precision!r}", "precision", "use auto, fp32 or bf16")
    if precision != "auto":
        return precision == "bf16"
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported())
    return cpu_has_bf16()


def training_attention() -> Literal["eager", "sdpa"]:
    """Which attention trains fastest here.

    On a CPU the fused kernel's backward pass is slow on short rows: a step of the 4-layer student (32 rows of 27
    tokens, bf16) takes 266 ms of processor time eager and 372 ms fused. On a GPU the fused one is used.
    """
    return "sdpa" if torch.cuda.is_available() else "eager"


def autocast(precision: str, device: str = "cpu") -> contextlib.AbstractContextManager[Any]:
    """A context in which matrix products run in bf16 if `use_bf16`."""
    if use_bf16(precision):
        return torch.autocast(device, dtype=torch.bfloat16)
    return contextlib.nullcontext()
