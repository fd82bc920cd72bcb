"""One digest of several things: what a kept result was made from."""

from __future__ import annotations

import hashlib
from pathlib import Path


def digest(*parts: str | bytes | Path) -> str:
    """64 hexadecimal digits (SHA-256) over texts, bytes and the contents of files, in their order."""
    whole = hashlib.sha256()
    for part in parts:
        data = part.read_bytes() if isinstance(part, Path) else part.encode() if isinstance(part, str) else part
        whole.update(hashlib.sha256(data).digest())
    return whole.hexdigest()
