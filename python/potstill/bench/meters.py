"""Power meters of a machine: those of a Raspberry Pi 5, sensors the kernel knows, energy counters of x86 processors.

To add a kind: a function that finds its meters, in `FINDERS`. Files are read below a root, programs are run through a
function: tests feed what real machines gave.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_TIME_LIMIT = 5.0
NEEDED = (
    "a Raspberry Pi 5 (vcgencmd, its power chip's own meters), an INA219/INA226/INA260 in the supply line with its "
    "kernel driver (dtoverlay=i2c-sensor,ina219), or an x86 machine whose RAPL counters may be read"
)
_GPUS = ("amdgpu", "nouveau", "radeon", "xe", "i915")

Run = Callable[[Sequence[str]], str]


@dataclass(frozen=True)
class Meter:
    """Something that measures power or energy.

    Attributes:
        name: shown.
        covers: what it measures and leaves out, in words.
        read: watts now, or with `counter` joules since some time in the past; raises OSError or ValueError.
        counter: joules, not watts.
        wraps_at: joules at which a counter starts again from 0; 0 for never.
    """

    name: str
    covers: str
    read: Callable[[], float]
    counter: bool = False
    wraps_at: float = 0.0


@dataclass
class Found:
    """Meters of a machine, and notes on those that are there but cannot be read."""

    meters: list[Meter] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def run_program(command: Sequence[str]) -> str:
    """Standard output of a program. Raises OSError when it is missing, fails or hangs."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=_TIME_LIMIT, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired as error:
        raise TimeoutError(f"{command[0]} does not answer") from error
    if done.returncode or "error=" in done.stdout:
        raise OSError((done.stderr.strip() or done.stdout.strip() or f"status {done.returncode}")[:200])
    return done.stdout


def pmic_watts(text: str) -> float:
    """Sum of volts x amperes over the rails in the output of ``vcgencmd pmic_read_adc``; a rail without both counts
    nothing (EXT5V and BATT are volts alone). Raises ValueError when there is no rail."""
    amperes: dict[str, float] = {}
    volts: dict[str, float] = {}
    for rail, kind, value in re.findall(
        r"^\s*(\w+)_[AV]\s+(current|volt)\(\d+\)=([0-9.]+)[AV]\s*$", text, re.MULTILINE
    ):
        (amperes if kind == "current" else volts)[rail] = float(value)
    rails = amperes.keys() & volts.keys()
    if not rails:
        raise ValueError("vcgencmd pmic_read_adc names no rail")
    return sum(amperes[rail] * volts[rail] for rail in rails)


def find_pmic(root: Path, run: Run) -> Found:
    """The Pi 5's power management chip. Older boards have no current meters there."""

    def read() -> float:
        return pmic_watts(run(["vcgencmd", "pmic_read_adc"]))

    try:
        read()
    except FileNotFoundError:
        return Found()  # no Raspberry Pi, or a system without its tools
    except (OSError, ValueError) as error:
        note = f"vcgencmd: {error}"
        if re.search(r"permission|vcio|vchi", note, re.IGNORECASE):
            note += "; add the user to the group video"
        elif re.search(r"not registered|no rail", note, re.IGNORECASE):
            note += "; only a Pi 5 measures its own power"
        return Found(notes=[note])
    covers = (
        "the rails of the Pi 5's power chip; without the 5 V of USB ports, fan and HATs and without conversion losses "
        "(others measured 1.15 x + 0.6 W at the plug)"
    )
    return Found([Meter("Pi 5 PMIC", covers, read)])


def _number(path: Path) -> float:
    return float(path.read_text(encoding="ascii"))


def find_hwmon(root: Path, run: Run) -> Found:
    """Power sensors of the kernel: power*_input in microwatts, or curr*_input (mA) x in*_input (mV) of one channel."""
    found = Found()
    for device in sorted((root / "sys/class/hwmon").glob("hwmon*")):
        try:
            name = (device / "name").read_text(encoding="utf-8").strip()
        except OSError:
            continue
        powers = [(path,) for path in sorted(device.glob("power*_input"))]
        pairs: list[tuple[Path, ...]] = list(powers)
        if not powers:
            currents = sorted(device.glob("curr*_input"))
            pairs = [(c, v) for c in currents if (v := device / c.name.replace("curr", "in")).is_file()]
        if name in _GPUS or not pairs:
            continue

        def read(pairs: list[tuple[Path, ...]] = pairs) -> float:
            total = 0.0
            for pair in pairs:
                factors = [_number(path) for path in pair]
                total += factors[0] * (factors[1] if len(factors) > 1 else 1.0)
            return total / 1e6

        covers = f"what the sensor {name} is wired to ({len(pairs)} channels)" if len(pairs) > 1 else (
            f"what the sensor {name} is wired to"
        )  # fmt: skip
        _add(found, Meter(f"hwmon {name}", covers, read), device)
    return found


def find_rapl(root: Path, run: Run) -> Found:
    """Energy counters of x86 processors: the packages as one meter, the platform, where there is one, as another."""
    found = Found()
    packages: list[Path] = []
    for zone in sorted((root / "sys/class/powercap").glob("*-rapl:*")):
        if zone.name.count(":") > 1:
            continue  # a part of a package
        try:
            name = (zone / "name").read_text(encoding="utf-8").strip()
        except OSError:
            continue
        if name.startswith("package"):
            packages.append(zone)
        elif name == "psys":
            _add_zone(found, "RAPL platform", "the whole platform, as its maker wired it", zone)
    for zone in packages:
        name = "RAPL package" if len(packages) == 1 else f"RAPL {(zone / 'name').read_text().strip()}"
        _add_zone(found, name, "the processor, without memory chips, disk, screen and power supply", zone)
    return found


def _add_zone(found: Found, name: str, covers: str, zone: Path) -> None:
    try:
        wraps_at = _number(zone / "max_energy_range_uj") / 1e6
    except (OSError, ValueError):
        wraps_at = 0.0
    meter = Meter(name, covers, lambda: _number(zone / "energy_uj") / 1e6, counter=True, wraps_at=wraps_at)
    _add(found, meter, zone / "energy_uj")


def _add(found: Found, meter: Meter, place: Path) -> None:
    """Keep a meter that can be read; a note for one that cannot."""
    try:
        meter.read()
    except PermissionError:
        found.notes.append(f"{meter.name}: not allowed to read it; as root, or after: sudo chmod a+r {place}")
    except (OSError, ValueError) as error:
        found.notes.append(f"{meter.name}: {error}")
    else:
        found.meters.append(meter)


FINDERS: tuple[Callable[[Path, Run], Found], ...] = (find_pmic, find_hwmon, find_rapl)


def find_meters(root: Path = Path("/"), run: Run = run_program) -> Found:
    """Every meter of this machine.

    Args:
        root: folder that stands for ``/``.
        run: runs a program and gives its output; raises OSError.
    """
    found = Found()
    for finder in FINDERS:
        one = finder(root, run)
        found.meters += one.meters
        found.notes += one.notes
    return found
