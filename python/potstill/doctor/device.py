"""The machine that runs models: CPU, memory, clock, heat."""

from __future__ import annotations

import contextlib
import importlib
import os
import re
from pathlib import Path

from potstill import boards
from potstill.doctor.check import Findings
from potstill.doctor.system import System, kernel_sets, nearest, wheel_machine

_MB = 1e6
# Bits of `vcgencmd get_throttled` (Raspberry Pi documentation, "vcgencmd"): now in 0-3, since boot in 16-19.
_THROTTLED = {0: "under-voltage", 1: "Arm frequency capped", 2: "throttled", 3: "soft temperature limit"}
# A Pi slows down at 80-85 degrees Celsius; from here on a long run will get there.
_WARM = 75.0


def check_machine(system: System) -> Findings:
    """CPU, kernel set, userland, pages, memory, threads."""
    findings = Findings("Machine")
    board = boards.model_name(system.root)
    release = re.search(r'^PRETTY_NAME="?([^"\n]+)', system.read("/etc/os-release") or "", re.MULTILINE)
    libc = " ".join(part for part in system.libc if part)
    known = [part for part in (board, release.group(1) if release else "", libc) if part]
    findings.ok("system", ", ".join(known) or "unknown")
    _check_cpu(findings, system)
    if system.machine in ("aarch64", "arm64") and system.bits == 32:
        findings.ok("userland", "32-bit on a 64-bit kernel: uname says aarch64, but only armv7l wheels install")
    else:
        findings.ok("userland", f"{system.bits}-bit")
    findings.ok("page size", f"{system.page_size} bytes")
    memory = system.memory()
    if memory is None:
        findings.unknown("memory", "/proc/meminfo cannot be read")
    else:
        findings.ok("memory", f"{memory[1] / _MB:,.0f} MB free of {memory[0] / _MB:,.0f} MB")
    quota = system.quota()
    limits = f"{system.affinity} CPUs allowed" + ("" if quota is None else f", control group allows {quota:g}")
    asked = os.environ.get("POTSTILL_NUM_THREADS") if system.live else None
    if quota is not None and quota < 1:
        step = "give the container at least one CPU, or expect pauses of up to a tenth of a second in a forward"
        findings.warning("threads", f"1 by default; {limits}", step)
    else:
        own = f"; POTSTILL_NUM_THREADS={asked}" if asked else ""
        findings.ok("threads", f"{system.threads()} by default; {limits}{own}")
    return findings


def _check_cpu(findings: Findings, system: System) -> None:
    sets = kernel_sets(system)
    name = system.cpu_name() or system.machine
    if system.live:
        with contextlib.suppress(ImportError):  # the wheel's section says why; /proc/cpuinfo answers instead
            sets = list(importlib.import_module("potstill._core").kernel_sets())
    elif not system.cpu_features():
        findings.unknown("kernels", f"{name}: /proc/cpuinfo cannot be read")
        return
    if sets[0] == "reference":
        machine = wheel_machine(system.machine, system.bits)
        slowest = [row for row in boards.kernel_sets() if row.machine == machine][-1:]
        step = "; ".join(
            ["models run, many times slower", *(f"use a CPU with {' and '.join(sorted(row.needs))}" for row in slowest)]
        )
        findings.warning("kernels", f"{name}: only the portable reference kernels", step)
    else:
        findings.ok("kernels", f"{name}: {sets[0]}" + (f" (also {', '.join(sets[1:])})" if len(sets) > 1 else ""))


def check_state(system: System) -> Findings:
    """Governor, frequency, temperature, throttling: what makes a board slower than its data sheet."""
    findings = Findings("Clock and heat")
    _check_clock(findings, system)
    _check_heat(findings, system)
    _check_throttling(findings, system)
    return findings


def _check_clock(findings: Findings, system: System) -> None:
    folder = "/sys/devices/system/cpu/cpu0/cpufreq"
    governor = system.read(f"{folder}/scaling_governor")
    now, most = system.number(f"{folder}/scaling_cur_freq"), system.number(f"{folder}/cpuinfo_max_freq")
    if governor is None:
        findings.unknown("governor", "no cpufreq in /sys (usual in virtual machines)")
    elif governor == "powersave":
        step = "echo ondemand | sudo tee /sys/devices/system/cpu/cpufreq/policy0/scaling_governor"
        findings.warning("governor", "powersave: the lowest clock", step)
    else:
        findings.ok("governor", governor)
    if now and most:
        findings.ok("frequency", f"{now / 1000:.0f} MHz now, {most / 1000:.0f} MHz at most")


def _temperature(system: System) -> float | None:
    told = system.run("vcgencmd", "measure_temp")
    if told and (found := re.search(r"temp=([\d.]+)", told)):
        return float(found[1])
    zone = system.number("/sys/class/thermal/thermal_zone0/temp")
    return zone / 1000 if zone is not None else None


def _check_heat(findings: Findings, system: System) -> None:
    heat = _temperature(system)
    if heat is None:
        findings.unknown("temperature", "no sensor")
    elif heat >= _WARM:
        findings.warning("temperature", f"{heat:.1f} C", "cool the board: it slows down from 80 C")
    else:
        findings.ok("temperature", f"{heat:.1f} C")


def _throttled(system: System) -> int | None:
    told = system.run("vcgencmd", "get_throttled")
    if told and (found := re.search(r"throttled=(0x[0-9a-fA-F]+)", told)):
        return int(found[1], 16)
    for path in ("/sys/devices/platform/soc/soc:firmware/get_throttled",):
        text = system.read(path)
        if text and re.fullmatch(r"(0x)?[0-9a-fA-F]+", text):
            return int(text, 16)
    return None


def _check_throttling(findings: Findings, system: System) -> None:
    bits = _throttled(system)
    if bits is None:
        findings.unknown("throttling", "no vcgencmd: not a Raspberry Pi, or its tools are not installed")
        return
    now = [word for bit, word in _THROTTLED.items() if bits >> bit & 1]
    before = [word for bit, word in _THROTTLED.items() if bits >> (bit + 16) & 1]
    power = "use the board's own power supply and a short cable"
    cool = "cool the board"
    step = power if "under-voltage" in now + before else cool
    if now:
        findings.warning("throttling", f"now: {', '.join(now)} (0x{bits:x})", step)
    elif before:
        findings.warning("throttling", f"since boot: {', '.join(before)} (0x{bits:x})", step)
    else:
        findings.ok("throttling", "none since boot")


def check_writable(system: System, folders: list[Path]) -> Findings:
    """Folders that commands write into; running a model needs none."""
    findings = Findings("Disk")
    for folder in folders:
        if os.access(nearest(folder), os.W_OK):
            findings.ok(str(folder), "can be written")
        else:
            step = "running models needs no writable folder; for builds choose another with --out or POTSTILL_CACHE"
            findings.warning(str(folder), "cannot be written", step)
    return findings
