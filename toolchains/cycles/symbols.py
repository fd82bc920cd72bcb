"""Names of functions in ELF files, by file offset."""

from __future__ import annotations

import bisect
import re
import struct
import subprocess
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from toolchains import tools
from toolchains.cycles.windows import Block

NM = "llvm-nm-19"


def _segments(path: Path) -> list[tuple[int, int, int]]:
    """(file offset, virtual address, size in file) of each loaded segment of a 64-bit little-endian ELF file."""
    data = path.read_bytes()
    if data[:6] != b"\x7fELF\x02\x01":
        return []
    (table,) = struct.unpack_from("<Q", data, 32)
    size, number = struct.unpack_from("<HH", data, 54)
    found = []
    for i in range(number):
        kind, _, offset, address, _, in_file, _, _ = struct.unpack_from("<IIQQQQQQ", data, table + i * size)
        if kind == 1:
            found.append((offset, address, in_file))
    return found


@dataclass(frozen=True)
class _Table:
    """Functions of a file, sorted by address; a size of 0 is unknown (assembly) and reaches to the next one."""

    addresses: list[int]
    sizes: list[int]
    names: list[str]
    segments: list[tuple[int, int, int]]


@lru_cache(maxsize=64)
def _table(file: str) -> _Table:
    tools.require([NM], "names of functions")
    found: dict[int, tuple[int, str]] = {}
    for options in (["-D"], []):  # the full table, where there is one, has better names
        command = [NM, "-C", "-S", "--defined-only", "--format=sysv", *options, file]
        done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
        for line in done.stdout.splitlines():
            # name|value|class|type|size|line|section; a C++ name may hold bars of its own
            cells = line.rsplit("|", 6)
            if len(cells) == 7 and cells[2].strip() in ("t", "T", "w", "W", "i") and not cells[0].startswith("$"):
                size = int(cells[4].strip() or "0", 16)
                found[int(cells[1], 16)] = size, cells[0].strip()
    addresses = sorted(found)
    return _Table(addresses, [found[a][0] for a in addresses], [found[a][1] for a in addresses], _segments(Path(file)))


def short(name: str) -> str:
    """A C++ function's name alone: no return type, arguments, template arguments or namespaces of ours."""
    if "operator" in name.partition("(")[0]:
        return name.partition("(")[0]
    name = name.replace("(anonymous namespace)::", "")
    before = ""
    while before != name:
        before, name = name, re.sub(r"<[^<>]*>", "", name)
    name = name.partition("(")[0].partition(" [clone")[0].split(" ")[-1]
    return name.replace("potstill::kernels::", "").replace("potstill::", "")


def function_of(block: Block) -> tuple[str, int, int]:
    """Function, offset in it and address in its file; the function is "" when none is known."""
    if not block.file:
        return block.symbol, 0, block.address
    table, place = _table(block.file), block.offset
    for offset, address, size in table.segments:
        if offset <= block.offset < offset + size:
            place = block.offset - offset + address
    index = bisect.bisect_right(table.addresses, place) - 1
    inside = place - table.addresses[index] if index >= 0 else 0
    if index < 0 or (table.sizes[index] and inside >= table.sizes[index]):
        return "", 0, place
    return short(table.names[index]), inside, place


def name_of(block: Block) -> str:
    """``function+0x40 @0x1234 (file)``, the address being the one in the file, as objdump prints it."""
    function, offset, address = function_of(block)
    file = f" ({Path(block.file).name})" if block.file else " (made at run time)"
    return f"{function}+{offset:#x} @{address:#x}{file}" if function else f"@{address:#x}{file}"
