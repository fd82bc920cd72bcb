"""The little of an ELF file that tells whether it loads here: machine, libraries and C library versions it needs.

Own reader, since the device has nothing but the standard library. Layout: System V ABI, "Object Files" and "Dynamic
Linking"; GNU version needs: Linux Standard Base, "Symbol Versioning".
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from pathlib import Path

from potstill.errors import SystemFailure

MACHINES = {3: "i686", 40: "armv7l", 62: "x86_64", 183: "aarch64", 243: "riscv64"}
_PT_LOAD, _PT_DYNAMIC = 1, 2
_DT_NEEDED, _DT_STRTAB, _DT_STRSZ, _DT_VERNEED, _DT_VERNEEDNUM = 1, 5, 10, 0x6FFFFFFE, 0x6FFFFFFF


@dataclass(frozen=True)
class Elf:
    """Facts of a shared object.

    Attributes:
        machine: as `platform.machine` spells it, or ``machine N``.
        bits: 32 or 64.
        alignment: smallest alignment of its loaded segments, bytes.
        needed: sonames of the libraries it asks for.
        versions: symbol versions it asks for, ``GLIBC_2.34``.
    """

    machine: str
    bits: int
    alignment: int
    needed: tuple[str, ...]
    versions: tuple[str, ...]

    @property
    def glibc(self) -> tuple[int, int]:
        """Newest glibc version needed, (0, 0) for none."""
        found = [re.fullmatch(r"GLIBC_(\d+)\.(\d+)(?:\.\d+)?", version) for version in self.versions]
        return max(((int(m[1]), int(m[2])) for m in found if m), default=(0, 0))


def _text(data: bytes, start: int) -> str:
    return data[start : data.index(b"\0", start)].decode("ascii", "replace")


def read_elf(path: Path) -> Elf:
    """Read a shared object.

    Raises:
        SystemFailure: when it cannot be read or is not one.
    """
    try:
        data = path.read_bytes()
        return _parse(data)
    except OSError as error:
        raise SystemFailure("S070", f"cannot be read: {error.strerror}", str(path), "check the file") from error
    except (struct.error, ValueError, IndexError, KeyError) as error:
        raise SystemFailure("S070", "not a whole ELF shared object", str(path), "install the wheel again") from error


def _parse(data: bytes) -> Elf:
    if data[:4] != b"\x7fELF" or data[5] != 1:
        raise ValueError("not a little-endian ELF file")
    wide = data[4] == 2
    (machine,) = struct.unpack_from("<H", data, 18)
    offset = struct.unpack_from("<Q" if wide else "<I", data, 32 if wide else 28)[0]
    size, number = struct.unpack_from("<HH", data, 54 if wide else 42)
    loads: list[tuple[int, int, int, int]] = []
    dynamic = (0, 0)
    for index in range(number):
        start = offset + index * size
        if wide:
            kind, _, place, address, _, length, _, alignment = struct.unpack_from("<IIQQQQQQ", data, start)
        else:
            kind, place, address, _, length, _, _, alignment = struct.unpack_from("<IIIIIIII", data, start)
        if kind == _PT_LOAD:
            loads.append((address, place, length, alignment))
        elif kind == _PT_DYNAMIC:
            dynamic = (place, length)

    def at(address: int) -> int:
        for begin, place, length, _ in loads:
            if begin <= address < begin + length:
                return place + address - begin
        raise ValueError("an address outside of the file")

    entry = "<qQ" if wide else "<iI"
    pairs = [struct.unpack_from(entry, data, at) for at in range(dynamic[0], sum(dynamic), struct.calcsize(entry))]
    tags = {tag: value for tag, value in pairs if tag != _DT_NEEDED}
    strings = at(tags[_DT_STRTAB]) if _DT_STRTAB in tags else 0
    needed = tuple(_text(data, strings + value) for tag, value in pairs if tag == _DT_NEEDED)
    versions = _versions(data, at(tags[_DT_VERNEED]), tags[_DT_VERNEEDNUM], strings) if _DT_VERNEED in tags else ()
    smallest = min((alignment for *_, alignment in loads), default=0)
    return Elf(MACHINES.get(machine, f"machine {machine}"), 64 if wide else 32, smallest, needed, versions)


def _versions(data: bytes, start: int, number: int, strings: int) -> tuple[str, ...]:
    found = []
    for _ in range(number):
        _, count, _, auxiliary, following = struct.unpack_from("<HHIII", data, start)
        inner = start + auxiliary
        for _ in range(count):
            _, _, _, name, step = struct.unpack_from("<IHHII", data, inner)
            found.append(_text(data, strings + name))
            inner += step
        start += following
    return tuple(found)
