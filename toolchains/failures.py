"""Potstill's error classes for code that runs before the package is installed."""

from __future__ import annotations

from pathlib import Path

from potstill.errors import BuildError, PotstillError

PROJECT = Path(__file__).resolve().parent.parent

__all__ = ["PROJECT", "PotstillError", "build_error"]


def build_error(code: str, what: str, where: str, next_step: str) -> Exception:
    """A `BuildError` (B...): cross building, wheels, emulation. Numbers in use:

    B001 tool missing, B002 unknown board, B003 boards.toml invalid, B004 not a Debian-like host, B005 no Debian
    mirror known, B006 packages could not be fetched, B007 package could not be unpacked, B008 wheel audit failed,
    B009 wheel build failed, B011 emulated command failed, B012 no CPU build of PyTorch, B013 Debian packages
    missing and no right to install them, B014 target root incomplete, B015 emulated results differ from the host's,
    B016 wrong arguments of a session, B017 no model to run, B018 clang-tidy findings,
    B020 the counting plugin does not compile, B021 a counted program failed or marked no windows, B022 llvm-mca or
    its core is missing or failed, B023 a kernel needs more instructions than its
    baseline, B040 a package of the C library is not as it must be, B041 a program with it gives other answers.
    """
    return BuildError(code, what, where, next_step)
