"""The wheel that fits, and installed modules that do not."""

from __future__ import annotations

import shutil
import struct
from pathlib import Path

import pytest
from recorded import VNNI, Make, arm, x86

import potstill
from potstill import _core
from potstill.doctor import wheel
from potstill.doctor.check import Check, Status
from potstill.doctor.system import System
from potstill.errors import SystemFailure
from potstill.runtime.elf import read_elf

CORE = Path(str(_core.__file__))


@pytest.mark.parametrize(
    ("facts", "ending"),
    [
        ({"machine": "aarch64", "bits": 64, "python": (3, 13)}, "cp313-cp313-manylinux_*_aarch64.whl"),
        ({"machine": "aarch64", "bits": 32}, "cp311-cp311-manylinux_*_armv7l.whl"),
        ({"machine": "armv7l", "bits": 32}, "cp311-cp311-manylinux_*_armv7l.whl"),
        ({"machine": "armv8l", "bits": 32}, "cp311-cp311-manylinux_*_armv7l.whl"),
        ({"machine": "x86_64", "bits": 64}, "cp311-cp311-manylinux_*_x86_64.whl"),
        ({"machine": "armv6l", "bits": 32}, ""),
        ({"machine": "x86_64", "bits": 32}, ""),
    ],
)
def test_the_wheel_that_fits(machine: Make, facts: dict[str, object], ending: str) -> None:
    """By Python, kernel and userland; ARMv6 and 32-bit x86 have none."""
    name = wheel.wheel_name(machine(**facts))
    assert name.endswith(ending) and bool(name) == bool(ending)


def _checks(system: System, package: Path) -> dict[str, Check]:
    return {check.name: check for check in wheel.check(system, package).checks}


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """This machine's module, in a folder of its own."""
    package = tmp_path / "site" / "potstill"
    package.mkdir(parents=True)
    shutil.copy2(CORE, package / CORE.name)
    return package


def _patched(package: Path, offset: int, value: bytes) -> None:
    (path,) = package.glob("_core*.so")
    data = bytearray(path.read_bytes())
    data[offset : offset + len(value)] = value
    path.write_bytes(data)


def test_this_installation() -> None:
    """What runs here is found right."""
    found = _checks(System(), Path(str(potstill.__file__)).parent)
    assert found["fits here"].status is Status.OK
    assert found["import"].status is Status.OK and found["libraries"].status is Status.OK


def test_elf_reader() -> None:
    """Machine, libraries and versions of a real module; anything else is S070."""
    elf = read_elf(CORE)
    assert elf.bits == 64 and elf.machine in ("x86_64", "aarch64")
    assert "libc.so.6" in elf.needed and (2, 17) <= elf.glibc <= (2, 36)
    for damage in (b"", b"\x7fELF", CORE.read_bytes()[:200]):
        bad = CORE.parent / "no-such-module.so"
        with pytest.raises(SystemFailure) as error:
            read_elf(bad) if not damage else _read_bytes(damage)
        assert error.value.code == "S070"


def _read_bytes(data: bytes) -> None:
    import tempfile

    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        read_elf(Path(file.name))


def test_wheel_of_another_machine(installed: Path, machine: Make) -> None:
    """e_machine says Arm: the machine it was made for and the wheel to install are named."""
    _patched(installed, 18, struct.pack("<H", 40))
    system = machine(x86("AMD EPYC", VNNI), machine="x86_64")
    found = _checks(system, installed)[CORE.name]
    assert found.status is Status.FAILURE
    assert "made for armv7l" in found.seen and "x86_64.whl" in found.next_step


def test_64_bit_wheel_on_a_32_bit_python(installed: Path, mixed: System) -> None:
    """The usual mistake: uname says aarch64."""
    _patched(installed, 18, struct.pack("<H", 183))
    found = _checks(mixed, installed)[CORE.name]
    assert found.status is Status.FAILURE and "armv7l.whl" in found.next_step


def test_wheel_of_another_python(installed: Path, machine: Make) -> None:
    """Files of cp311 under 3.13."""
    system = machine(x86("AMD EPYC", VNNI), machine="x86_64", python=(3, 99))
    found = _checks(system, installed)[CORE.name]
    assert found.status is Status.FAILURE and "this Python is cp399" in found.seen


def test_old_glibc(installed: Path, machine: Make) -> None:
    """Needed and present version are named."""
    system = machine(x86("AMD EPYC", VNNI), machine="x86_64", libc=("glibc", "2.5"))
    found = _checks(system, installed)[CORE.name]
    assert found.status is Status.FAILURE and "this system has 2.5" in found.seen


def test_musl(installed: Path, machine: Make) -> None:
    """Another C library has no wheels."""
    system = machine(x86("AMD EPYC", VNNI), machine="x86_64", libc=("musl", "1.2"))
    assert _checks(system, installed)["C library"].status is Status.FAILURE


def test_large_pages(installed: Path, machine: Make) -> None:
    """A module aligned to less than a page cannot be mapped."""
    system = machine(x86("AMD EPYC", VNNI), machine="x86_64", page_size=1 << 24)
    found = _checks(system, installed)[CORE.name]
    assert found.status is Status.FAILURE and "pages" in found.seen


def test_missing_libraries(installed: Path, machine: Make) -> None:
    """An empty root has no libstdc++: the Debian package is named."""
    found = _checks(machine(x86("AMD EPYC", VNNI), machine="x86_64"), installed)["libraries"]
    assert found.status is Status.FAILURE and "libstdc++6" in found.next_step


def test_nothing_installed(tmp_path: Path, machine: Make) -> None:
    """A source tree without a build."""
    found = _checks(machine(arm("Raspberry Pi 4", "0xd08", "asimd")), tmp_path)["compiled core"]
    assert found.status is Status.FAILURE and "aarch64.whl" in found.next_step
