"""Meters as real machines show them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from potstill.bench import meters
from potstill.bench.meters import Found, find_hwmon, find_meters, find_pmic, find_rapl, pmic_watts, run_program

# As a Pi 5 prints it: names to the right, channels out of order, two rails of volts alone.
PI5 = """ 3V7_WL_SW_A current(0)=0.00195186A
   3V3_SYS_A current(1)=0.12687090A
   1V8_SYS_A current(2)=0.18835450A
  DDR_VDD2_A current(3)=0.02147046A
  DDR_VDDQ_A current(4)=0.00000000A
   1V1_SYS_A current(5)=0.17957110A
    0V8_SW_A current(6)=0.25959740A
  VDD_CORE_A current(7)=0.56259000A
   3V3_DAC_A current(17)=0.00000000A
   3V3_ADC_A current(18)=0.00000000A
   0V8_AON_A current(16)=0.00293040A
      HDMI_A current(22)=0.02551890A
 3V7_WL_SW_V volt(8)=3.70720000V
   3V3_SYS_V volt(9)=3.32580900V
   1V8_SYS_V volt(10)=1.80415000V
  DDR_VDD2_V volt(11)=1.11135400V
  DDR_VDDQ_V volt(12)=0.60329610V
   1V1_SYS_V volt(13)=1.11282000V
    0V8_SW_V volt(14)=0.80512740V
  VDD_CORE_V volt(15)=0.76798460V
   3V3_DAC_V volt(20)=3.32142500V
   3V3_ADC_V volt(21)=3.32966700V
   0V8_AON_V volt(19)=0.80175740V
      HDMI_V volt(23)=5.11746000V
     EXT5V_V volt(24)=5.14158000V
      BATT_V volt(25)=3.28033900V
"""


def absent(command: Sequence[str]) -> str:
    """A machine without the program."""
    raise FileNotFoundError(command[0])


def test_pmic() -> None:
    found = find_pmic(Path("/"), lambda command: PI5 if command == ["vcgencmd", "pmic_read_adc"] else "")
    assert [meter.name for meter in found.meters] == ["Pi 5 PMIC"]
    # By hand: 0.007236 + 0.421949 + 0.339820 + 0.023861 + 0 + 0.199830 + 0.209009 + 0.432060 + 0.002349 + 0.130592
    assert found.meters[0].read() == pytest.approx(1.766708, abs=2e-6)
    assert "USB" in found.meters[0].covers


@pytest.mark.parametrize("text", ["", "EXT5V_V volt(24)=5.1V\n", "3V3_SYS_A current(1)=0.1A\n", "throttled=0x0\n"])
def test_pmic_without_a_whole_rail(text: str) -> None:
    with pytest.raises(ValueError, match="names no rail"):
        pmic_watts(text)


@pytest.mark.parametrize(
    ("message", "advice"),
    [
        ('error=1 error_msg="Command not registered"', "only a Pi 5"),
        ("Can't open device file: /dev/vcio_gencmd", "group video"),
        ("VCHI initialization failed", "group video"),
    ],
)
def test_pmic_refuses(message: str, advice: str) -> None:
    """What a Pi 4, and a user without the right group, get."""

    def run(command: Sequence[str]) -> str:
        raise OSError(message)

    found = find_pmic(Path("/"), run)
    assert not found.meters
    assert message in found.notes[0]
    assert advice in found.notes[0]


def test_run_program(tmp_path: Path) -> None:
    assert run_program([sys.executable, "-c", "print(5)"]) == "5\n"
    with pytest.raises(FileNotFoundError):
        run_program([str(tmp_path / "vcgencmd"), "pmic_read_adc"])
    with pytest.raises(OSError, match="no such device"):
        run_program([sys.executable, "-c", "import sys; sys.exit('no such device')"])
    with pytest.raises(OSError, match="not registered"):  # vcgencmd ends with 0 then
        run_program([sys.executable, "-c", "print('error=1 error_msg=\"Command not registered\"')"])


def _files(folder: Path, **content: str) -> Path:
    folder.mkdir(parents=True)
    for name, text in content.items():
        (folder / name).write_text(text + "\n", encoding="ascii")
    return folder


def test_hwmon(tmp_path: Path) -> None:
    """INA219 with power; INA3221 with currents and voltages; sensors that measure no power; a GPU."""
    base = tmp_path / "sys/class/hwmon"
    _files(base / "hwmon0", name="cpu_thermal", temp1_input="48312")
    _files(base / "hwmon1", name="rp1_adc", in1_input="1453", in2_input="2522")
    _files(base / "hwmon2", name="ina219", power1_input="3120000", curr1_input="612", in1_input="5096", in0_input="6")
    _files(
        base / "hwmon3", name="ina3221", curr1_input="1000", in1_input="5000", curr2_input="200", in2_input="3300",
        curr3_input="7", in7_input="9",
    )  # fmt: skip
    _files(base / "hwmon4", name="amdgpu", power1_input="9000000")
    found = find_hwmon(tmp_path, absent)
    assert [(m.name, m.read()) for m in found.meters] == [("hwmon ina219", 3.12), ("hwmon ina3221", 5.66)]
    assert found.notes == []
    (base / "hwmon2" / "power1_input").write_text("4000000\n", encoding="ascii")
    assert found.meters[0].read() == 4.0


def test_hwmon_that_fails(tmp_path: Path) -> None:
    """A sensor that answers no number gives a note, not a failure."""
    _files(tmp_path / "sys/class/hwmon/hwmon0", name="ina226", power1_input="")
    found = find_hwmon(tmp_path, absent)
    assert not found.meters
    assert found.notes[0].startswith("hwmon ina226: ")


def _rapl(root: Path) -> Path:
    base = root / "sys/class/powercap"
    zone = _files(base / "intel-rapl:0", name="package-0", energy_uj="262143000000", max_energy_range_uj="262143328850")
    _files(base / "intel-rapl:0:0", name="core", energy_uj="5", max_energy_range_uj="262143328850")
    _files(base / "intel-rapl:1", name="psys", energy_uj="1000000", max_energy_range_uj="262143328850")
    return zone


def test_rapl(tmp_path: Path) -> None:
    _rapl(tmp_path)
    found = find_rapl(tmp_path, absent)
    assert [(m.name, m.counter, m.read()) for m in found.meters] == [
        ("RAPL platform", True, 1.0), ("RAPL package", True, 262143.0),
    ]  # fmt: skip
    assert found.meters[1].wraps_at == 262143.32885


def test_rapl_denied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Since Linux 5.10 only root may read it. Tests may run as root, for whom nothing is denied."""
    zone = _rapl(tmp_path)
    read = meters._number

    def number(path: Path) -> float:
        if path.name == "energy_uj":
            raise PermissionError(13, "Permission denied", str(path))
        return read(path)

    monkeypatch.setattr(meters, "_number", number)
    found = find_rapl(tmp_path, absent)
    assert not found.meters
    assert f"sudo chmod a+r {zone / 'energy_uj'}" in found.notes[1]


def test_no_meter(tmp_path: Path) -> None:
    assert find_meters(tmp_path, absent) == Found()
