"""The arithmetic from readings to joules, and the command; no test depends on a time measured."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from potstill.bench import energy
from potstill.bench.energy import Block, Sampler, bench_energy, format_energy, measure, summary
from potstill.bench.meters import Found, Meter
from potstill.cli import main
from potstill.errors import InputError
from potstill.work.progress import make_progress


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
    assert figures["mj_above_rest"] == pytest.approx(35.0)
    assert figures["mj_total"] == pytest.approx(55.0)
    assert figures["ms"] == pytest.approx(10.0)
    # Standard deviation of 30 and 40 is 7.07, of their mean 5; Student's factor for one degree of freedom is 12.71.
    assert figures["mj_uncertainty"] == pytest.approx(63.55)
    assert (figures["calls"], figures["blocks"]) == (300, 2)
    assert summary([Block(2.0, 5.0, 1.0, 100)])["mj_uncertainty"] is None


def test_measure_drops_a_failing_meter_and_keeps_the_other() -> None:
    """One call a block, so that the mean of the blocks is that of the calls whatever the host does."""

    def fails() -> float:
        raise OSError("unplugged")

    both = [Meter("good", "", lambda: 3.0), Meter("bad", "", fails)]
    rows = measure(lambda: None, both, blocks=2, idle=0.002, load=0.0, interval=0.001)
    assert [row["meter"] for row in rows] == ["good"]
    assert rows[0]["mj_above_rest"] == pytest.approx(0.0)
    assert rows[0]["mj_total"] == pytest.approx(3.0 * rows[0]["ms"])
    assert rows[0]["samples"] >= 4


@pytest.mark.usefixtures("quick")
def test_no_meter_lasts(still: Path) -> None:
    """Readable when it was found, gone when it is needed: the reason, not a figure."""

    def fails() -> float:
        raise OSError("unplugged")

    result = bench_energy(still, [4], [1], make_progress(), Found([Meter("bad", "", fails)]), blocks=1)
    assert result["rows"] == []
    assert format_energy(result) == "not measured: no meter could be read to the end"


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
    assert out.startswith("not measured: no meter. Needed is a Raspberry Pi 5")
    assert "note: RAPL package: not allowed" in out
    assert main(["bench", str(still), "--energy", "--lengths", "4", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["rows"] == [] and result["reason"].startswith("not measured: no meter")


@pytest.mark.usefixtures("quick")
def test_command_with_a_meter(still: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(energy, "find_meters", lambda: Found([Meter("fake", "nothing", lambda: 2.0)]))
    assert main(["bench", str(still), "--energy", "--lengths", "4,8", "--threads", "1"]) == 0
    out = capsys.readouterr().out
    assert "fake: nothing" in out
    assert [line.split()[1] for line in out.splitlines() if line.startswith("fake  ")] == ["4", "8"]
    assert main(["bench", str(still), "--energy", "--lengths", "4", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["reason"], result["rows"][0]["note"]) == ("", "nothing")
    assert result["rows"][0]["mj_total"] == pytest.approx(2.0 * result["rows"][0]["ms"])


@pytest.mark.parametrize("other", [["--peers"], ["--profile"], ["--board", "pi4"]])
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
