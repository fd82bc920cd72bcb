"""What Linux prints on machines that are not here."""

from __future__ import annotations

from collections.abc import Callable

from potstill.doctor.system import System

_ARM = """processor\t: 0
BogoMIPS\t: 108.00
Features\t: {features}
CPU implementer\t: 0x41
CPU architecture: {architecture}
CPU variant\t: 0x0
CPU part\t: {part}
CPU revision\t: 3

Revision\t: c03114
Serial\t\t: 100000003d1a2b3c
Model\t\t: {model}
"""
_X86 = """processor\t: 0
vendor_id\t: {vendor}
cpu family\t: 25
model name\t: {name}
flags\t\t: fpu vme sse sse2 ssse3 fma sse4_1 sse4_2 avx {flags}
bugs\t\t: spectre_v1
"""
MEMINFO = "MemTotal:        {total} kB\nMemFree:         {free} kB\nMemAvailable:    {available} kB\nBuffers:  1 kB\n"
RELEASE = 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nVERSION_CODENAME=bookworm\nID=debian\n'

V8 = "fp asimd evtstrm crc32 cpuid"
A76 = "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp"
COMPAT = "half thumb fastmult vfp edsp neon vfpv3 tls vfpv4 idiva idivt vfpd32 lpae evtstrm crc32"
VNNI = "avx2 avx512f avx512dq avx512bw avx512vl avx512_vnni"

Make = Callable[..., System]


def arm(model: str, part: str, features: str, architecture: int = 8) -> dict[str, str | None]:
    """cpuinfo and device tree of a Raspberry Pi."""
    text = _ARM.format(model=model, part=part, features=features, architecture=architecture)
    return {"proc/cpuinfo": text, "proc/device-tree/model": model + "\0"}


def x86(name: str, flags: str, vendor: str = "AuthenticAMD") -> dict[str, str | None]:
    """cpuinfo of a PC."""
    return {"proc/cpuinfo": _X86.format(name=name, flags=flags, vendor=vendor)}
