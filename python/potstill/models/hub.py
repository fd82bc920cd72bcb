"""Loading from a folder or the hub: one place for its failures and for its chatter."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path

from potstill.errors import PotstillError, TrainError

_QUIET = ("transformers", "huggingface_hub", "accelerate", "datasets", "torch.distributed")


@contextlib.contextmanager
def quiet_loading() -> Iterator[None]:
    """Silence progress bars and notes of the libraries; errors still raise. Levels are put back afterwards."""
    import transformers

    loggers = [logging.getLogger(name) for name in _QUIET]
    levels = [logger.level for logger in loggers]
    bars = transformers.utils.logging.is_progress_bar_enabled()
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    transformers.utils.logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
        if bars:
            transformers.utils.logging.enable_progress_bar()


@contextlib.contextmanager
def model_errors(model: Path | str) -> Iterator[None]:
    """Turn the many ways a model cannot be loaded into `TrainError`.

    Raises:
        TrainError: no such folder or hub model; a folder that holds no loadable model; the hub cannot
            be reached; the hub asks for a login.
    """
    from huggingface_hub import errors as hub

    name = str(model)
    path = Path(name)
    looks_local = path.is_absolute() or name.startswith((".", "~")) or path.exists()
    if looks_local and not path.is_dir():
        raise TrainError("T001", "no such model folder", name, "check teacher.model, or give a hub id (owner/name)")
    if looks_local and not (path / "config.json").is_file():
        raise TrainError(
            "T002",
            "the folder holds no config.json",
            name,
            "give a folder written by save_pretrained (config.json and model.safetensors)",
        )
    try:
        yield
    except PotstillError:
        raise
    except hub.GatedRepoError as error:
        raise TrainError(
            "T005",
            "the hub wants a login for this model",
            name,
            "accept its terms on the hub and log in (hf auth login)",
        ) from error
    except hub.RepositoryNotFoundError as error:
        raise TrainError("T001", "the hub has no such model", name, "check the id (owner/name)") from error
    except (hub.OfflineModeIsEnabled, hub.LocalEntryNotFoundError) as error:
        raise _unreachable(name) from error
    except Exception as error:
        # By name: which HTTP library the hub's client uses (requests, httpx) changes with its version.
        if any(kind.__name__ in ("ConnectionError", "ConnectError", "ConnectTimeout") for kind in type(error).__mro__):
            raise _unreachable(name) from error
        text = str(error)
        if not looks_local and any(hint in text for hint in ("offline", "couldn't connect", "internet connection")):
            raise _unreachable(name) from error
        if not looks_local and "not a valid model identifier" in text:
            raise TrainError("T001", "the hub has no such model", name, "check the id (owner/name)") from error
        reason = _reason(error)
        raise TrainError(
            "T002",
            f"the model cannot be loaded: {reason}",
            name,
            "give a model that reads text, in Hugging Face form",
        ) from error


def _reason(error: Exception) -> str:
    """The libraries' own words, short: the last line of a validation error says what is wrong, else the first."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    if isinstance(error, KeyError):
        return f"transformers has no {lines[0]}"
    return lines[-1] if "Validation" in type(error).__name__ else lines[0]


def _unreachable(name: str) -> TrainError:
    return TrainError(
        "T003",
        "the model is not in the local cache and the hub cannot be reached",
        name,
        "check the network (HF_HUB_OFFLINE, proxy), or give a local folder as teacher.model",
    )


@contextlib.contextmanager
def keep_random_state() -> Iterator[None]:
    """Training seeds the global random states of torch, numpy and Python; they are put back afterwards."""
    import random

    import numpy as np
    import torch

    states = (random.getstate(), np.random.get_state(), torch.random.get_rng_state())
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.random.set_rng_state(states[2])
