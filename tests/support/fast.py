"""``--fast``: what needs no training and no second process, for a run at every save.

No list says which tests these are: one that imports a training library or starts a process is skipped as it does so.
"""

from __future__ import annotations

import multiprocessing.process
import subprocess
import sys
from typing import Any

import pytest

# Importing one of them takes longer than most tests.
HEAVY = frozenset({"ai_edge_quantizer", "litert_torch", "onnxsim", "onnxscript", "torch", "transformers"})


def _no_process(*_: Any, **__: Any) -> None:
    pytest.skip("not fast: starts a process", allow_module_level=True)


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "import" and (name := arguments[0].partition(".")[0]) in HEAVY:
        pytest.skip(f"not fast: imports {name}", allow_module_level=True)
    if event == "os.fork":
        _no_process()


def watch() -> None:
    """Skip from now on, until the interpreter ends, what imports a training library or starts a process."""
    sys.addaudithook(_watch)
    # Before they open pipes: the audit event of a process comes too late for these.
    for kind, method in ((subprocess.Popen, "__init__"), (multiprocessing.process.BaseProcess, "start")):
        setattr(kind, method, _no_process)
