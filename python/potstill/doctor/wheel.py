"""Which wheel fits this Python, and whether the installed one does."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

from potstill.doctor.check import Findings
from potstill.doctor.system import System, wheel_machine
from potstill.errors import PotstillError
from potstill.runtime.elf import PACKAGES, Elf, modules, python_tag, read_elf, wheel_file


def wheel_name(system: System) -> str:
    """The wheel that fits, with ``*`` for version and glibc floor; empty when there is none.

    A 32-bit Python needs armv7l, whatever the kernel's machine is.
    """
    machine = wheel_machine(system.machine, system.bits)
    return wheel_file(system.python, machine) if machine else ""


def _glibc(text: str) -> tuple[int, int]:
    found = re.match(r"(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def check(system: System, package: Path) -> Findings:
    """The wheel that fits, the one installed in `package`, and what its module needs."""
    findings = Findings("Wheel")
    fitting = wheel_name(system)
    kind = f"{system.bits}-bit Python {system.python[0]}.{system.python[1]} on {system.machine}"
    if fitting:
        findings.ok("fits here", f"{fitting}  ({kind})")
    else:
        where = "ARMv6 boards (Pi 1, Zero) and 32-bit x86 have none"
        findings.failure("fits here", f"no wheel for a {kind}", f"use a 64-bit system; {where}")
    if system.libc[0] and system.libc[0] != "glibc":
        findings.failure("C library", " ".join(system.libc), "use a system with glibc: wheels for musl are not made")
    found = modules(package)
    if not found:
        findings.failure("compiled core", f"no potstill/_core*.so in {package}", f"pip install {fitting or 'a wheel'}")
        return findings
    for path in found:
        _check_module(findings, system, path, fitting)
    if system.live:
        _try_import(findings)
    return findings


def _check_module(findings: Findings, system: System, path: Path, fitting: str) -> None:
    try:
        elf = read_elf(path)
    except PotstillError as error:
        findings.failure(path.name, error.what, error.next_step)
        return
    wanted = wheel_machine(system.machine, system.bits) or system.machine
    if elf.machine != wanted:
        seen = f"made for {elf.machine} ({elf.bits}-bit), this Python is {system.bits}-bit on {system.machine}"
        findings.failure(path.name, seen, f"pip uninstall potstill, then install {fitting}")
        return
    tag = f"cp{system.python[0]}{system.python[1]}"
    if python_tag(path) not in ("", tag):
        findings.failure(path.name, f"made for {python_tag(path)}, this Python is {tag}", f"install {fitting}")
        return
    here = _glibc(system.libc[1])
    if system.libc[0] == "glibc" and here < elf.glibc:
        seen = f"needs glibc {elf.glibc[0]}.{elf.glibc[1]}, this system has {system.libc[1]}"
        findings.failure(path.name, seen, "use a newer system, or build on this one: pip install potstill-*.tar.gz")
        return
    if 0 < elf.alignment < system.page_size:
        seen = f"aligned to {elf.alignment} bytes, this kernel has pages of {system.page_size}"
        findings.failure(path.name, seen, "install a wheel of this project, or boot a kernel with smaller pages")
        return
    libc = f"needs glibc {elf.glibc[0]}.{elf.glibc[1]}, here {system.libc[1] or 'unknown'}"
    findings.ok(path.name, f"{elf.machine}, {libc}")
    _check_libraries(findings, system, elf)


def _check_libraries(findings: Findings, system: System, elf: Elf) -> None:
    absent = []
    for name in elf.needed:
        present = _loadable(name) if system.live else _on_disk(system, name)
        if not present:
            absent.append(name)
    if absent:
        packages = " ".join(PACKAGES.get(name, name) for name in absent)
        findings.failure("libraries", f"missing: {', '.join(absent)}", f"sudo apt-get install {packages}")
    else:
        findings.ok("libraries", ", ".join(elf.needed) or "none needed")


def _loadable(name: str) -> bool:
    import ctypes

    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True


def _on_disk(system: System, name: str) -> bool:
    return any(any(system.root.glob(f"{folder}/{name}")) for folder in ("lib", "lib/*", "usr/lib", "usr/lib/*"))


def _try_import(findings: Findings) -> None:
    try:
        importlib.import_module("potstill._core")
    except ImportError as error:
        findings.failure("import", str(error), "see the lines above")
    else:
        findings.ok("import", "potstill._core loads")
