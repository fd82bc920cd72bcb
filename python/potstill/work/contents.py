"""What files hold, as short digests: stored results, downloads and inputs are known and verified by them.

XXH3 with 128 bits: as fast as memory, so that a build with nothing to do may read what it published. It guards against
damage, not against malice; what comes from elsewhere is pinned by SHA-256 (`potstill.data.demo`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from potstill.errors import os_errors

_BLOCK = 1 << 20

# Size in bytes and digest of each file, by its path within a folder.
Contents = dict[str, tuple[int, str]]


def text_digest(text: bytes) -> str:
    """32 hexadecimal digits over some bytes."""
    import xxhash

    return xxhash.xxh3_128_hexdigest(text)


def file_digest(path: Path) -> str:
    """32 hexadecimal digits over the bytes of a file.

    Raises:
        OSError: it cannot be read.
    """
    import xxhash

    state = xxhash.xxh3_128()
    with path.open("rb", buffering=0) as stream:
        while block := stream.read(_BLOCK):
            state.update(block)
    return state.hexdigest()


def content_hash(value: Mapping[str, Any] | Sequence[Any]) -> str:
    """SHA-256 (hex) of plain content; independent of the order of keys, of the Python version and of the machine."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def file_sha256(path: Path) -> str:
    """64 hexadecimal digits over the bytes of a file.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def contents_of(folder: Path, *, hidden: bool = True) -> Contents:
    """Size and digest of every file under `folder`; without `hidden`, of those whose path has no part with a dot first.

    Raises:
        SystemFailure: a file cannot be read.
    """
    with os_errors(folder, reading=True):
        names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
        wanted = [folder / name for name in names if hidden or "/." not in f"/{name}"]
        return {str(path.relative_to(folder)): (path.stat().st_size, file_digest(path)) for path in wanted}


def parse_contents(value: object) -> Contents | None:
    """Contents as JSON gives them, or None when it holds something else."""
    if not isinstance(value, Mapping):
        return None
    found: Contents = {}
    for name, entry in value.items():
        match entry:
            case [int() as size, str() as digest] if isinstance(name, str):
                found[name] = (size, digest)
            case _:
                return None
    return found


def lacking(folder: Path, contents: Mapping[str, tuple[int, str]]) -> str | None:
    """The first file that is missing or of another size, in words; None when there is none. Reads no file."""
    for name, (size, _) in contents.items():
        try:
            if (folder / name).stat().st_size != size:
                return f"{name} has another size"
        except OSError:
            return f"{name} is missing"
    return None


def damage(folder: Path, contents: Mapping[str, tuple[int, str]]) -> str | None:
    """The first file whose content has changed, in words; None when there is none. Reads every file."""
    found = lacking(folder, contents)
    if found is not None:
        return found
    for name, (_, digest) in contents.items():
        try:
            if file_digest(folder / name) != digest:
                return f"{name} does not hold what was written"
        except OSError:
            return f"{name} cannot be read"
    return None


def total(contents: Mapping[str, tuple[int, str]]) -> str:
    """One digest for all files: equal for folders of equal files."""
    lines = [f"{name}\0{size}\0{digest}\n" for name, (size, digest) in sorted(contents.items())]
    return text_digest("".join(lines).encode("utf-8", "surrogateescape"))
