"""Meters as real machines show them, and the arithmetic from readings to joules; no test depends on a time measured."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from potstill.bench import energy, meters
from potstill.bench.energy import Block, Sampler, bench_energy, format_energy, measure, summary
from potstill.bench.meters import Found, Meter, find_hwmon, find_meters, find_pmic, find_rapl, pmic_watts, run_program
from potstill.cli import main
from potstill.errors import InputError
from potstill.pipeline.progress import make_progress

sys.path.insert(0, str(Path(__file__).parents[1] / "runtime"))

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


class Clock:
    """A clock that each reading of a meter moves on."""

    def __init__(self, step: float) -> None:
        self.now, self.step = 0.0, step

    def __call__(self) -> float:
        self.now += self.step
        return self.now


def _sampled(meter: Meter, readings: int) -> Sampler:
    sampler = Sampler([meter], interval=1000, clock=Clock(0.5))
    with sampler:
        for _ in range(readings - 2):
            sampler._sample()
    return sampler


def test_counter_wraps() -> None:
    """100 J before the end of the range, 20 J after it: 120 J in 1 s."""
    values = iter([900.0, 1000.0 - 0.0, 20.0])
    meter = Meter("m", "", lambda: next(values), counter=True, wraps_at=1000.0)
    assert _sampled(meter, 3).watts(0) == pytest.approx(120.0)


def test_power_counts_with_its_time() -> None:
    """1, 3, 3 W half a second apart: 2 W, then 3 W."""
    values = iter([1.0, 3.0, 3.0])
    sampler = _sampled(Meter("m", "", lambda: next(values)), 3)
    assert sampler.watts(0) == pytest.approx(2.5)
    assert sampler.count(0) == 3


def test_a_meter_that_fails_on_the_way_has_no_mean() -> None:
    values = iter([1.0])

    def read() -> float:
        try:
            return next(values)
        except StopIteration:
            raise OSError("unplugged") from None

    sampler = _sampled(Meter("m", "", read), 3)
    assert sampler.watts(0) is None


def test_the_thread_samples_and_ends() -> None:
    """It reads while the block lasts, and is gone afterwards, whatever ended the block."""
    enough = threading.Event()
    count = 0

    def read() -> float:
        nonlocal count
        count += 1
        if count >= 4:
            enough.set()
        return 2.0

    with pytest.raises(KeyboardInterrupt), Sampler([Meter("m", "", read)], interval=0.001):
        assert enough.wait(30)
        raise KeyboardInterrupt
    assert not [thread for thread in threading.enumerate() if thread.name == "potstill-energy"]


def test_summary() -> None:
    """2 W idle, 5 W and 6 W under load, 10 ms a call."""
    figures = summary([Block(2.0, 5.0, 1.0, 100), Block(2.0, 6.0, 2.0, 200)])
    assert figures["net_mj"] == pytest.approx(35.0)
    assert figures["total_mj"] == pytest.approx(55.0)
    assert figures["ms"] == pytest.approx(10.0)
    # Standard deviation of 30 and 40 is 7.07, of their mean 5; Student's factor for one degree of freedom is 12.71.
    assert figures["net_plus_minus_mj"] == pytest.approx(63.55)
    assert (figures["calls"], figures["blocks"]) == (300, 2)
    assert summary([Block(2.0, 5.0, 1.0, 100)])["net_plus_minus_mj"] is None


def test_measure_drops_a_failing_meter_and_keeps_the_other() -> None:
    def fails() -> float:
        raise OSError("unplugged")

    both = [Meter("good", "", lambda: 3.0), Meter("bad", "", fails)]
    rows = measure(lambda: None, both, blocks=2, idle=0.002, load=0.002, interval=0.001)
    assert [row["meter"] for row in rows] == ["good"]
    assert rows[0]["net_mj"] == pytest.approx(0.0)
    assert rows[0]["total_mj"] == pytest.approx(3.0 * rows[0]["ms"], rel=1e-2)
    assert rows[0]["samples"] >= 4


@pytest.fixture
def still(tmp_path: Path) -> Path:
    import tiny_still

    return Path(tiny_still.write_model(tmp_path / "tiny.still"))


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(energy.measure, "__kwdefaults__", {**energy.measure.__kwdefaults__, "idle": 0.0, "load": 0.0})


def test_command_without_a_meter(
    still: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(energy, "find_meters", lambda: Found(notes=["RAPL package: not allowed to read it"]))
    assert main(["bench", str(still), "--energy", "--lengths", "4"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("not measured: no meter\nneeded: a Raspberry Pi 5")
    assert "note: RAPL package: not allowed" in out
    assert main(["bench", str(still), "--energy", "--lengths", "4", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["rows"], result["meters"]) == ([], [])


@pytest.mark.usefixtures("quick")
def test_command_with_a_meter(still: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(energy, "find_meters", lambda: Found([Meter("fake", "nothing", lambda: 2.0)]))
    assert main(["bench", str(still), "--energy", "--lengths", "4,8", "--threads", "1"]) == 0
    out = capsys.readouterr().out
    assert "fake: nothing" in out
    assert [line.split()[1] for line in out.splitlines() if line.startswith("fake  ")] == ["4", "8"]


@pytest.mark.parametrize("other", [["--peers"], ["--workers", "1"], ["--profile"]])
def test_energy_runs_alone(other: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "m.still", "--energy", *other]) == 2
    assert "error[I067]" in capsys.readouterr().err


@pytest.mark.usefixtures("quick")
def test_interrupt_keeps_what_is_complete(still: Path) -> None:
    """The meter stands for the user: Ctrl-C comes in the second case."""
    reads = 0

    def read() -> float:
        nonlocal reads
        reads += 1
        if reads > 5:
            raise KeyboardInterrupt
        return 1.0

    found = Found([Meter("fake", "", read)])
    result = bench_energy(still, [4, 8], [1], make_progress(), found, blocks=1)
    assert result["interrupted"]
    assert [row["tokens"] for row in result["rows"]] == [4]
    assert "interrupted" in format_energy(result)


def test_length_over_the_limit(still: Path) -> None:
    with pytest.raises(InputError, match="I060"):
        bench_energy(still, [1000], [1], make_progress(), Found())
