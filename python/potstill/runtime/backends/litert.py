"""LiteRT as a backend: `.tflite` files with fixed lengths; padding to the next length happens inside.

`ai-edge-litert` is preferred; its predecessor `tflite-runtime` (last release 2.14, needs NumPy 1) is taken when it is
what the device has.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

from potstill.card.notes import card_from, notes_in_tflite
from potstill.errors import InputError, missing_package
from potstill.runtime.backends.outside import OutsideBackend, check_ends, checked, unreadable
from potstill.runtime.rows import TokenRows

_ENGINES = (("ai_edge_litert.interpreter", "ai-edge-litert"), ("tflite_runtime.interpreter", "tflite-runtime"))


class LiteRtBackend(OutsideBackend):
    """A LiteRT interpreter. One sequence at a time, padded to the shortest signature that holds it."""

    backend = "litert"
    batch_rows = 1

    def __init__(self, path: Path, threads: int | None) -> None:
        """Load the file.

        Args:
            path: the `.tflite` file.
            threads: worker threads, or None for POTSTILL_NUM_THREADS, else the CPUs this process may use.

        Raises:
            InputError: a bad thread count, no such file, the engine refuses it, other inputs or
                outputs than ours, tflite-runtime with NumPy 2, an int8 file that tflite-runtime would
                compute wrongly.
            SystemFailure: no engine is installed.
        """
        super().__init__(path, threads)
        interpreter, package = _engine()
        try:
            with _silent_engine():
                # Kept, for runners do not keep it.
                self._interpreter = interpreter(model_path=str(path), num_threads=self.threads)
                # Otherwise the first answer pays for packing the weights.
                self._interpreter.allocate_tensors()
            signatures = self._interpreter.get_signature_list()
        except Exception as error:  # the engine's exception classes share no base but Exception
            if package == "tflite-runtime" and "Didn't find op" in str(error):
                raise _too_new(path) from error
            raise unreadable(path, error) from error
        if package == "tflite-runtime":
            _refuse_per_channel(self._interpreter, path)
        if not signatures:
            raise InputError("I053", "the model has no signature", str(path), "export it with potstill")
        self._runners: dict[int, Any] = {}
        for name, ends in signatures.items():
            check_ends(ends["inputs"], ends["outputs"], f"{path}, signature {name}")
            runner = self._interpreter.get_signature_runner(name)
            self._runners[int(runner.get_input_details()["input_ids"]["shape"][1])] = runner
        shapes = {name: details["shape"] for name, details in runner.get_output_details().items()}
        card = card_from(notes_in_tflite(path), path.stem, shapes.get("logits"), embedding="embedding" in shapes)
        card.max_tokens = min(card.max_tokens, max(self._runners))
        widths = {name: int(shapes[name][-1]) for name in card.outputs}
        self._describe(f"{package} {version(package)}", card, ends["inputs"], widths)
        self.info["lengths"] = sorted(self._runners)
        # The interpreter owns its buffers.
        self.one_call = threading.Lock()

    def _call(self, rows: TokenRows) -> Mapping[str, Any]:
        length = self.padded_length(rows.lengths[0])
        found = self._runners[length](**self._feed(rows, length, "int32"))
        return {name: found[name] for name in self.card.outputs}

    def prepared(self, rows: TokenRows, length: int) -> Callable[[], Any]:
        """A call that runs one sequence, padded to `length` beforehand, for measuring the engine alone.

        Not locked: one thread only.
        """
        feed, runner = self._feed(checked(rows, self.card), length, "int32"), self._runners[length]
        return lambda: runner(**feed)

    def padded_length(self, tokens: int) -> int:
        """The fixed length that a sequence of so many tokens is padded to."""
        return min(length for length in self._runners if length >= tokens)


@contextlib.contextmanager
def _silent_engine() -> Iterator[None]:
    """Point standard error away while an interpreter is made and its tensors are placed.

    The engine announces its delegate there once a process, from C++ and without a switch. Failures are raised and keep
    their text.
    """
    try:
        kept = os.dup(2)
    except OSError:
        # No standard error at all: nothing to silence.
        yield
        return
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 2)
        os.close(nowhere)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _engine() -> tuple[Any, str]:
    """The interpreter class and its package.

    Raises:
        SystemFailure: none is installed.
        InputError: only tflite-runtime is, with NumPy 2.
    """
    for module, package in _ENGINES:
        try:
            found = import_module(module).Interpreter
        except ImportError:
            continue
        if package == "tflite-runtime" and int(version("numpy").partition(".")[0]) >= 2:
            raise InputError(
                "I054",
                "tflite-runtime cannot work with NumPy 2",
                f"numpy {version('numpy')}",
                "pip install ai-edge-litert, or 'numpy<2'",
            )
        return found, package
    raise missing_package("ai-edge-litert", "tflite", "backend='litert'")


def _refuse_per_channel(interpreter: Any, path: Path) -> None:
    """tflite-runtime 2.14 reads one scale of a per-channel int8 weight and gives wrong numbers without a word.

    Raises:
        InputError: the file has such weights.
    """
    for tensor in interpreter.get_tensor_details():
        if tensor["dtype"].__name__ == "int8" and len(tensor["quantization_parameters"]["scales"]) > 1:
            raise _too_new(path)


def _too_new(path: Path) -> InputError:
    return InputError(
        "I055",
        "tflite-runtime cannot compute int8 weights per channel",
        str(path),
        "pip install ai-edge-litert, or use the fp32 file or one quantized with per_channel=False",
    )


def open_backend(path: str | os.PathLike[str], threads: int | None) -> LiteRtBackend:
    """Load a `.tflite` file; see `LiteRtBackend`."""
    return LiteRtBackend(Path(path), threads)
