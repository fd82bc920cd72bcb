"""Paths as callers give them, read at the edge."""

from __future__ import annotations

import os

from potstill.errors import InputError

TYPE_CHECKING = False  # see potstill/__init__.py
if TYPE_CHECKING:
    from typing import Any

# The most bytes of a path and of a name in it (PATH_MAX, NAME_MAX).
_PATH, _NAME = 4095, 255


def existing(path: str, advice: str, *, folder: bool = False) -> str:
    """A file, or a folder, that the user named to be read; `advice` is the next step if it is not there.

    Raises:
        InputError: it is not there.
    """
    found = os.path.isdir(path) if folder else os.path.isfile(path)  # noqa: PTH112, PTH113 (no error for odd names)
    if not found:
        raise InputError("I070", f"no such {'folder' if folder else 'file'}", path, advice)
    return path


def read_path(given: Any, name: str = "path") -> str:
    """A path as Python writes it; `name` is the argument's, for messages.

    Raises:
        InputError: it is no path, or none that a file can have.
    """
    try:
        path = os.fspath(given)
    except TypeError as error:
        if error.__traceback__ is not None and error.__traceback__.tb_next is not None:
            raise  # by the caller's own __fspath__
        raise InputError("I121", f"a {type(given).__name__} is no path", name, "give a str or a pathlib.Path") from None
    if isinstance(path, bytes):
        path = os.fsdecode(path)
    try:
        bare = os.fsencode(path)
    except UnicodeEncodeError:
        bare = b""
    if not bare or b"\0" in bare or len(bare) > _PATH or max(map(len, bare.split(b"/"))) > _NAME:
        what = "the path is empty" if path == "" else "no file can have this name"
        raise InputError("I121", what, ascii(path)[:80], f"check the {name}")
    return str(path)
