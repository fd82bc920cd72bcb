"""Everything the doctor reads of a machine, behind one object that tests fill from recorded files."""

from __future__ import annotations

import os
import platform
import re
import shutil
import struct
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from potstill.boards import sets_for

_RUN_SECONDS = 10.0


def _affinity() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except (AttributeError, OSError):
        return os.cpu_count() or 1


def _page_size() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return 4096


@dataclass(frozen=True)
class System:
    """A machine. The defaults are this one's.

    Attributes:
        root: stands before every absolute path that is read.
        machine: of the kernel, as ``uname -m`` says it.
        bits: of this Python: 32 or 64.
        python: version of this Python.
        libc: name and version of its C library.
        page_size: bytes.
        affinity: CPUs this process may run on.
        commands: recorded output by command line; None: commands are really run.
        live: whether `root` is this machine, so that modules may be loaded and folders tried.
    """

    root: Path = Path("/")
    machine: str = field(default_factory=platform.machine)
    bits: int = struct.calcsize("P") * 8
    python: tuple[int, int] = (sys.version_info[0], sys.version_info[1])
    libc: tuple[str, str] = field(default_factory=platform.libc_ver)
    page_size: int = field(default_factory=_page_size)
    affinity: int = field(default_factory=_affinity)
    commands: dict[str, str] | None = None
    live: bool = True

    def read(self, path: str) -> str | None:
        """Text of a file, stripped; None when it cannot be read."""
        try:
            return (self.root / path.lstrip("/")).read_bytes().decode("utf-8", "replace").strip("\0\n ")
        except OSError:
            return None

    def number(self, path: str) -> int | None:
        """The whole number a file holds."""
        text = self.read(path)
        return int(text) if text is not None and re.fullmatch(r"-?\d+", text) else None

    def run(self, *command: str) -> str | None:
        """What a command prints; None when it is absent or fails."""
        if self.commands is not None:
            return self.commands.get(" ".join(command))
        if shutil.which(command[0]) is None:
            return None
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, check=False, timeout=_RUN_SECONDS, stdin=subprocess.DEVNULL
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    def cpu_features(self) -> set[str]:
        """Flags (x86) or Features (Arm) of the first processor in /proc/cpuinfo."""
        text = self.read("/proc/cpuinfo") or ""
        line = re.search(r"^(?:flags|Features)\s*:\s*(.*)$", text, re.MULTILINE)
        return set(line.group(1).split()) if line else set()

    def cpu_name(self) -> str:
        """``model name`` (x86), else implementer and part, else empty."""
        text = self.read("/proc/cpuinfo") or ""
        name = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
        if name:
            return name.group(1).strip()
        part = re.search(r"^CPU part\s*:\s*(\S+)$", text, re.MULTILINE)
        return _PARTS.get(part.group(1).lower(), f"Arm CPU part {part.group(1)}") if part else ""

    def memory(self) -> tuple[int, int] | None:
        """Bytes of memory, in all and available, from /proc/meminfo."""
        text = self.read("/proc/meminfo") or ""
        found: dict[str, str] = dict(re.findall(r"^(\w+):\s+(\d+) kB$", text, re.MULTILINE))
        if "MemTotal" not in found:
            return None
        available = found.get("MemAvailable") or found.get("MemFree") or "0"
        return int(found["MemTotal"]) * 1024, int(available) * 1024

    def quota(self) -> float | None:
        """CPUs that the control group allows: cpu.max of version 2, the cfs files of version 1. None: no limit, or
        unknown. The core reads them the same way (cpp/src/parallel/threads.cpp)."""
        limits = []
        for folder in self._groups():
            if text := self.read(f"{folder}/cpu.max"):
                words = text.split()
                if len(words) == 2 and words[0] != "max" and float(words[1]) > 0:
                    limits.append(float(words[0]) / float(words[1]))
            allowed, period = self.number(f"{folder}/cpu.cfs_quota_us"), self.number(f"{folder}/cpu.cfs_period_us")
            if allowed and period and allowed > 0 and period > 0:
                limits.append(allowed / period)
        return min(limits) if limits else None

    def _groups(self) -> list[str]:
        """Folders of this process's control group and all above it, of either version."""
        folders = ["/sys/fs/cgroup", "/sys/fs/cgroup/cpu", "/sys/fs/cgroup/cpu,cpuacct"]
        for line in (self.read("/proc/self/cgroup") or "").splitlines():
            fields = line.split(":", 2)
            if len(fields) != 3 or (fields[1] and "cpu" not in fields[1].split(",")):
                continue
            base = f"/sys/fs/cgroup/{fields[1]}" if fields[1] else "/sys/fs/cgroup"
            parts = [part for part in fields[2].split("/") if part]
            folders += ["/".join([base, *parts[:depth]]) for depth in range(1, len(parts) + 1)]
        return folders

    def threads(self) -> int:
        """Threads a model uses by default: POTSTILL_NUM_THREADS apart, affinity and whole CPUs of the quota."""
        quota = self.quota()
        return self.affinity if quota is None else max(1, min(self.affinity, int(quota)))


_PARTS = {
    "0xb76": "ARM1176 (ARMv6)",
    "0xc07": "Cortex-A7",
    "0xd03": "Cortex-A53",
    "0xd05": "Cortex-A55",
    "0xd08": "Cortex-A72",
    "0xd0b": "Cortex-A76",
}


def nearest(folder: Path) -> Path:
    """The folder, or the nearest above it that exists."""
    return next((place for place in (folder, *folder.parents) if place.exists()), folder)


def wheel_machine(machine: str, bits: int) -> str:
    """Machine of the wheels that fit a process: a 32-bit Python on a 64-bit Arm kernel needs armv7l. Empty: none."""
    if machine in ("x86_64", "AMD64"):
        return "x86_64" if bits == 64 else ""
    if machine in ("aarch64", "arm64"):
        return "aarch64" if bits == 64 else "armv7l"
    return "armv7l" if machine.startswith(("armv7", "armv8")) else ""


def kernel_sets(system: System) -> list[str]:
    """Kernel sets by /proc/cpuinfo, best first, ``reference`` last.

    A 32-bit process on a 64-bit kernel may be shown the 64-bit words: ASIMD has all that 32-bit NEON has.
    """
    machine, features = wheel_machine(system.machine, system.bits), system.cpu_features()
    if machine == "armv7l" and "asimd" in features:
        features |= {"neon", "vfpv4"}
    return sets_for(machine, features)
