"""Why the native part of the wheel did not import, and what to do: read only after it failed.

It tells apart: a wheel for another machine or another Python; none at all; a system library that is too old or is not
there; memory pages larger than the wheel is built for; a file system that does not execute files; and what else the
loader says.
"""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from potstill.errors import SystemFailure
from potstill.runtime.elf import PACKAGES, machine_of, modules, python_tag, wheel_file

_WHEELS = ("aarch64", "armv7l", "x86_64")
_BY_MULTIARCH = {"aarch64-linux-gnu": "aarch64", "arm-linux-gnueabihf": "armv7l", "i386-linux-gnu": "i686"}
_VERSION = re.compile(r"([^\s:]+): version `((GLIBC|GLIBCXX|CXXABI)_[\d.]+)' not found")
_ABSENT = re.compile(r"(\S+\.so[\w.]*): cannot open shared object file")
_SOURCE = "or build it here: pip install --no-binary potstill potstill"


@dataclass(frozen=True)
class Interpreter:
    """The Python that runs: its version, its machine (of the userland, not of the kernel), the C library's version."""

    version: tuple[int, int]
    machine: str
    glibc: str

    @classmethod
    def running(cls) -> Interpreter:
        """This process."""
        known = _BY_MULTIARCH.get(getattr(sys.implementation, "_multiarch", ""))
        machine = known or machine_of(Path(sys.executable)) or platform.machine()
        return cls(sys.version_info[:2], machine, _glibc())

    @property
    def name(self) -> str:
        """``3.11 for armv7l (32-bit)``."""
        return f"{self.version[0]}.{self.version[1]} for {_named(self.machine)}"


def _glibc() -> str:
    try:
        return (os.confstr("CS_GNU_LIBC_VERSION") or "").removeprefix("glibc ")
    except (AttributeError, OSError, ValueError):  # another C library, e.g. musl
        return ""


def _glibc_of(path: Path, named: str) -> str:
    """The newest glibc that a file asks for; the loader names only the first one it misses, `named`."""
    try:
        found = re.findall(rb"GLIBC_(\d+)\.(\d+)\0", path.read_bytes())
    except OSError:
        found = []
    major, minor = max([(int(a), int(b)) for a, b in found], default=(0, 0))
    return f"{major}.{minor}" if found else named.removeprefix("GLIBC_")


def _named(machine: str) -> str:
    return f"{machine} ({'64' if machine.endswith('64') else '32'}-bit)"


def _install(python: Interpreter, version: str) -> str:
    if python.machine not in _WHEELS:
        return f"there is no wheel for {python.machine}: build it here: pip install --no-binary potstill potstill"
    return f"install {wheel_file(python.version, python.machine, version)}, {_SOURCE}"


def core_failure(error: ImportError, *, folder: Path | None = None, python: Interpreter | None = None) -> SystemFailure:
    """The error for a native part that did not import.

    Args:
        error: what the import raised.
        folder: of the package; default: this one's.
        python: default: the running one.

    Returns:
        The error; see above.
    """
    from potstill import __version__

    folder = folder or Path(__file__).resolve().parents[1]
    python = python or Interpreter.running()
    files = modules(folder)
    if not files:
        return SystemFailure(
            "S032", "the native part of Potstill is missing", str(folder / "_core*.so"),
            f"this is a source tree or a broken installation: {_install(python, __version__)}",
        )  # fmt: skip
    loaded = [path for path in files if path.name == Path(error.path or "").name]
    return _other_machine(loaded or files, python, __version__) or _loader(str(error), (loaded or files)[0], python)


def _other_machine(files: Sequence[Path], python: Interpreter, version: str) -> SystemFailure | None:
    """The native parts there are for others, whatever the files are called."""
    here = [path for path in files if machine_of(path) in (python.machine, "")]
    if not here:
        machine = machine_of(files[0])
        what = f"this wheel is for {_named(machine)}, and this is Python {python.name}"
        return SystemFailure("S030", what, str(files[0]), _install(python, version))
    tags = [python_tag(path) for path in here]
    if not {"", "cp{}{}".format(*python.version)}.isdisjoint(tags):
        return None
    what = f"this wheel is for Python 3.{tags[0][3:]}, and this is Python {python.name}"
    return SystemFailure("S031", what, str(here[0]), _install(python, version))


def _loader(message: str, path: Path, python: Interpreter) -> SystemFailure:
    """What the dynamic loader's message means."""
    newer = "use a newer system (Raspberry Pi OS 12 has 2.36), " + _SOURCE
    if needed := _VERSION.search(message):
        if needed[3] == "GLIBC":
            what = (
                f"the wheel needs glibc {_glibc_of(path, needed[2])}, this system has {python.glibc or 'an older one'}"
            )
            return SystemFailure("S033", what, str(path), newer)
        what = f"the wheel needs {needed[2]}, which this system's {Path(needed[1]).name} does not have"
        return SystemFailure("S033", what, str(path), "apt-get install --only-upgrade libstdc++6, " + _SOURCE)
    if absent := _ABSENT.search(message):
        library = Path(absent[1]).name
        package = PACKAGES.get(library)
        step = f"sudo apt-get install {package}" if package else f"install the package that has {library}"
        return SystemFailure("S034", f"the shared library {library} is not installed", str(path), step)
    if "alignment not page-aligned" in message or "not properly aligned" in message:
        page = os.sysconf("SC_PAGESIZE") // 1024
        step = "boot a kernel with 4 KiB pages (kernel=kernel8.img in config.txt), or install 64-bit Raspberry Pi OS"
        return SystemFailure("S035", f"the wheel does not fit this kernel's pages of {page} KiB", str(path), step)
    if "failed to map segment" in message:
        step = "move the virtual environment to a file system mounted without noexec"
        return SystemFailure("S037", f"the system does not execute files there ({message})", str(path), step)
    return SystemFailure("S036", f"the native part does not load ({message})", str(path), _SOURCE.removeprefix("or "))
