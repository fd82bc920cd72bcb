"""Locks between processes, held by the kernel: they vanish with their holder, so a kill -9 leaves none behind."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from potstill.errors import SystemFailure, os_errors

_LOCK_NAME = ".lock"


@contextlib.contextmanager
def out_lock(out: Path) -> Iterator[None]:
    """Hold the output folder `out` for one build.

    Raises:
        SystemFailure: another build runs in this folder; when the lock file cannot be made.
    """
    with _locked_file(out / _LOCK_NAME) as descriptor:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
            raise SystemFailure(
                "S020",
                f"another build is running (process {holder or 'unknown'})",
                f"output folder {out}",
                "wait for it to end, stop it, or choose another folder with --out",
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield


@contextlib.contextmanager
def wait_lock(path: Path, waiting: Callable[[], None] | None = None) -> Iterator[None]:
    """Hold the lock file `path`, waiting for another holder; `waiting` is called once if there is one."""
    with _locked_file(path) as descriptor:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if waiting is not None:
                waiting()
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _locked_file(path: Path) -> Iterator[int]:
    # The file is never deleted: two processes could then lock two different files of the same name.
    with os_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
