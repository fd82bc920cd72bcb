"""Which Debian package brings which tool, and installing the missing ones."""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from potstill.boards import Target
from potstill.errors import BuildError

# Command, or absolute path of a file -> Debian package.
PACKAGES = {
    "cmake": "cmake",
    "ninja": "ninja-build",
    "g++": "g++",
    "flatc": "flatbuffers-compiler",
    "/usr/include/flatbuffers/flatbuffers.h": "libflatbuffers-dev",
    "/usr/src/googletest/googletest/src/gtest-all.cc": "googletest",
    "aarch64-linux-gnu-g++": "g++-aarch64-linux-gnu",
    "arm-linux-gnueabihf-g++": "g++-arm-linux-gnueabihf",
    "qemu-aarch64": "qemu-user",
    "qemu-arm": "qemu-user",
    "gcc": "gcc",
    "llvm-mc-19": "llvm-19",
    "llvm-mca-19": "llvm-19",
    "llvm-nm-19": "llvm-19",
    "valgrind": "valgrind",
    "/usr/include/valgrind/callgrind.h": "valgrind",
    "/usr/include/benchmark/benchmark.h": "libbenchmark-dev",
    "dpkg-deb": "dpkg",
    "objdump": "binutils",
    "pkg-config": "pkgconf",
    "apt-get": "apt",
    "/usr/share/keyrings/debian-archive-keyring.gpg": "debian-archive-keyring",
}
NATIVE = ("cmake", "ninja", "g++", "flatc", "/usr/include/flatbuffers/flatbuffers.h")
CPP_TESTS = (*NATIVE, "/usr/src/googletest/googletest/src/gtest-all.cc")
CPP_BENCH = (*NATIVE, "/usr/include/benchmark/benchmark.h")
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
CYCLES = (*NATIVE, "aarch64-linux-gnu-g++", "qemu-aarch64", KEYRING, "gcc", "llvm-mc-19", "llvm-mca-19", "llvm-nm-19")


def for_board(target: Target) -> tuple[str, ...]:
    """What building for a board's machine type and emulating it need."""
    return (*NATIVE, f"{target.triple}-g++", target.qemu, KEYRING)


def present(tool: str) -> bool:
    """Whether a command is on PATH, or a file is there."""
    return Path(tool).exists() if tool.startswith("/") else shutil.which(tool) is not None


def _package(tool: str) -> str:
    """A machine's own compiler under its cross name (aarch64-linux-gnu-g++ on an aarch64 host) is in g++."""
    return "g++" if tool == f"{platform.machine()}-linux-gnu-g++" else PACKAGES[tool]


def missing_packages(tools: Iterable[str]) -> list[str]:
    """Sorted names of the Debian packages that would bring the absent ones of `tools`."""
    return sorted({_package(tool) for tool in tools if not present(tool)})


INSTALL = ("apt-get", "install", "-y", "--no-install-recommends")


def require(tools: Iterable[str], wanted_by: str) -> None:
    """Check that all `tools` are there.

    Raises:
        BuildError: with the command that installs what is missing.
    """
    tools = list(tools)
    if packages := missing_packages(tools):
        absent = ", ".join(tool for tool in tools if not present(tool))
        raise BuildError("B001", f"not found: {absent}", wanted_by, f"run: sudo {shlex.join([*INSTALL, *packages])}")


def _privilege() -> list[str] | None:
    """What to put before apt-get: nothing for root, sudo if it works without a question or there is a terminal to
    ask on, None if there is no way."""
    if os.geteuid() == 0:
        return []
    if not shutil.which("sudo"):
        return None
    silent = subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False).returncode == 0
    return ["sudo"] if silent or (sys.stdin is not None and sys.stdin.isatty()) else None


def bootstrap(tools: Iterable[str], say: Callable[[str], None]) -> None:
    """Install the Debian packages of absent `tools`; does nothing, and asks for nothing, when all are there.

    Raises:
        BuildError: no apt-get here; apt-get failed; no right to install; each names what is needed.
    """
    packages = missing_packages(tools)
    if not packages:
        return
    named = " ".join(packages)
    if not shutil.which("apt-get"):
        raise BuildError("B004", "no apt-get on this system", "/usr/bin", f"install the equivalents of: {named}")
    command = [*INSTALL, *packages]
    privilege = _privilege()
    if privilege is None:
        what = "Debian packages are missing and this user may not install them"
        raise BuildError("B013", what, named, f"run once: sudo apt-get update && sudo {shlex.join(command)}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for step in (["apt-get", "-q", "update"], command):
        say(shlex.join([*privilege, *step]))
        keyboard = None if privilege else subprocess.DEVNULL  # sudo may ask
        done = subprocess.run([*privilege, *step], env=environment, check=False, stdin=keyboard)
        if done.returncode:
            what = f"apt-get ended with status {done.returncode}"
            raise BuildError("B006", what, shlex.join(step), "see its messages above")
