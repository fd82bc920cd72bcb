"""Kernel sets, from the table that the core is built from (cpp/src/kernels/sets.def)."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_ROW = re.compile(r'^POTSTILL_KERNEL_SET\((\w+), (\w+),\s*"([^"]*)",\s*"([^"]*)",\s*"[^"]*"\)$', re.MULTILINE)


@dataclass(frozen=True)
class KernelSet:
    """One row of sets.def, which says more of each.

    Attributes:
        name: the value of ``POTSTILL_ISA``.
        machine: ``x86_64``, ``aarch64`` or ``armv7l``, as in the tags of wheels; ``any``.
        needs: words of /proc/cpuinfo.
        holds: instructions above the machine's baseline that its code may hold.
    """

    name: str
    machine: str
    needs: frozenset[str]
    holds: frozenset[str]


def sets_file() -> Path:
    """sets.def beside this module in a wheel, among the kernels in a source tree."""
    installed = Path(__file__).with_name("sets.def")
    return installed if installed.is_file() else Path(__file__).parents[3] / "cpp" / "src" / "kernels" / "sets.def"


@cache
def kernel_sets() -> tuple[KernelSet, ...]:
    """Every set there is, of all machines; best first within a machine, ``reference`` last."""
    return tuple(
        KernelSet(name, machine, frozenset(needs.split()), frozenset(filter(None, holds.split(", "))))
        for name, machine, needs, holds in _ROW.findall(sets_file().read_text(encoding="utf-8"))
    )


def sets_for(machine: str, features: Collection[str]) -> list[str]:
    """Names of the sets that a build for `machine` runs on a CPU with these words of /proc/cpuinfo, best first.

    The core decides by registers (cpp/src/cpu), which say the same.
    """
    has = frozenset(features)
    return [row.name for row in kernel_sets() if row.machine in (machine, "any") and row.needs <= has]
