"""Joules an inference, from whatever power meter the machine has; "not measured" where it has none.

Power is sampled in a thread while the model works, after a time of rest: energy above rest is what the inferences cost,
the total is what a battery would give in that time.
"""

from __future__ import annotations

import re
import shutil
import statistics
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from potstill.errors import InputError

_SAMPLE_SECONDS = 0.05
_REST_SECONDS, _LOAD_SECONDS = 2.0, 5.0
NO_METER = (
    "not measured: no meter. Read are: a Pi 5's power chip (vcgencmd pmic_read_adc), power sensors under "
    "/sys/class/hwmon (for example an INA219 or INA226 in the supply line), and RAPL of a PC (/sys/class/powercap)"
)

Runner = Callable[[Sequence[str]], "str | None"]


def _run(command: Sequence[str]) -> str | None:
    if shutil.which(command[0]) is None:
        return None
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=5, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


class Meter(Protocol):
    """A source of energy figures. `joules` grows by the energy used since the last call and `seconds` passed."""

    name: str
    note: str

    def joules(self, seconds: float) -> float:
        """Energy since the previous call, `seconds` ago. Raises OSError or ValueError when the meter fails."""


@dataclass
class PowerMeter:
    """A meter that tells watts: energy is power now times the time since the last look."""

    name: str
    note: str
    watts: Callable[[], float]

    def joules(self, seconds: float) -> float:
        """See `Meter`."""
        return self.watts() * seconds


@dataclass
class RaplMeter:
    """Running Average Power Limit counters (Linux powercap), microjoules that wrap at their own range."""

    zones: Sequence[Path]
    name: str = "RAPL"
    note: str = "the processor's package alone: no memory, disk, screen or power supply"
    _last: dict[Path, int] = field(default_factory=dict)

    def joules(self, seconds: float) -> float:
        """See `Meter`; the first call only sets the counters' start."""
        total = 0
        for zone in self.zones:
            now = int((zone / "energy_uj").read_text(encoding="ascii"))
            before = self._last.get(zone, now)
            if now < before:
                now_total = now + int((zone / "max_energy_range_uj").read_text(encoding="ascii"))
                total += now_total - before
            else:
                total += now - before
            self._last[zone] = now
        return total / 1e6


def pmic_watts(text: str) -> float:
    """Watts of ``vcgencmd pmic_read_adc``: the sum over rails of current times voltage.

    Args:
        text: lines such as ``3V7_WL_SW_A current(0)=0.00780696A`` and ``3V7_WL_SW_V volt(8)=3.70276500V``.

    Raises:
        ValueError: no rail has both.
    """
    values = {
        (name, unit): float(value)
        for name, unit, value in re.findall(r"(\w+?)_([AV]) (?:current|volt)\(\d+\)=([\d.]+)[AV]", text)
    }
    rails = [name for name, unit in values if unit == "A" and (name, "V") in values]
    if not rails:
        raise ValueError("no rail with current and voltage")
    return sum(values[name, "A"] * values[name, "V"] for name in rails)


def _pmic(root: Path, run: Runner) -> Meter | None:
    command = ("vcgencmd", "pmic_read_adc")
    text = run(command)
    try:
        pmic_watts(text or "")
    except ValueError:
        return None
    note = "sum over the power chip's rails: without USB devices, the 5 V line and the chip's own losses"
    return PowerMeter("Pi 5 PMIC", note, lambda: pmic_watts(run(command) or ""))


def _number(path: Path) -> int:
    return int(path.read_text(encoding="ascii"))


def _hwmon(root: Path, run: Runner) -> Meter | None:
    """The first sensor that tells power (microwatts), or current (mA) and voltage (mV) of one channel."""
    for folder in sorted((root / "sys/class/hwmon").glob("hwmon*")):
        try:
            name = (folder / "name").read_text(encoding="utf-8").strip()
        except OSError:
            continue
        for power in sorted([*folder.glob("power*_input"), *folder.glob("power*_average")]):
            if _readable(power):
                return PowerMeter(f"hwmon {name}", str(power), lambda path=power: _number(path) / 1e6)  # type: ignore[misc]
        for current in sorted(folder.glob("curr*_input")):
            volts = folder / current.name.replace("curr", "in")
            if _readable(current) and _readable(volts):
                return PowerMeter(
                    f"hwmon {name}", f"{current} x {volts}",
                    lambda a=current, v=volts: _number(a) * _number(v) / 1e6,  # type: ignore[misc]
                )  # fmt: skip
    return None


def _readable(path: Path) -> bool:
    try:
        _number(path)
    except (OSError, ValueError):
        return False
    return True


def _rapl(root: Path, run: Runner) -> Meter | None:
    zones = [zone for zone in _rapl_zones(root) if _readable(zone / "energy_uj")]
    return RaplMeter(zones) if zones else None


def _rapl_zones(root: Path) -> list[Path]:
    """Packages only: their parts are counted in them."""
    return sorted(path for path in (root / "sys/class/powercap").glob("*-rapl:*") if path.name.count(":") == 1)


# Best first: a meter of the whole board before one of a part.
METERS: tuple[Callable[[Path, Runner], Meter | None], ...] = (_hwmon, _pmic, _rapl)


