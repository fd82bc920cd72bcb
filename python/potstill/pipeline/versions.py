"""What made a result: versions of the packages that decide numbers, and of our own code."""

from __future__ import annotations

import functools
import hashlib
import platform
from importlib import metadata

from potstill.pipeline.stage import code_digest

# Packages whose release can change a weight, a rounding or a byte of the file.
_PACKAGES = ("potstill", "torch", "transformers", "tokenizers", "datasets", "numpy", "onnx", "onnxruntime", "onnxsim")
# Parts of ours that make the student and its file.
_CODE = ("data", "distil", "quantize", "export", "compile")


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


def code_hash() -> str:
    """SHA-256 (hex) over the source of the parts that make a student and its file."""
    return hashlib.sha256("".join(code_digest(name) for name in _CODE).encode()).hexdigest()
