"""The whole comparison on a tiny model: everybody is in the table, measured or with a reason."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import tiny
from potstill.bench import race, rounds
from potstill.bench.race import Contender
from potstill.cli import main
from potstill.compare import exports, versus
from potstill.compare.comparison import bench_peers
from potstill.compare.peers import COMPARED
from potstill.compare.plot import write_png
from potstill.compare.sentences import Sentences
from potstill.compare.show import table
from potstill.compare.worker import Worker
from potstill.errors import InputError
from potstill.work.progress import QuietProgress


@pytest.fixture(scope="module")
def still(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with its ONNX file, no classifier folder, and texts."""
    folder = tmp_path_factory.mktemp("versus")
    files = tiny.build(base)
    for key in ("still", "onnx"):
        shutil.copyfile(files[key], folder / files[key].name)
    (folder / "texts.txt").write_text("\n".join(tiny.texts(40)), encoding="utf-8")
    return folder / "model.still"


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(versus, "QUICK", versus.Effort(rounds.LEAST_ROUNDS, 0.0, batched=40, single=4))


def compare(still: Path, only: tuple[str, ...] = ("onnxruntime",), **more: Any) -> dict[str, Any]:
    arguments: dict[str, Any] = {"lengths": (8, 500), "threads": (1,), "quick": True, "only": only}
    texts = still.with_name("texts.txt")
    return bench_peers(still, **{**arguments, "texts": texts, "progress": QuietProgress(), **more})


def test_measured_or_with_a_reason(still: Path, quick: None, tmp_path: Path) -> None:
    result = compare(still, ("onnxruntime", "litert int8", "padded fp32"))
    names = {(c["engine"], c["precision"]): c for c in result["contenders"]}
    assert set(names) == {
        ("onnxruntime", "fp32"),
        ("onnxruntime", "int8"),
        ("LiteRT", "int8"),
        ("LiteRT, padded", "fp32"),
        ("Potstill", "fp32"),
        ("Potstill", "int8"),
    }
    assert "--student DIR" in names["LiteRT", "int8"]["reason"]
    measured = [key for key, c in names.items() if not c["reason"]]
    assert len(measured) == 4
    for key in measured:
        assert names[key]["relative_difference"] < (1e-4 if key[1] == "fp32" else 0.3)
        assert names[key]["reference"] == "onnxruntime fp32"
    # 500 tokens are above the model's limit and left out.
    wanted = ["8 tokens", "real lengths, batch 1", "real lengths, batch 32"]
    assert [
        row["case"] for row in result["rows"] if row["engine"] == "onnxruntime" and row["precision"] == "int8"
    ] == wanted
    own = [row for row in result["rows"] if (row["engine"], row["precision"]) == ("Potstill", "int8")]
    assert [row["ratio"] for row in own] == [1.0] * 3
    assert own[0]["padded_to"] == own[0]["tokens"] == 8
    for row in result["rows"]:
        assert 0 < row["min_ms"] <= row["p10_ms"] <= row["median_ms"] <= row["p90_ms"]
        assert row["sentences_per_second"] == pytest.approx(1e3 / row["median_ms"])
    assert result["settings"]["real_sentences"] == 40
    assert not result["interrupted"]

    text = table(result)
    assert "LiteRT int8: it is converted from the classifier folder" in text
    assert text.count("onnxruntime int8") == 3
    assert "1.00x" in text
    picture = write_png(result, tmp_path / "p.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    json.dumps(result, allow_nan=False)


def test_no_engine_of_that_name(still: Path) -> None:
    with pytest.raises(InputError, match="I064"):
        compare(still, ("no-such",))
    with pytest.raises(InputError, match="I060"):
        compare(still, lengths=(100,))


def test_an_interrupt_prints_what_there_is(
    still: Path, quick: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    original = rounds.interleave
    seen: list[int] = []

    def interrupted(turns: Any, times: Any, **named: Any) -> None:
        seen.append(1)
        original(turns, times, **named)
        if len(seen) == 2:
            times[0].clear()
            raise KeyboardInterrupt

    monkeypatch.setattr(race.rounds, "interleave", interrupted)
    texts = str(still.with_name("texts.txt"))
    words = ["bench", str(still), "--peers", "--quick", "--lengths", "8", "--only", "onnxruntime fp32"]
    assert main([*words, "--texts", texts]) == 130
    said = capsys.readouterr().out
    assert "interrupted" in said
    assert "8 tokens" in said
    assert "real lengths, batch 1" in said
    assert "real lengths, batch 32" not in said


def test_an_engine_that_dies_leaves_the_race(still: Path, quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    ask = Contender.ask

    def dying(self: Contender, limit: float, when: str = "", **job: Any) -> Any:
        if (
            self.peer.engine == "onnxruntime"
            and job.get("case") == "real lengths, batch 1"
            and isinstance(self.place, Worker)
        ):
            self.place._process.kill()
        return ask(self, limit, when, **job)

    monkeypatch.setattr(Contender, "ask", dying)
    result = compare(still, ("onnxruntime fp32",))
    gone = result["contenders"][0]
    assert gone["reason"] == "ended by SIGKILL (real lengths, batch 1, threads 1)"
    assert [row["case"] for row in result["rows"] if row["engine"] == "onnxruntime"] == ["8 tokens"]
    assert sum(row["engine"] == "Potstill" for row in result["rows"]) == 6


def test_cases() -> None:
    real = Sentences([[1] * length for length in range(1, 41)], "numbers")
    made = versus.cases((8,), real, 50, single=4)
    assert [(case.tokens, case.batch, case.sentences) for case in made] == [(8, 1, 1), (None, 1, 4), (None, 32, 40)]
    assert sorted(len(batch[0]) for batch in made[1].batches) == [6, 16, 26, 36]
    assert [list(map(len, batch)) for batch in made[2].batches] == [list(range(1, 33)), list(range(33, 41))]


def test_everybody_is_a_contender() -> None:
    everyone = versus.contenders("int8")
    assert [contender.peer.name for contender in everyone[-2:]] == ["Potstill fp32", "Potstill int8"]
    assert everyone[-1].peer.export == "still"
    assert len({contender.peer.name for contender in everyone}) == len(COMPARED) + 2
    assert [c.peer.name for c in versus.contenders("int4", ("CTRANSLATE2 INT8",))] == [
        "CTranslate2 int8",
        "Potstill fp32",
        "Potstill int8",
        "Potstill int4",
    ]


def test_a_file_is_made_once_for_two_engines_and_its_failure_told_to_both(
    still: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def refusing(self: Contender, limit: float, when: str = "", **job: Any) -> None:
        asked.append(job["key"])
        self.drop("no converter")

    monkeypatch.setattr(Contender, "ask", refusing)
    path: Callable[[Any, str], Path] = lambda source, key: tmp_path / key  # noqa: E731
    monkeypatch.setattr(exports, "path_of", path)
    everyone = versus.contenders("int8", ("ctranslate2",))
    versus._make_files(exports.find(still, (8,), tmp_path), everyone[:2], QuietProgress())
    assert asked == ["ctranslate2"]
    assert [contender.reason for contender in everyone[:2]] == ["no converter"] * 2
