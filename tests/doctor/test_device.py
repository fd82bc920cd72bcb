"""What the doctor says of recorded boards and hosts."""

from __future__ import annotations

import pytest
from recorded import V8, VNNI, Make, arm, x86

from potstill import _core
from potstill.boards import board, load_boards, this_board
from potstill.doctor import device
from potstill.doctor.check import Check, Findings, Status
from potstill.doctor.system import System, kernel_sets


def _one(findings: Findings, name: str) -> Check:
    (found,) = [check for check in findings.checks if check.name == name]
    return found


def test_kernel_sets_of_recorded_boards(pi3: System) -> None:
    """A Pi 3 has NEON only."""
    assert kernel_sets(pi3) == ["neon", "reference"]
    assert "Cortex-A53: neon" in _one(device.check_machine(pi3), "kernels").seen


def test_pi5(pi5: System) -> None:
    """Dot products, 16 KiB pages, and nothing to warn of."""
    assert kernel_sets(pi5) == ["neon_dotprod", "neon", "reference"]
    assert _one(device.check_machine(pi5), "page size").seen == "16384 bytes"
    state = device.check_state(pi5)
    assert _one(state, "throttling").status is Status.OK
    assert _one(state, "temperature").seen == "48.2 C"
    assert _one(state, "governor").status is Status.NOT_CHECKED


def test_pi4_under_voltage(pi4: System) -> None:
    """0x50005: under-voltage and throttled, now and since boot; the power supply is named."""
    state = device.check_state(pi4)
    found = _one(state, "throttling")
    assert found.status is Status.WARNING
    assert "now: under-voltage, throttled" in found.seen and "power supply" in found.next_step
    assert _one(state, "temperature").status is Status.WARNING
    assert _one(state, "frequency").seen == "600 MHz now, 1800 MHz at most"


def test_throttled_in_the_past(machine: Make) -> None:
    """Only the upper bits: it was hot once."""
    files = arm("Raspberry Pi 4 Model B Rev 1.4", "0xd08", V8)
    system = machine(files, commands={"vcgencmd get_throttled": "throttled=0x80000"})
    found = _one(device.check_state(system), "throttling")
    assert found.status is Status.WARNING and "since boot: soft temperature limit" in found.seen
    assert found.next_step == "cool the board"


def test_32_bit_userland(mixed: System) -> None:
    """uname says aarch64, the process is armv7l."""
    assert kernel_sets(mixed) == ["neon32", "reference"]
    assert "armv7l" in _one(device.check_machine(mixed), "userland").seen


@pytest.mark.parametrize(
    ("flags", "expected"),
    [(VNNI, ["avx512vnni", "avx2", "reference"]), ("avx2", ["avx2", "reference"]), ("", ["reference"])],
)
def test_x86_hosts(machine: Make, flags: str, expected: list[str]) -> None:
    """With VNNI, with AVX2 alone, and an old one, which is warned of."""
    system = machine(x86("AMD EPYC 9R14", flags), machine="x86_64")
    assert kernel_sets(system) == expected
    found = _one(device.check_machine(system), "kernels")
    assert found.status is (Status.WARNING if expected == ["reference"] else Status.OK)


def test_words_of_cpuinfo_agree_with_the_core() -> None:
    """On this machine the words and the core's own detection choose the same sets."""
    assert kernel_sets(System()) == list(_core.kernel_sets())


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        ({"sys/fs/cgroup/cpu.max": "50000 100000\n"}, 0.5),
        ({"sys/fs/cgroup/cpu.max": "max 100000\n"}, None),
        ({"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/cpu.max": "150000 100000\n"}, 1.5),
        (
            {"sys/fs/cgroup/cpu/cpu.cfs_quota_us": "50000\n", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n"},
            0.5,
        ),
        ({"sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n"}, None),
    ],
)
def test_quota(machine: Make, files: dict[str, str | None], quota: float | None) -> None:
    """Version 2, a parent's limit, version 1, and no limit; half a CPU is one thread and a warning."""
    system = machine(files)
    assert system.quota() == quota
    assert system.threads() == (4 if quota is None else 1)
    found = _one(device.check_machine(system), "threads")
    assert found.status is (Status.WARNING if quota == 0.5 else Status.OK)


def test_no_proc(machine: Make) -> None:
    """Nothing of /proc or /sys: said, not guessed, and no exception."""
    system = machine({"proc/meminfo": None})
    found = device.check_machine(system)
    assert _one(found, "kernels").status is Status.NOT_CHECKED
    assert _one(found, "memory").status is Status.NOT_CHECKED
    assert all(check.status is Status.NOT_CHECKED for check in device.check_state(system).checks)


def test_this_board(machine: Make) -> None:
    """The firmware's name, the userland's width and the release choose the entry."""
    root = machine({"proc/device-tree/model": "Raspberry Pi 5 Model B Rev 1.0\0"}).root
    assert this_board(root, bits=64) == board("pi5")
    assert this_board(root, bits=32) == board("pi5-32")
    (root / "etc/os-release").write_text("VERSION_CODENAME=trixie\n", encoding="utf-8")
    assert this_board(root, bits=64) == board("pi5-trixie")
    (root / "proc/device-tree/model").write_text("Raspberry Pi Zero 2 W Rev 1.0", encoding="utf-8")
    assert this_board(root, bits=64) == board("zero2w-trixie")
    (root / "proc/device-tree/model").write_text("Orange Pi 5", encoding="utf-8")
    assert this_board(root, bits=64) is None


def test_every_board_is_recognised(machine: Make) -> None:
    """Each entry's own cpuinfo leads back to it."""
    for entry in load_boards().values():
        release = f"VERSION_CODENAME={entry.system.name}\n"
        root = machine({"proc/cpuinfo": entry.cpuinfo_text(1), "etc/os-release": release}).root
        assert this_board(root, bits=entry.target.bits) == entry
