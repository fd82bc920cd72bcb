"""Names of functions in ELF files, by file offset."""

from __future__ import annotations

import bisect
import re
import struct
import subprocess
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


@lru_cache(maxsize=64)
def _table(file: str) -> tuple[list[int], list[str], list[tuple[int, int, int]]]:
    """Sorted addresses and names of the functions in `file`, and its segments."""
    tools.require([NM], "names of functions")
    found: dict[int, str] = {}
    for options in (["-D"], []):  # the full table, where there is one, has better names
        command = [NM, "-C", "--defined-only", *options, file]
        done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
        for line in done.stdout.splitlines():
            address, _, rest = line.partition(" ")
            kind, _, name = rest.partition(" ")
            if kind in "tTwWi" and kind and address and not name.startswith("$"):
                found[int(address, 16)] = name
    addresses = sorted(found)
    return addresses, [found[a] for a in addresses], _segments(Path(file))


def short(name: str) -> str:
    """A C++ name without argument list and anonymous namespaces, at most 90 characters."""
    name = name.replace("(anonymous namespace)::", "")
    name = re.sub(r"\[clone [^]]*\]", "", name)
    depth = 0
    for place, letter in enumerate(name):
        depth += {"<": 1, ">": -1}.get(letter, 0)
        if letter == "(" and depth == 0 and place > 0 and not name[:place].endswith("operator"):
            name = name[:place]
            break
    return name if len(name) <= 90 else name[:87] + "..."


def name_of(block: Block) -> str:
    """``function+0x40 (file)``; the file and offset alone when no function is known."""
    if not block.file:
        return block.symbol or f"code made at run time, {block.address:#x}"
    file = Path(block.file)
    addresses, names, segments = _table(block.file)
    for offset, address, size in segments:
        if offset <= block.offset < offset + size:
            place = block.offset - offset + address
            index = bisect.bisect_right(addresses, place) - 1
            if index >= 0:
                return f"{short(names[index])}+{place - addresses[index]:#x} ({file.name})"
            return f"{place:#x} ({file.name})"
    return f"{block.offset:#x} ({file.name})"
