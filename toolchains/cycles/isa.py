"""Instruction sets the cost model reads: their disassembly, block by block, by llvm-mc.

Blocks go through llvm-mc one after another, between marks, instructions that ordinary code never runs. The mark behind
a block is there many times: qemu 7.2 gives some blocks of x86-64 without the last bytes of their last instruction,
which then takes some of the marks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from toolchains import tools
from toolchains.programs import output

MC = "llvm-mc-19"
_MARKS = 16


@dataclass(frozen=True)
class Isa:
    """An instruction set.

    Attributes:
        triple, attributes: for llvm-mc and llvm-mca.
        width: bytes of an instruction, 0 where they differ.
        start, mark: instructions before and between blocks, and what llvm-mc prints for them.
        always: mnemonics after which control is elsewhere.
        branch: how the mnemonics of conditional branches begin.
    """

    triple: str
    attributes: str
    width: int
    start: bytes
    start_text: str
    mark: bytes
    mark_text: str
    always: tuple[str, ...]
    branch: tuple[str, ...]

    def ending(self, text: str) -> str:
        """How a block ends, by its last instruction: ``"falls"`` through, ``"may"`` (branch) or ``"goes"``."""
        mnemonic = text.split(None, 1)[0]
        if mnemonic in self.always:
            return "goes"
        return "may" if mnemonic.startswith(self.branch) else "falls"


AARCH64 = Isa(
    "aarch64-linux-gnu", "+all", 4, bytes.fromhex("200020d4"), "brk #0x1", bytes.fromhex("200040d4"), "hlt #0x1",
    ("b", "bl", "br", "blr", "ret", "eret", "svc", "hvc", "smc", "brk", "hlt"),
    ("b.", "cbz", "cbnz", "tbz", "tbnz"),
)  # fmt: skip
X86_64 = Isa(
    "x86_64-linux-gnu", "+avx2,+fma,+f16c", 0, b"\xf4", "hlt", b"\xcc", "int3",
    ("jmp", "jmpq", "callq", "call", "retq", "ret", "syscall"),
    ("j",),
)  # fmt: skip


_known: dict[tuple[str, bytes], list[str]] = {}


def texts(codes: Sequence[bytes], isa: Isa) -> list[list[str]]:
    """Assembly of each block's instructions; what llvm-mc does not know is left out.

    Raises:
        BuildError: llvm-19 is missing; it failed.
    """
    fresh = [code for code in dict.fromkeys(codes) if (isa.triple, code) not in _known]
    for code, text in zip(fresh, _disassembled(fresh, isa), strict=True):
        _known[isa.triple, code] = text
    return [_known[isa.triple, code] for code in codes]


def _disassembled(codes: Sequence[bytes], isa: Isa) -> list[list[str]]:
    if not codes:
        return []
    tools.require([MC], "the cost model")
    parts = (isa.start + code + isa.mark * _MARKS for code in codes)
    lines = "".join(" ".join(f"0x{byte:02x}" for byte in part) + "\n" for part in parts)
    command = [MC, "--disassemble", f"-triple={isa.triple}", f"-mattr={isa.attributes}"]
    found: list[list[str]] = []
    for line in output(command, "B022", MC, "report this", input=lines).splitlines():
        text = " ".join(line.split())
        if text == isa.start_text:
            found.append([])
        elif text not in ("", ".text", isa.mark_text):
            found[-1].append(text)
    if len(found) == len(codes):
        return found
    if len(codes) == 1:
        return [[]]
    # After bytes that are no instruction, llvm-mc may go on at an odd byte and lose the blocks that follow.
    half = len(codes) // 2
    return _disassembled(codes[:half], isa) + _disassembled(codes[half:], isa)
