"""Entering a board's root: what the kernel is told, what is mounted, and the reason where a host forbids it."""

from __future__ import annotations

import os
import shutil
import struct
from pathlib import Path

import pytest
from toolchains.emulate.chroot import Chroot, binfmt_entry, libraries
from toolchains.emulate.emulator import Emulator

from potstill.errors import PotstillError


def _bytes(text: str) -> bytes:
    """As the kernel reads \\xHH."""
    return text.encode().decode("unicode_escape").encode("latin-1")


def _header(bits: int, machine: int, kind: int = 3, order: int = 1, abi: int = 0) -> bytes:
    return b"\x7fELF" + bytes([bits, order, 1, abi]) + bytes(8) + struct.pack("<HH", kind, machine)


def _taken(entry: str, header: bytes) -> bool:
    """Whether the kernel would start a file with this header by the entry."""
    _, _, kind, offset, magic, mask, _, flags = entry.split(":")
    assert (kind, offset, flags) == ("M", "", "F")
    wanted, bits = _bytes(magic), _bytes(mask)
    assert len(wanted) == len(bits) == 20
    return all(a & m == b & m for a, b, m in zip(header, wanted, bits, strict=True))


@pytest.mark.parametrize(("target", "bits", "machine"), [("aarch64", 2, 183), ("armv7l", 1, 40)])
def test_the_kernel_takes_programs_of_the_board_only(target: str, bits: int, machine: int) -> None:
    """EXEC and DYN, any OS byte; no program of the host's, none of the other width, no object file."""
    entry = binfmt_entry(target, "/usr/bin/qemu")
    assert entry.split(":")[6] == "/usr/bin/qemu"
    for kind in (2, 3):
        assert _taken(entry, _header(bits, machine, kind, abi=3))
    assert not _taken(entry, _header(2, 62))
    assert not _taken(entry, _header(3 - bits, machine))
    assert not _taken(entry, _header(bits, machine, kind=1))
    assert not _taken(entry, _header(bits, machine, order=2))


def test_libraries_of_the_emulator() -> None:
    """What ldd prints; the kernel's own page has no file."""
    printed = (
        "\tlinux-vdso.so.1 (0x00007ffd5b5f2000)\n"
        "\tlibglib-2.0.so.0 => /lib/x86_64-linux-gnu/libglib-2.0.so.0 (0x00007f16c8a60000)\n"
        "\t/lib64/ld-linux-x86-64.so.2 (0x00007f16c9390000)\n"
    )
    assert [str(p) for p in libraries(printed)] == [
        "/lib/x86_64-linux-gnu/libglib-2.0.so.0",
        "/lib64/ld-linux-x86-64.so.2",
    ]
    assert libraries("\tnot a dynamic executable\n") == []


@pytest.fixture(autouse=True)
def a_program(emulator: Emulator, tmp_path: Path) -> None:
    """The emulator is a program, whose libraries can be asked for."""
    shutil.copy("/bin/true", tmp_path / "tools" / "qemu-aarch64")


def test_a_host_without_user_namespaces(emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason is the system's own word, and there is no half-entered root."""
    (tmp_path / "tools" / "unshare").write_text(
        "#!/bin/sh\necho unshare: unshare failed: Operation not permitted >&2\nexit 1\n", encoding="utf-8"
    )
    (tmp_path / "tools" / "unshare").chmod(0o755)
    machine = Chroot(emulator)
    assert "unshare failed: Operation not permitted" in machine.unavailable
    with pytest.raises(PotstillError, match=r"error\[B030\]: no emulated machine here: unshare: unshare failed"):
        machine.run(["/usr/bin/python3.11"])


def test_a_host_without_unshare(emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "tools"))
    assert "util-linux" in Chroot(emulator).unavailable


def test_the_boards_own_libraries_are_not_hidden(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a host of the board's own machine type, its library folder must not cover the board's."""
    for folder in ("lib", "usr/lib"):
        place = emulator.root / folder / f"{os.uname().machine}-linux-gnu"
        place.mkdir(parents=True)
        (place / "libc.so.6").write_bytes(b"")
    with pytest.raises(PotstillError, match=r"error\[B030\].*install qemu-user-static"):
        Chroot(emulator).run(["/usr/bin/python3.11"])
