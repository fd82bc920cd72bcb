"""Teacher and student. Names are loaded on first use: importing this package imports neither torch nor transformers."""

from __future__ import annotations

import logging
from typing import Any

# transformers imports torchao where it is installed (the extra tflite brings it), which then complains on the console
# that its GPU kernels do not load. Nothing here uses it.
for _name in ("torchao", "torch.utils._pytree"):
    if logging.getLogger(_name).level == logging.NOTSET:
        logging.getLogger(_name).setLevel(logging.ERROR)

_WHERE = {
    "DistillationTrainer": "potstill.distil.trainer",
    "EncoderClassifier": "potstill.distil.modeling",
    "EncoderClassifierConfig": "potstill.distil.modeling",
    "load_classifier": "potstill.distil.modeling",
    "load_encoder": "potstill.distil.modeling",
    "finetune": "potstill.distil.teacher",
    "distil": "potstill.distil.run",
    "accuracy": "potstill.distil.evaluate",
    "predictions": "potstill.distil.evaluate",
    "make_student": "potstill.distil.students.registry",
    "teacher_outputs": "potstill.distil.teacher_cache",
}
__all__ = sorted(_WHERE)


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for.

    Raises:
        SystemFailure: S010 when a package of the extra ``build`` is missing.
    """
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    from potstill.errors import missing_package

    try:
        value = getattr(importlib.import_module(_WHERE[name]), name)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("potstill"):
            raise
        raise missing_package(error.name, "build", f"potstill.distil.{name}") from error
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_WHERE})
