"""Progress: bars, plain lines or nothing, with the time that is left."""

from __future__ import annotations

import io

import pytest

from potstill.work.progress import PlainProgress, QuietProgress, RichProgress, duration, make_progress


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_plain_lines_come_every_few_seconds() -> None:
    stream, clock = io.StringIO(), Clock()
    progress = PlainProgress(stream, interval=5.0, clock=clock)
    progress.message("hello")
    with progress.task("train", total=100, unit="steps") as task:
        for _ in range(100):
            clock.now += 0.25
            task.advance(1, note="loss 0.5")
    lines = stream.getvalue().splitlines()
    assert lines[0] == "hello"
    assert lines[1] == "  train: 20/100 steps (20 %), 5.0 s, about 20.0 s left, loss 0.5"
    assert lines[-1] == "  train: 100/100 steps (100 %), 25.0 s, loss 0.5"
    assert len(lines) == 6


def test_a_resumed_task_tells_the_time_left_by_its_own_pace() -> None:
    stream, clock = io.StringIO(), Clock()
    with PlainProgress(stream, interval=10.0, clock=clock).task("train", total=100) as task:
        clock.now = 1.0
        task.update(81)  # the first step after a checkpoint at step 80
        clock.now = 10.0
        task.update(90)
    assert "about 10.0 s left" in stream.getvalue().splitlines()[0]


def test_no_total_no_share() -> None:
    stream, clock = io.StringIO(), Clock()
    with PlainProgress(stream, clock=clock).task("fetch", unit="s") as task:
        clock.now = 7.0
        task.update(7)
    assert stream.getvalue() == "  fetch: 7 s, 7.0 s\n"


def test_total_may_come_later() -> None:
    stream, clock = io.StringIO(), Clock()
    with PlainProgress(stream, clock=clock).task("train") as task:
        clock.now = 6.0
        task.update(5, total=10)
    assert "5/10 steps (50 %)" in stream.getvalue()


def test_quiet_is_quiet(capfd: pytest.CaptureFixture[str]) -> None:
    progress = make_progress(quiet=True)
    progress.message("x")
    with progress.task("y", total=3) as task:
        task.advance()
        task.update(2, note="z", total=4)
    assert capfd.readouterr() == ("", "")
    assert isinstance(progress, QuietProgress)


def test_the_stream_decides() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    assert isinstance(make_progress(stream=io.StringIO()), PlainProgress)
    terminal = Terminal()
    progress = make_progress(stream=terminal)
    assert isinstance(progress, RichProgress)
    with progress.task("train [bold]", total=2) as task, progress.task("inner", total=1) as inner:
        inner.advance()
        task.advance(2, note="[x]")
    progress.message("[done]")
    assert "train [bold]: 2/2 steps (100 %)" in terminal.getvalue()
    assert "[done]" in terminal.getvalue()


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.04, "0.0 s"), (59.94, "59.9 s"), (61.0, "1 min 01 s"), (3725.0, "1 h 02 min")]
)
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text
