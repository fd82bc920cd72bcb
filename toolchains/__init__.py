"""Cross building, emulation and audits: what noxfile.py uses.

The files here are the ground; each folder may import those before it: roots, audit, wheels, emulate, packages, cycles,
sessions. Needs no package beyond the standard library, except audit/ (pyelftools) and what runs in a session's
environment.
"""

from __future__ import annotations

import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
# Last, so that an installed wheel comes first: the tree has no compiled core, which nothing imported here needs.
if (_tree := str(PROJECT / "python")) not in sys.path:
    sys.path.append(_tree)
