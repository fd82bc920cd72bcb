"""``python -m potstill ...``, the same as the command ``potstill``; what torchrun and accelerate launch start."""

from __future__ import annotations

import sys

from potstill.cli import main

if __name__ == "__main__":
    sys.exit(main())
