"""What the helpers here want of a nox session, for programs that run outside of one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any


class Plain:
    """Prints, and runs programs of this environment."""

    @staticmethod
    def log(text: str) -> None:
        """Print it."""
        print(text, flush=True)

    @staticmethod
    def run(program: str, *arguments: str, env: Mapping[str, str] | None = None, **_: Any) -> None:
        """Run a program with further environment variables; "python" is this one."""
        command = [sys.executable if program == "python" else program, *arguments]
        subprocess.run(command, check=True, env={**os.environ, **(env or {})}, stdin=subprocess.DEVNULL)
