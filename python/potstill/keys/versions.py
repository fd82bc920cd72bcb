"""What made a result: versions of the packages that decide numbers."""

from __future__ import annotations

import functools
import platform
from importlib import metadata

# Packages whose release can change a weight, a rounding or a byte of the file.
_PACKAGES = ("potstill", "torch", "transformers", "tokenizers", "datasets", "numpy", "onnx", "onnxruntime", "onnxsim")


@functools.cache
def versions() -> dict[str, str]:
    """Installed versions by package, `python` and `machine` with them; packages that are absent are left out."""
    found = {"python": platform.python_version(), "machine": platform.machine()}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
