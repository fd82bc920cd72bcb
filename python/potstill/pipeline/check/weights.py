"""The teacher's weights as the heads of their files describe them: whole, and as large as its configuration says.

Reading these takes milliseconds. A copy that stopped half-way would else be found by the stage that loads it.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

from potstill.errors import TrainError

_LFS = b"version https://git-lfs"
_INDEX = "model.safetensors.index.json"


def check_weights(folder: Path, encoder: Any) -> None:
    """Refuse weights that transformers could not load into this encoder.

    Args:
        folder: with `model.safetensors`, its parts, or `pytorch_model.bin`; other forms are left to transformers.
        encoder: the model, on any device.

    Raises:
        TrainError: a file is missing, cut short or damaged, or has a tensor of another shape.
    """
    wanted = {}
    for name, tensor in encoder.state_dict().items():
        wanted[name] = wanted[f"{encoder.base_model_prefix}.{name}"] = list(tensor.shape)
    for path in _files(folder):
        for name, shape in _shapes(path).items():
            if wanted.get(name, shape) != shape:
                what = f"{name} is {_sizes(shape)}, config.json asks for {_sizes(wanted[name])}"
                raise TrainError("T002", what, str(path), "use the config.json that was saved with these weights")


def _files(folder: Path) -> list[Path]:
    """The files that transformers would load, in its order of preference."""
    whole, index, pickled = (folder / name for name in ("model.safetensors", _INDEX, "pytorch_model.bin"))
    if whole.is_file():
        return [whole]
    if index.is_file():
        try:
            parts = sorted({str(name) for name in json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()})
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise TrainError("T002", "the list of the weights' parts cannot be read", str(index), _AGAIN) from error
        return [folder / name for name in parts]
    return [pickled] if pickled.is_file() else []


_AGAIN = "copy or fetch the file again"


def _shapes(path: Path) -> dict[str, list[int]]:
    """Shapes by name; of a pickled file nothing but that it is whole."""
    from safetensors import SafetensorError, safe_open

    try:
        with path.open("rb") as file:
            start = file.read(len(_LFS))
        if start == _LFS:
            raise TrainError("T002", "it points to the weights in Git LFS, and is not them", str(path), "git lfs pull")
        if path.suffix != ".safetensors":
            if not start or (start.startswith(b"PK") and not zipfile.is_zipfile(path)):
                raise TrainError("T002", "the weights are cut short", str(path), _AGAIN)
            return {}
        with safe_open(path, framework="pt") as weights:
            return {name: list(weights.get_slice(name).get_shape()) for name in weights.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise TrainError("T002", f"the weights cannot be read ({reason})", str(path), _AGAIN) from error


def _sizes(shape: list[int]) -> str:
    return " x ".join(map(str, shape)) or "one number"
