"""The exports of one model folder, all or none: made in a folder of their own, then renamed into place."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

from potstill.errors import os_errors
from potstill.export.onnx import export_onnx, quantize_onnx_int8
from potstill.work.atomic import TEMPORARY_PREFIX
from potstill.work.progress import Progress

_PREFIX = f"{TEMPORARY_PREFIX}export-"
_TERMINATED = 128 + signal.SIGTERM


def export_files(
    model: Path, out: Path, *, opset: int, int8: bool, tflite_length: int | None, progress: Progress
) -> list[Path]:
    """Export a model folder to ONNX, and if asked to TFLite and to int8 versions.

    Args:
        model: folder of a classifier.
        out: folder for the files; when this fails or is stopped (Ctrl-C, SIGTERM), it is as it was before.
        opset: of the ONNX.
        int8: also write int8 versions.
        tflite_length: tokens of the static TFLite graph; None for no TFLite.
        progress: told each file when it is begun and done.

    Returns:
        The files written.

    Raises:
        ExportError: see `export_onnx` and `export_tflite`.
        SystemFailure: a file cannot be written; a package is missing.
    """
    with _stoppable(), _made_within(out) as folder:
        made: list[Path] = []
        steps = _steps(model, folder, opset, int8, tflite_length)
        with progress.task("export", total=len(steps), unit="files") as task:
            for name, step in steps.items():
                progress.message(f"export: {name}")
                made.append(step())
                task.advance(1, note=f"{name} {made[-1].stat().st_size:,} bytes")
        return [path.replace(out / path.name) for path in made]


def _steps(
    model: Path, folder: Path, opset: int, int8: bool, tflite_length: int | None
) -> dict[str, Callable[[], Path]]:
    onnx, tflite = folder / "model.onnx", folder / "model.tflite"
    steps: dict[str, Callable[[], Path]] = {onnx.name: lambda: export_onnx(model, onnx, opset=opset)}
    if int8:
        steps["model.int8.onnx"] = lambda: quantize_onnx_int8(onnx, folder / "model.int8.onnx")
    if tflite_length is not None:
        from potstill.export.tflite import export_tflite, quantize_tflite_int8

        steps[tflite.name] = lambda: export_tflite(model, tflite, length=tflite_length)
        if int8:
            steps["model.int8.tflite"] = lambda: quantize_tflite_int8(tflite, folder / "model.int8.tflite")
    return steps


@contextlib.contextmanager
def _made_within(out: Path) -> Iterator[Path]:
    """A folder inside `out` that is gone afterwards, as are `out` and its parents where this made them in vain.

    One of an export that was killed (kill -9, power loss) is removed here: its lock went with its process.
    """
    missing = [path for path in (out, *out.parents) if not path.exists()]
    with os_errors(out):
        out.mkdir(parents=True, exist_ok=True)
        with _locked(out):  # nobody sweeps between the making of a folder and its lock
            for left in out.glob(f"{_PREFIX}*"):
                _sweep(left)
            folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=out))
            lock = _lock(folder)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)
        with contextlib.suppress(OSError):  # filled by now, as it should be
            for path in missing:
                path.rmdir()


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _lock(folder: Path) -> int:
    """Lock a folder without waiting; held until the descriptor is closed."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _sweep(left: Path) -> None:
    """Remove the folder of an export, unless that still runs."""
    with contextlib.suppress(OSError):  # locked, or gone by now
        lock = _lock(left)
        shutil.rmtree(left, ignore_errors=True)
        os.close(lock)


@contextlib.contextmanager
def _stoppable() -> Iterator[None]:
    """SIGTERM ends the process as an exception does, so that what was begun is removed."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set handlers
        return

    def stop(number: int, frame: FrameType | None) -> None:
        del number, frame
        raise SystemExit(_TERMINATED)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
