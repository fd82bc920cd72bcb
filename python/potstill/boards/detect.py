"""Which board this program runs on."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path

from potstill.boards.load import load_boards
from potstill.boards.schema import Board

_MODEL_FILES = ("proc/device-tree/model", "sys/firmware/devicetree/base/model")


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8", "replace").strip("\0\n ")
    except OSError:
        return ""


def model_name(root: Path = Path("/")) -> str:
    """What the firmware calls the board, ``Raspberry Pi 4 Model B Rev 1.4``; else cpuinfo's Model line; else empty."""
    for name in _MODEL_FILES:
        if found := _read(root / name):
            return found
    line = re.search(r"^Model\s*:\s*(.+)$", _read(root / "proc/cpuinfo"), re.MULTILINE)
    return line.group(1).strip() if line else ""


def release_name(root: Path = Path("/")) -> str:
    """VERSION_CODENAME of os-release, ``bookworm``; empty when it is not given."""
    line = re.search(r'^VERSION_CODENAME="?([\w.-]+)', _read(root / "etc/os-release"), re.MULTILINE)
    return line.group(1) if line else ""


def this_board(
    root: Path = Path("/"), *, bits: int | None = None, boards: Mapping[str, Board] | None = None
) -> Board | None:
    """The entry of boards.toml that this program runs on, in the machine type and system of this Python.

    A board is recognised by its title, which must begin the firmware's name of it. A system that no entry has gives
    the board's first system.

    Args:
        root: stands before /proc, /sys and /etc (tests use recorded files).
        bits: 32 or 64 of the userland; by default those of this Python.
        boards: to choose from; by default `load_boards`.

    Returns:
        None when the machine is none of them, or none in this machine type.
    """
    name = model_name(root)
    if not name:
        return None
    width = bits or (64 if sys.maxsize > 2**32 else 32)
    known = (boards or load_boards()).values()
    fitting = [b for b in known if name.startswith(b.title) and b.target.bits == width]
    if not fitting:
        return None
    longest = max(len(b.title) for b in fitting)
    fitting = [b for b in fitting if len(b.title) == longest]
    release = release_name(root)
    return next((b for b in fitting if b.system.name == release), fitting[0])