def find_meter(root: Path = Path("/"), run: Runner = _run) -> tuple[Meter | None, str]:
    """The best meter here, and why there is none: `NO_METER`, or that RAPL's counters need root to read."""
    for make in METERS:
        if (meter := make(root, run)) is not None:
            return meter, ""
    if any((zone / "energy_uj").exists() for zone in _rapl_zones(root)):
        reason = "not measured: only root may read RAPL's counters: sudo chmod a+r /sys/class/powercap/*/energy_uj"
        return None, reason
    return None, NO_METER


class Sampler:
    """Adds up a meter's energy from a thread between ``with`` and its end."""

    def __init__(self, meter: Meter, seconds: float = _SAMPLE_SECONDS) -> None:
        self._meter, self._pause = meter, seconds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._failure: Exception | None = None
        self.watts: list[float] = []
        self.joules = 0.0
        self.seconds = 0.0

    def __enter__(self) -> Sampler:
        self._meter.joules(0.0)
        self._last = time.perf_counter()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        if self._failure is None:
            self._add()

    def _sample(self) -> None:
        while not self._stop.wait(self._pause):
            self._add()

    def _add(self) -> None:
        try:
            now = time.perf_counter()
            energy = self._meter.joules(now - self._last)
        except (OSError, ValueError) as error:
            self._failure = error
            self._stop.set()
            return
        if now > self._last:
            self.watts.append(energy / (now - self._last))
        self.joules += energy
        self.seconds += now - self._last
        self._last = now

    def check(self) -> None:
        """Raise what the meter failed with.

        Raises:
            InputError: I074.
        """
        if self._failure is not None:
            raise InputError("I074", f"the meter failed: {self._failure}", self._meter.name, "try again") from None


def measure_energy(
    call: Callable[[], object], meter: Meter, *, rest: float = _REST_SECONDS, load: float = _LOAD_SECONDS
) -> dict[str, Any]:
    """Energy of one call.

    Args:
        call: one inference.
        meter: what tells energy.
        rest: seconds without work, measured first.
        load: seconds of calls, one after another.

    Returns:
        ``{meter, note, calls, ms, rest_watts, load_watts, mj_total, mj_above_rest, mj_uncertainty, samples}``;
        millijoules a call; the uncertainty is two standard errors of both means of power, times the time of a call.

    Raises:
        InputError: I074 the meter stopped answering.
    """
    call()
    with Sampler(meter) as quiet:
        time.sleep(rest)
    quiet.check()
    with Sampler(meter) as busy:
        start, calls = time.perf_counter(), 0
        while time.perf_counter() - start < load:
            call()
            calls += 1
        seconds = time.perf_counter() - start
    busy.check()
    rest_watts, load_watts = quiet.joules / quiet.seconds, busy.joules / busy.seconds
    error = 2 * (_standard_error(quiet.watts) ** 2 + _standard_error(busy.watts) ** 2) ** 0.5
    return {
        "meter": meter.name,
        "note": meter.note,
        "calls": calls,
        "ms": seconds / calls * 1e3,
        "rest_watts": rest_watts,
        "load_watts": load_watts,
        "mj_total": load_watts * seconds / calls * 1e3,
        "mj_above_rest": (load_watts - rest_watts) * seconds / calls * 1e3,
        "mj_uncertainty": error * seconds / calls * 1e3,
        "samples": len(busy.watts),
    }


def _standard_error(values: Sequence[float]) -> float:
    return statistics.stdev(values) / len(values) ** 0.5 if len(values) > 1 else 0.0


def bench_energy(
    still: Path, lengths: Iterable[int], threads: Iterable[int], *, root: Path = Path("/"), run: Runner = _run
) -> dict[str, Any]:
    """Energy of a `.still` file's inferences here.

    Returns:
        ``{"reason": "", "rows": [...]}``: rows as `measure_energy` with ``tokens`` and ``threads``; without a meter
        the reason, and no rows.

    Raises:
        FormatError, InputError: as loading and running the file.
    """
    from potstill.bench.peers import Peer
    from potstill.bench.rounds import sentence
    from potstill.runtime.backends import open_backend

    info = open_backend("native", still, 1).info
    meter, reason = find_meter(root, run)
    rows: list[dict[str, Any]] = []
    if meter is not None:
        peer = Peer("Potstill", str(info["scheme"]), "still", "potstill")
        for count in threads:
            runner = peer.open(still, count)
            for tokens in lengths:
                call = runner.prepare([sentence(min(tokens, int(info["max_tokens"])), int(info["vocabulary"]))])
                rows.append({"tokens": tokens, "threads": count, **measure_energy(call, meter)})
    return {"reason": reason, "rows": rows}


def format_energy(result: dict[str, Any]) -> str:
    """The rows as a table, or why there are none."""
    rows = result["rows"]
    if not rows:
        return str(result["reason"])
    names = ("tokens", "threads", "ms", "mJ above rest", "mJ in all", "W rest", "W load")
    lines = ["  ".join(f"{name:>{width}}" for name, width in zip(names, (6, 7, 8, 17, 9, 7, 7), strict=True))]
    for row in rows:
        above = f"{row['mj_above_rest']:.3f} +- {row['mj_uncertainty']:.3f}"
        lines.append(
            f"{row['tokens']:>6}  {row['threads']:>7}  {row['ms']:>8.3f}  {above:>17}  {row['mj_total']:>9.3f}  "
            f"{row['rest_watts']:>7.2f}  {row['load_watts']:>7.2f}"
        )
    return "\n".join([*lines, f"meter: {rows[0]['meter']} ({rows[0]['note']}), {rows[0]['samples']} samples a row"])
