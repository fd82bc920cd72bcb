"""The native part of a wheel as a file: for which machine and Python it is, libraries and C library versions it needs.

Own reader, since the device has nothing but the standard library. Layout: System V ABI, "Object Files" and "Dynamic
Linking"; GNU version needs: Linux Standard Base, "Symbol Versioning".
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from pathlib import Path

from potstill.errors import SystemFailure

_MACHINES = {3: "i686", 40: "armv7l", 62: "x86_64", 183: "aarch64", 243: "riscv64"}
# Debian's packages of the libraries that a wheel's module asks for.
PACKAGES = {
    "libgomp.so.1": "libgomp1",
    "libstdc++.so.6": "libstdc++6",
    "libgcc_s.so.1": "libgcc-s1",
    "libm.so.6": "libc6",
    "libc.so.6": "libc6",
}
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


def modules(package: Path) -> list[Path]:
    """The compiled modules of an installed package, whatever machine and Python they are for."""
    return sorted(package.glob("_core*.so"))


def python_tag(path: Path) -> str:
    """``cp311`` of ``_core.cpython-311-aarch64-linux-gnu.so``; empty when it has none."""
    found = re.search(r"\.cpython-(\d+)", path.name)
    return f"cp{found[1]}" if found else ""


def wheel_file(python: tuple[int, int], machine: str, version: str = "*") -> str:
    """The file name of the wheel for a Python and its machine, with ``*`` for the glibc it needs."""
    tag = f"cp{python[0]}{python[1]}"
    return f"potstill-{version}-{tag}-{tag}-manylinux_*_{machine}.whl"


def machine_of(path: Path) -> str:
    """The machine of an ELF file, of which the beginning is enough; empty when it is none or cannot be read."""
    try:
        with path.open("rb") as file:
            header = file.read(20)
    except OSError:
        return ""
    if len(header) < 20 or header[:4] != b"\x7fELF":
        return ""
    return _machine(struct.unpack("<H" if header[5] == 1 else ">H", header[18:20])[0])


def _machine(number: int) -> str:
    return _MACHINES.get(number, f"machine {number}")


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
    return Elf(_machine(machine), 64 if wide else 32, smallest, needed, versions)


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
