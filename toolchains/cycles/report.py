"""A window with its costs: totals and the hottest blocks, as text and as data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolchains.cycles.join import joined
from toolchains.cycles.mca import Cost, Costs, explain
from toolchains.cycles.symbols import function_of, name_of
from toolchains.cycles.windows import Block, Window

MODEL_NOTE = (
    "a throughput model (qemu's executions x llvm-mca's cycles of each block): no cache misses, no mispredictions; "
    "it ranks, it does not promise milliseconds"
)


@dataclass(frozen=True)
class Line:
    """One block of a window."""

    block: Block
    times: int
    cost: Cost

    @property
    def cycles(self) -> float:
        """Of all its executions."""
        return self.times * self.cost.cycles


@dataclass(frozen=True)
class Modelled:
    """A window with its costs.

    Attributes:
        label: of the window.
        instructions: executed.
        cycles: modelled.
        bound: cycles that dispatch and ports alone need, as if no result were waited for.
        unknown: share of instructions without a schedule.
        lines: blocks, the most cycles first.
    """

    label: int
    instructions: int
    cycles: float
    bound: float
    unknown: float
    lines: tuple[Line, ...]

    def data(self, top: int = 15) -> dict[str, Any]:
        """For JSON: numbers are counts; `unknown_share` is the share of instructions without a schedule."""
        return {
            "label": self.label,
            "instructions": self.instructions,
            "cycles": round(self.cycles),
            "ports": round(self.bound),
            "unknown_share": round(self.unknown, 6),
            "blocks": [
                {
                    "name": name_of(line.block),
                    "instructions": line.block.instructions,
                    "executions": line.times,
                    "cycles_each": round(line.cost.cycles, 2),
                    "ports_each": round(line.cost.bound, 2),
                    "cycles": round(line.cycles),
                }
                for line in self.lines[:top]
            ],
        }

    def functions(self) -> list[tuple[str, float, float]]:
        """(function, cycles, instructions) of the whole window, the most cycles first; files stand for functions
        that are not known."""
        totals: dict[str, tuple[float, float]] = {}
        for line in self.lines:
            name = function_of(line.block)[0] or f"({Path(line.block.file).name or 'run time'})"
            cycles, count = totals.get(name, (0.0, 0.0))
            totals[name] = cycles + line.cycles, count + line.times * line.block.instructions
        return sorted(((name, *both) for name, both in totals.items()), key=lambda row: -row[1])


def model(window: Window, costs: Costs) -> Modelled:
    """Cost of `window` on a core. Raises as `Costs.of`."""
    runs = joined(window.runs, costs.isa)
    known = costs.of(block.code for block in runs)
    lines = sorted((Line(b, n, known[b.code]) for b, n in runs.items()), key=lambda x: -x.cycles)
    unknown = sum(line.times * line.cost.unknown for line in lines)
    count = window.instructions
    cycles, bound = sum(x.cycles for x in lines), sum(x.times * x.cost.bound for x in lines)
    return Modelled(window.label, count, cycles, bound, unknown / max(count, 1), tuple(lines))


def text(modelled: Modelled, top: int = 15) -> str:
    """Totals and a table of the hottest blocks."""
    rows = [
        f"window {modelled.label}: {modelled.instructions / 1e6:.2f} M instructions, {modelled.cycles / 1e6:.2f} M "
        f"modelled cycles (ports alone {modelled.bound / 1e6:.2f} M), {modelled.unknown:.4%} of instructions without "
        "a schedule",
        "  #   cycles M   share  executions  instr  cycles each  ports  block",
    ]
    for number, line in enumerate(modelled.lines[:top], 1):
        share = line.cycles / max(modelled.cycles, 1e-9)
        rows.append(
            f"{number:3}  {line.cycles / 1e6:9.3f}  {share:6.1%}  {line.times:10}  {line.block.instructions:5}  "
            f"{line.cost.cycles:11.2f}  {line.cost.bound:5.1f}  {name_of(line.block)}"
        )
    return "\n".join(rows)


def explanation(modelled: Modelled, number: int, core: str) -> str:
    """llvm-mca's report, with the disassembly and the bottleneck, of the `number`-th hottest block (from 1)."""
    block = modelled.lines[number - 1].block
    return f"--- block {number}: {name_of(block)}\n{explain(block.code, core)}"
