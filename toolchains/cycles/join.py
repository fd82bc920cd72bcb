"""Joining translated blocks that run one after another.

qemu ends a block at a page's end and after 512 instructions, and at every branch. A loop that is cut in two would be
modelled as two loops, each with dependences on itself that are not there: 24 cycles for 12 in one of our kernels.
"""

from __future__ import annotations

from collections.abc import Callable

from toolchains.cycles import isa as isas
from toolchains.cycles.isa import AARCH64, Isa
from toolchains.cycles.windows import Block


def _ending(block: Block) -> str:
    """How a block ends: ``"falls"`` through, ``"may"`` (a conditional branch) or ``"goes"`` elsewhere."""
    word = int.from_bytes(block.code[-4:], "little")
    if word >> 24 == 0x54 or (word >> 25) & 0x3F in (0b011010, 0b011011):  # B.cond; CBZ, CBNZ; TBZ, TBNZ
        return "may"
    # B, BL; BR, BLR, RET; SVC and other exceptions
    if (word >> 26) & 0x1F == 0b00101 or word >> 25 == 0b1101011 or word >> 24 == 0xD4:
        return "goes"
    return "falls"


def _endings(runs: dict[Block, int], isa: Isa) -> Callable[[Block], str]:
    if isa is AARCH64:
        return _ending
    blocks = list(runs)
    texts = isas.texts([block.code for block in blocks], isa)
    # A joined block ends as the last of its parts does.
    last = {
        b.address + len(b.code): isa.ending(text[-1]) if text else "goes" for b, text in zip(blocks, texts, strict=True)
    }
    return lambda block: last[block.address + len(block.code)]


def joined(runs: dict[Block, int], isa: Isa = AARCH64) -> dict[Block, int]:
    """Runs of a window with neighbours in memory joined where one always follows the other.

    A block that falls through is always followed by its neighbour, whose further executions stay its own. After a
    conditional branch the neighbour is taken to follow always when both ran equally often. Instructions stay the
    same in sum.
    """
    result, ending_of = dict(runs), _endings(runs, isa)
    by_address: dict[int, list[Block]] = {}
    for block in runs:
        by_address.setdefault(block.address, []).append(block)
    for block in sorted(runs, key=lambda b: -b.address):  # from the end: a neighbour is joined with its own already
        ending, times = ending_of(block), result.get(block, 0)
        after = [b for b in by_address.get(block.address + len(block.code), []) if result.get(b, 0)]
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
