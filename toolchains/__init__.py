"""Cross building and emulation: what noxfile.py uses. Needs no package beyond the standard library, except audit.py."""

from __future__ import annotations

import sys
from pathlib import Path

# Last, so that an installed wheel comes first: the tree has no compiled core. What is imported from it here needs none.
if (_tree := str(Path(__file__).resolve().parents[1] / "python")) not in sys.path:
    sys.path.append(_tree)
