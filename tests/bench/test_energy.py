"""Meters from recorded sensor files, and the arithmetic of an inference's energy."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from potstill.bench import energy
from potstill.errors import InputError

# As `vcgencmd pmic_read_adc` prints on a Pi 5, shortened: currents, then voltages of the same rails.
PMIC = """   3V7_WL_SW_A current(0)=0.10000000A
   3V3_SYS_A current(1)=0.20000000A
   VDD_CORE_A current(7)=1.50000000A
   3V7_WL_SW_V volt(8)=3.70000000V
   3V3_SYS_V volt(9)=3.30000000V
   VDD_CORE_V volt(15)=0.80000000V
     EXT5V_V volt(24)=5.12000000V
"""


def _nothing(command: object) -> None:
    return None


def _write(folder: Path, **files: object) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in files.items():
        (folder / name).write_text(f"{value}\n", encoding="utf-8")
    return folder


def test_pmic_sums_the_rails() -> None:
    """Current times voltage; a voltage without a current does not count."""
    assert energy.pmic_watts(PMIC) == pytest.approx(0.1 * 3.7 + 0.2 * 3.3 + 1.5 * 0.8)
    with pytest.raises(ValueError):
        energy.pmic_watts("     EXT5V_V volt(24)=5.12000000V")


def test_pmic_is_found(tmp_path: Path) -> None:
    """A Pi 5: the command's power times the time."""
    meter, reason = energy.find_meter(tmp_path, lambda command: PMIC)
    assert meter is not None and reason == "" and "PMIC" in meter.name
    assert meter.joules(2.0) == pytest.approx(2 * energy.pmic_watts(PMIC))


def test_power_sensor(tmp_path: Path) -> None:
    """Microwatts of an INA226."""
    _write(tmp_path / "sys/class/hwmon/hwmon1", name="ina226", power1_input=2_500_000)
    meter, _ = energy.find_meter(tmp_path, _nothing)
    assert meter is not None and "ina226" in meter.name
    assert meter.joules(4.0) == pytest.approx(10.0)


def test_current_and_voltage(tmp_path: Path) -> None:
    """Milliamperes times millivolts; a temperature sensor is passed over."""
    _write(tmp_path / "sys/class/hwmon/hwmon0", name="cpu_thermal", temp1_input=45000)
    _write(tmp_path / "sys/class/hwmon/hwmon1", name="ina219", curr1_input=600, in1_input=5000)
    meter, _ = energy.find_meter(tmp_path, _nothing)
    assert meter is not None
    assert meter.joules(1.0) == pytest.approx(3.0)


def test_rapl_wraps(tmp_path: Path) -> None:
    """Package zones only, and a counter that went round."""
    zone = _write(tmp_path / "sys/class/powercap/intel-rapl:0", energy_uj=900, max_energy_range_uj=1000)
    _write(tmp_path / "sys/class/powercap/intel-rapl:0:0", energy_uj=5, max_energy_range_uj=1000)
    meter, _ = energy.find_meter(tmp_path, _nothing)
    assert meter is not None and meter.joules(0.0) == 0.0
    (zone / "energy_uj").write_text("950", encoding="ascii")
    assert meter.joules(1.0) == pytest.approx(50e-6)
    (zone / "energy_uj").write_text("150", encoding="ascii")
    assert meter.joules(1.0) == pytest.approx(200e-6)


def test_rapl_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The usual state of a laptop: the reason names the cure."""
    _write(tmp_path / "sys/class/powercap/intel-rapl:0", energy_uj=900, max_energy_range_uj=1000)
    monkeypatch.setattr(energy, "_readable", lambda path: False)  # tests may run as root
    meter, reason = energy.find_meter(tmp_path, _nothing)
    assert meter is None and "root" in reason and "chmod" in reason


def test_no_meter(tmp_path: Path) -> None:
    """Said plainly, never a made-up figure."""
    meter, reason = energy.find_meter(tmp_path, _nothing)
    assert meter is None and reason.startswith("not measured: no meter")
    assert energy.format_energy({"reason": reason, "rows": []}) == reason


def test_energy_of_a_call() -> None:
    """5 W at rest, 8 W at work: the difference times the time of a call."""
    count = 0

    def call() -> None:
        nonlocal count
        count += 1
        time.sleep(0.01)

    # The first call warms up before the rest is measured; from the second on the model works.
    meter = energy.PowerMeter("test", "", lambda: 8.0 if count > 1 else 5.0)
    row = energy.measure_energy(call, meter, rest=0.3, load=0.6)
    assert row["rest_watts"] == pytest.approx(5.0)
    assert row["load_watts"] == pytest.approx(8.0)
    assert row["mj_total"] == pytest.approx(row["load_watts"] * row["ms"], rel=1e-6)
    assert row["mj_above_rest"] == pytest.approx((row["load_watts"] - row["rest_watts"]) * row["ms"], rel=1e-6)
    assert row["calls"] == count - 1 and row["samples"] > 3
    json.dumps(row)


def test_meter_that_fails() -> None:
    """A sensor that goes away ends the measurement with its reason."""

    def watts() -> float:
        raise OSError("No such device")

    with pytest.raises((InputError, OSError)):
        energy.measure_energy(lambda: None, energy.PowerMeter("test", "", watts), rest=0.05, load=0.05)
