"""Recorded machines: the files and commands that the doctor reads, as Linux prints them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from recorded import A76, COMPAT, MEMINFO, RELEASE, V8, Make, arm

from potstill.doctor.system import System


@pytest.fixture
def machine(tmp_path: Path) -> Make:
    """A function that records a machine: ``files`` by path beside the usual ones; ``None`` removes one."""

    def make(files: dict[str, str | None] | None = None, **facts: Any) -> System:
        usual: dict[str, str | None] = {
            "etc/os-release": RELEASE,
            "proc/meminfo": MEMINFO.format(total=1894912, free=1203456, available=1603456),
        }
        for name, text in {**usual, **(files or {})}.items():
            if text is not None:
                path = tmp_path / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
        settings: dict[str, Any] = {
            "machine": "aarch64", "bits": 64, "python": (3, 11), "libc": ("glibc", "2.36"), "page_size": 4096,
            "affinity": 4, "commands": {},
        }  # fmt: skip
        return System(root=tmp_path, live=False, **{**settings, **facts})

    return make


@pytest.fixture
def pi3(machine: Make) -> System:
    """Raspberry Pi 3."""
    return machine(arm("Raspberry Pi 3 Model B Rev 1.2", "0xd03", V8))


@pytest.fixture
def pi4(machine: Make) -> System:
    """A Pi 4 on a weak power supply, warm."""
    files = arm("Raspberry Pi 4 Model B Rev 1.4", "0xd08", V8)
    files["sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"] = "ondemand\n"
    files["sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq"] = "600000\n"
    files["sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq"] = "1800000\n"
    commands = {"vcgencmd get_throttled": "throttled=0x50005", "vcgencmd measure_temp": "temp=78.4'C"}
    return machine(files, commands=commands)


@pytest.fixture
def pi5(machine: Make) -> System:
    """A Pi 5 with its usual kernel of 16 KiB pages, all well."""
    files = arm("Raspberry Pi 5 Model B Rev 1.0", "0xd0b", A76)
    files["sys/class/thermal/thermal_zone0/temp"] = "48250\n"
    return machine(files, page_size=16384, commands={"vcgencmd get_throttled": "throttled=0x0"})


@pytest.fixture
def mixed(machine: Make) -> System:
    """32-bit userland on the 64-bit kernel of a Pi 4."""
    return machine(arm("Raspberry Pi 4 Model B Rev 1.4", "0xd08", COMPAT), bits=32)
