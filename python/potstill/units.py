"""Sizes as people write them."""

from __future__ import annotations

_UNITS = (("KB", 10**3), ("MB", 10**6), ("GB", 10**9), ("K", 10**3), ("M", 10**6), ("G", 10**9), ("B", 1))


def parse_bytes(text: str) -> int:
    """Bytes of a size such as ``"4MB"``, ``"500 kB"`` or ``"2097152"``; units are powers of 1000.

    Raises:
        ValueError: not a size of one byte or more.
    """
    number, factor = text.strip(), 1
    for unit, value in _UNITS:
        if number.upper().endswith(unit):
            number, factor = number[: -len(unit)], value
            break
    try:
        size = int(float(number) * factor)
    except (ValueError, OverflowError):
        size = 0
    if size < 1:
        raise ValueError(f"{text!r} is not a size; write it as 4MB, 500kB or 2000000")
    return size


def show_bytes(size: float) -> str:
    """``"3.94 MB"``, or ``"812 kB"`` under a megabyte."""
    return f"{size / 1e6:.2f} MB" if size >= 1e6 else f"{size / 1e3:.0f} kB"
