"""Atomic files and folders.

Nothing half-written is ever seen under a final name: files and folders are made beside their place under a temporary
name, flushed to the disk, then renamed. A kill at any moment leaves either the old state, the new one, or a
temporary name that the next build removes.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from potstill.errors import InputError, os_errors

TEMPORARY_PREFIX = ".tmp-"


@contextlib.contextmanager
def atomic_write(path: Path | str) -> Iterator[Path]:
    """Give a temporary path in the same folder, which replaces `path` when the block ends well.

    The temporary name keeps the suffix of `path`, since some writers choose their format by it. On any exception,
    KeyboardInterrupt included, the temporary file is removed and `path` stays as it was.

    Raises:
        InputError: `path` is nothing that may be replaced.
        SystemFailure: disk full; not allowed to write; another failure of the system.
    """
    final = Path(path)
    check_replaceable(final)
    with os_errors(final):
        final.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=TEMPORARY_PREFIX, suffix=f"-{final.name}", dir=final.parent)
        os.close(handle)
        temporary = Path(name)
        try:
            # mkstemp gives mode 0600; a published artefact gets what an ordinary open() would give it.
            temporary.chmod(0o666 & ~_umask())
            yield temporary
            _sync(temporary)
            temporary.replace(final)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        _sync(final.parent)


def check_replaceable(path: Path) -> None:
    """Refuse a folder, a device or a pipe, whose place a rename would take (with root, that of /dev/null).

    Raises:
        InputError: it is one. SystemFailure: its folder may not be looked into.
    """
    with os_errors(path):
        if (path.exists() and not path.is_file()) or os.path.realpath(path.parent) == "/dev":
            raise InputError("I143", "this is not a file that can be replaced", str(path), "name a file to write")


@contextlib.contextmanager
def atomic_folder(path: Path | str) -> Iterator[Path]:
    """Give a temporary folder beside `path`, which takes its place when the block ends well.

    Raises:
        SystemFailure: as `atomic_write`.
    """
    final = Path(path)
    with os_errors(final):
        final.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=TEMPORARY_PREFIX, suffix=f"-{final.name}", dir=final.parent))
        try:
            temporary.chmod(0o777 & ~_umask())
            yield temporary
            publish_folder(temporary, final)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise


def publish_folder(made: Path, final: Path) -> None:
    """Flush the folder `made` to the disk and give it the name `final`, replacing a folder already there."""
    for root, _, files in os.walk(made):
        for name in files:
            _sync(Path(root) / name)
        _sync(Path(root))
    if final.exists():
        # Renaming onto a filled folder is refused by POSIX: move the old one aside, then drop it.
        aside = Path(tempfile.mkdtemp(prefix=TEMPORARY_PREFIX, dir=final.parent)) / final.name
        final.rename(aside)
        made.rename(final)
        shutil.rmtree(aside.parent, ignore_errors=True)
    else:
        made.rename(final)
    _sync(final.parent)


def sweep_temporaries(folder: Path) -> None:
    """Remove what killed writers left in `folder`; call it only while holding the lock of that folder."""
    for left in folder.glob(f"{TEMPORARY_PREFIX}*"):
        if left.is_dir() and not left.is_symlink():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as JSON, atomically; a number that is not finite becomes null, since JSON has none."""
    with atomic_write(path) as temporary:
        text = json.dumps(finite(value), indent=2, ensure_ascii=False, allow_nan=False)
        temporary.write_text(text + "\n", encoding="utf-8")


def finite(value: Any) -> Any:
    """Plain content with null for every number that is not finite."""
    if isinstance(value, Mapping):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def publish_file(source: Path, final: Path) -> None:
    """Make `final` a copy of `source`, atomically: editing one in place leaves the other as it is."""
    with atomic_write(final) as temporary:
        shutil.copyfile(source, temporary)


def _sync(path: Path) -> None:
    """Flush a file or a folder's entries to the disk, where the system lets us."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _umask() -> int:
    # The only way to read the mask is to set it.
    mask = os.umask(0)
    os.umask(mask)
    return mask
