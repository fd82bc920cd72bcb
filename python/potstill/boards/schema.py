"""The entries of boards.toml as dataclasses; `load` makes and checks them."""

from __future__ import annotations

import os
from dataclasses import dataclass

from potstill.boards.kernel_sets import sets_for


@dataclass(frozen=True)
class Target:
    """One machine type: compiler, emulator and ELF facts.

    Attributes:
        triple: of the cross compiler.
        toolchain: CMake toolchain file in toolchains/cmake/.
        debian: Debian's name of the architecture.
        wheel: machine part of a wheel's platform tag; also what ``platform.machine()`` says under a kernel of its own.
        elf, bits, load_alignment: what an ELF file of it must show; alignment in bytes.
        apt: Debian packages a build host needs.
    """

    name: str
    triple: str
    toolchain: str
    debian: str
    wheel: str
    qemu: str
    elf: str
    bits: int
    load_alignment: int
    apt: tuple[str, ...]


@dataclass(frozen=True)
class System:
    """One Raspberry Pi OS release, by the name of its Debian suite; `packages` make its unpacked root."""

    name: str
    python: str
    glibc: str
    packages: tuple[str, ...]


@dataclass(frozen=True)
class CpuInfo:
    """What /proc/cpuinfo says of each core; `features` are those a process of the variant's machine type sees."""

    features: str
    implementer: int
    architecture: int
    variant: int
    part: int
    revision: int


@dataclass(frozen=True)
class Memory:
    """Main memory as a stream of weights sees it, GB/s (1e9 bytes): one core reading, all cores reading."""

    read_gb_s_one: float
    read_gb_s_all: float
    last_cache_kb: int
    source: str


@dataclass(frozen=True)
class Board:
    """One board with one system in one machine type.

    Attributes:
        name: ``pi4``; ``pi4-32`` for its second machine type, ``pi4-trixie`` for its second system.
        hardware: the entry in the file, ``pi4`` for all of these.
        core: the real CPU core, in the compilers' spelling.
        qemu_cpu: always passed to the emulator; for 32-bit userlands the nearest core that qemu-arm has.
        page_size: bytes.
    """

    name: str
    hardware: str
    title: str
    target: Target
    system: System
    core: str
    qemu_cpu: str
    clock_mhz: int
    cores: int
    ram_mb: int
    page_size: int
    memory: Memory
    cpuinfo: CpuInfo

    @property
    def kernels(self) -> list[str]:
        """Kernel sets it runs, best first, ``reference`` last."""
        return sets_for(self.target.wheel, self.cpuinfo.features.split())

    def cpuinfo_text(self, processors: int | None = None) -> str:
        """/proc/cpuinfo of this board.

        Args:
            processors: entries to write; by default as many as this host has, since the emulator shows the host's
                count by every other way and libraries that see two different counts fail.
        """
        info = self.cpuinfo
        core = (
            f"BogoMIPS\t: 108.00\nFeatures\t: {info.features}\nCPU implementer\t: 0x{info.implementer:02x}\n"
            f"CPU architecture: {info.architecture}\nCPU variant\t: 0x{info.variant:x}\n"
            f"CPU part\t: 0x{info.part:03x}\nCPU revision\t: {info.revision}\n\n"
        )
        count = processors or os.cpu_count() or 1
        return "".join(f"processor\t: {i}\n{core}" for i in range(count)) + f"Model\t\t: {self.title}\n"


def glibc_version(text: str) -> tuple[int, int]:
    """``"2.36"`` as ``(2, 36)``."""
    major, minor = text.split(".")
    return int(major), int(minor)
