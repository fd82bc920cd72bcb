"""Teacher and student. Names are loaded on first use: importing this package imports neither torch nor transformers."""

from __future__ import annotations

from typing import Any

import potstill.models  # noqa: F401 - keeps transformers quiet

_WHERE = {
    "DistillationTrainer": "potstill.distil.train.trainer",
    "EncoderClassifier": "potstill.models.classifier",
    "EncoderClassifierConfig": "potstill.models.classifier",
    "load_classifier": "potstill.models.classifier",
    "load_encoder": "potstill.models.classifier",
    "finetune": "potstill.distil.teacher.finetune",
    "distil": "potstill.distil.distillation",
    "accuracy": "potstill.models.evaluation",
    "predictions": "potstill.models.evaluation",
    "make_student": "potstill.distil.students.job",
    "teacher_outputs": "potstill.distil.teacher.cache",
}
__all__ = sorted(_WHERE)


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for.

    Raises:
        SystemFailure: when a package of the extra ``build`` is missing.
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
