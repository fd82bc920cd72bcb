"""`potstill doctor`: what this machine lacks or what will not fit, before anything is built or run.

Runs from the runtime wheel alone: nothing but the standard library is imported here.
"""

from __future__ import annotations

from potstill.doctor.check import Check, Status
from potstill.doctor.examine import examine

__all__ = ["Check", "Status", "examine"]
