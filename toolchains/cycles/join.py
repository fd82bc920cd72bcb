"""Joining translated blocks that run one after another.

qemu ends a block at a page's end and after 512 instructions, and at every branch. A loop that is cut in two would be
modelled as two loops, each with dependences on itself that are not there: 24 cycles for 12 in one of our kernels.
"""

from __future__ import annotations

from toolchains.cycles import isa as isas
from toolchains.cycles.isa import AARCH64, Isa
from toolchains.cycles.windows import Block


def _endings(runs: dict[Block, int], isa: Isa) -> dict[int, str]:
    """How blocks end, by the address behind them: a joined block ends as the last of its parts does."""
    texts = isas.texts([block.code for block in runs], isa)
    ends = [block.address + len(block.code) for block in runs]
    return {end: isa.ending(text[-1]) if text else "goes" for end, text in zip(ends, texts, strict=True)}


def joined(runs: dict[Block, int], isa: Isa = AARCH64) -> dict[Block, int]:
    """Runs of a window with neighbours in memory joined where one always follows the other.

    A block that falls through is always followed by its neighbour, whose further executions stay its own. After a
    conditional branch the neighbour is taken to follow always when both ran equally often. Instructions stay the
    same in sum.
    """
    result, endings = dict(runs), _endings(runs, isa)
    by_address: dict[int, list[Block]] = {}
    for block in runs:
        by_address.setdefault(block.address, []).append(block)
    for block in sorted(runs, key=lambda b: -b.address):  # from the end: a neighbour is joined with its own already
        end, times = block.address + len(block.code), result.get(block, 0)
        ending, after = endings[end], [b for b in by_address.get(end, []) if result.get(b, 0)]
        if ending == "goes" or not times or len(after) != 1:
            continue
        (next_one,) = after
        more = result[next_one] - times
        if more < 0 or (ending == "may" and more != 0):
            continue
        both = Block(block.address, block.code + next_one.code, block.file, block.offset, block.symbol)
        del result[block]
        del result[next_one]
        if more:
            result[next_one] = more
        result[both] = times
        by_address[block.address] = [b for b in by_address[block.address] if b != block] + [both]
    return result
