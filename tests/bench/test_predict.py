"""Predicted times: the cost table against counts it has not seen, and what must hold for any table."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from potstill.bench.predict import CostModel, model_of, predict, show, student
from potstill.bench.predict.peers import peer_file_bytes, peer_peak_bytes
from potstill.bench.predict.predict import COSTS, LIKE, PEER_COSTS, PEERS, peer_version, threads_used
from potstill.bench.predict.terms import PEER_TERMS, TERMS, peer_terms, terms
from potstill.boards import Board, board, load_boards
from potstill.cli import main
from potstill.errors import InputError
from tiny_still import MAX_TOKENS, WIDTH, write_model

STUDENT = student(4, 312, 1200, 12, 30522, 128, 2, "int8")


def like_student(**changes: Any) -> CostModel:
    """`STUDENT` with other sizes."""
    sizes = {"layers": 4, "hidden": 312, "ffn": 1200, "heads": 12, "vocabulary": 30522, "max_tokens": 128, "labels": 2}
    return student(**{**sizes, "scheme": "int8", **changes})


TABLE = json.loads(COSTS.read_text(encoding="utf-8"))


def _unseen(name: str) -> list[dict[str, Any]]:
    """Counted cycles of shapes that the table was not fitted to."""
    rows: list[dict[str, Any]] = json.loads((Path(__file__).with_name("unseen") / name).read_text(encoding="utf-8"))
    return rows


def test_table_is_whole() -> None:
    """A fit for every core and scheme of the 64-bit boards, of the terms as they are now."""
    assert tuple(TABLE["terms"]) == TERMS
    have = {(fit["kernels"], fit["core"], fit["scheme"]) for fit in TABLE["fits"]}
    cores = [entry for entry in load_boards().values() if entry.target.bits == 64 and entry.core not in LIKE]
    for pair in {(kernels, entry.core) for entry in cores for kernels in entry.kernels[:-1]}:
        assert {(*pair, scheme) for scheme in ("fp32", "int8", "int4")} <= have
    for fit in TABLE["fits"]:
        assert len(fit["coefficients"]) == len(TERMS) and min(fit["coefficients"]) >= 0


@pytest.mark.parametrize("name", ["pi4", "pi5"])
def test_unseen_shapes(name: str) -> None:
    """Counted cycles of shapes that were not fitted: within 6 % each, 2 % on average."""
    entry = board(name)
    kernels = entry.kernels[0]
    errors = []
    for row in _unseen("costs.json"):
        if (row["kernels"], row["core"]) == (kernels, entry.core):
            shape = student(*row["shape"])
            errors.append(abs(predict(shape, entry, tokens=row["tokens"]).cycles / row["cycles"] - 1))
    assert len(errors) >= 30
    assert max(errors) < 0.06
    assert sum(errors) / len(errors) < 0.02


PEER_TABLE = json.loads(PEER_COSTS.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["pi4", "pi5"])
@pytest.mark.parametrize("engine", PEERS)
@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_unseen_shapes_of_peers(name: str, engine: str, precision: str) -> None:
    """onnxruntime's and LiteRT's counted cycles of shapes that were not fitted: within 4 % each, 2 % on average."""
    assert tuple(PEER_TABLE["terms"]) == PEER_TERMS and min(map(len, map(peer_version, PEERS))) >= 3
    entry, errors = board(name), []
    for row in _unseen("peer_costs.json"):
        shape = student(*row["shape"])
        if (row["engine"], row["core"], shape.scheme) == (engine, entry.core, precision):
            answer = predict(shape, entry, tokens=row["tokens"], engine=engine, precision=precision)
            errors.append(abs(answer.cycles / row["cycles"] - 1))
    assert len(errors) >= 14
    assert max(errors) < 0.04
    assert sum(errors) / len(errors) < 0.02


def test_peers_beside_our_engine() -> None:
    """A peer's prediction takes its own table, weights and memory; fp32 streams four times int8's bytes."""
    ours, int8, fp32 = (
        predict(STUDENT, board("pi4"), tokens=64, engine=engine, precision=precision)
        for engine, precision in (("potstill", ""), ("litert", "int8"), ("litert", "fp32"))
    )
    assert (int8.engine, int8.precision, fp32.precision) == ("litert", "int8", "fp32")
    assert len({ours.cycles, int8.cycles, fp32.cycles}) == 3
    assert fp32.stream_ms == pytest.approx(4 * int8.stream_ms, rel=0.05)
    assert ours.peak_bytes < int8.peak_bytes < fp32.peak_bytes
    assert predict(STUDENT, board("pi4"), tokens=64, threads=9, engine="litert").threads_used == 4
    assert peer_terms(STUDENT, 7)[:3] == [
        7 * STUDENT.layer_weights,
        8 * STUDENT.layer_weights,
        12 * STUDENT.layer_weights,
    ]


@pytest.mark.parametrize(
    ("engine", "sizes", "scheme", "size", "peak"),
    [
        ("onnxruntime", (4, 312, 1200, 12), "fp32", 56.5, 153.6),
        ("onnxruntime", (12, 768, 3072, 12), "fp32", 433.9, 640.2),
        ("onnxruntime", (6, 384, 1536, 12), "int8", 22.7, 94.6),
        ("onnxruntime", (12, 768, 3072, 12), "int8", 109.3, 255.4),
        ("litert", (6, 384, 1536, 12), "fp32", 90.1, 218.7), ("litert", (12, 768, 3072, 12), "fp32", 435.1, 1095.1),
        ("litert", (4, 312, 1200, 12), "int8", 15.7, 73.1), ("litert", (12, 768, 3072, 12), "int8", 112.7, 321.6),
    ],
)  # fmt: skip
def test_sizes_and_memory_of_peers(
    engine: str, sizes: tuple[int, int, int, int], scheme: str, size: float, peak: float
) -> None:
    """MB of exported files and peaks of processes that ran them, as seen on x86-64."""
    shape = student(*sizes, 30522, 128, 3, scheme)
    assert peer_file_bytes(engine, shape, scheme) / 1e6 == pytest.approx(size, rel=0.05)
    assert peer_peak_bytes(engine, shape) / 1e6 == pytest.approx(peak, rel=0.05)


def test_parts_and_band() -> None:
    """Point estimate between the longer part and the sum, inside the band."""
    answer = predict(STUDENT, board("pi4"), tokens=16)
    assert answer.compute_ms == pytest.approx(answer.cycles / 1.8e6)
    assert answer.stream_ms == pytest.approx(STUDENT.weight_bytes() / 3.5e6)
    assert max(answer.compute_ms, answer.stream_ms) <= answer.ms <= answer.compute_ms + answer.stream_ms
    assert answer.low_ms < answer.ms < answer.high_ms and answer.notes == ()


def test_small_models_stay_in_the_cache() -> None:
    """Weights within the last cache are not streamed."""
    small = like_student(layers=1, hidden=128, ffn=512, heads=2)
    assert predict(small, board("pi4"), tokens=16).stream_ms == 0.0


@pytest.mark.parametrize("name", sorted(load_boards()))
def test_every_board_answers(name: str) -> None:
    """Longer texts and slower clocks take longer; 32-bit and unmodelled cores say so and have a wider band."""
    entry = board(name)
    times = [predict(STUDENT, entry, tokens=tokens).ms for tokens in (4, 16, 64, 128)]
    assert times == sorted(times) and times[0] < times[-1] / 4
    slower = dataclasses.replace(entry, clock_mhz=entry.clock_mhz // 2)
    assert predict(STUDENT, slower, tokens=64).ms > predict(STUDENT, entry, tokens=64).ms
    answer = predict(STUDENT, entry, tokens=64)
    assert bool(answer.notes) == (entry.target.bits == 32 or entry.core in ("cortex-a53", "cortex-a7"))
    if answer.notes:
        assert answer.high_ms / answer.low_ms > 2


def test_sizes_and_memory_of_measured_models() -> None:
    """Bytes of files really written (BERT 4 x 312, FFN 1200, no tokenizer) and peaks of processes that ran them."""
    for scheme, size, peak in (("fp32", 57.03e6, 70.0e6), ("int8", 15.10e6, 28.0e6), ("int4", 8.15e6, 21.1e6)):
        shape = like_student(scheme=scheme, max_tokens=512)
        tokenizer = 30 * shape.table.inputs
        assert shape.file_bytes() - tokenizer == pytest.approx(size, rel=0.03)
        assert shape.peak_bytes(64) == pytest.approx(peak, rel=0.10)


def test_threads() -> None:
    """More threads are faster while the work is worth them, never by more than their number."""
    one, four = (predict(STUDENT, board("pi4"), tokens=64, threads=n) for n in (1, 4))
    assert one.ms / 4 < four.ms < one.ms / 2
    tiny = like_student(layers=1, hidden=64, ffn=128, heads=2)
    assert threads_used(tiny, 4, 4, 4) == 1
    assert predict(tiny, board("pi4"), tokens=4, threads=4).threads_used == 1


def test_schemes() -> None:
    """On a Pi 5 fp32 is slower than int8; int4 has half its weights."""
    fp32, int4 = (like_student(scheme=scheme) for scheme in ("fp32", "int4"))
    assert predict(fp32, board("pi5"), tokens=64).ms > 2 * predict(STUDENT, board("pi5"), tokens=64).ms
    assert int4.weight_bytes() * 2 == pytest.approx(STUDENT.weight_bytes(), rel=0.01)  # padded to 32, not 16


def test_unknown_core(monkeypatch: pytest.MonkeyPatch) -> None:
    """A core without a model is taken for another one, says so, and has the widest band."""
    entry: Board = dataclasses.replace(board("pi4"), core="cortex-x9")
    answer = predict(STUDENT, entry, tokens=64)
    assert "cortex-x9" in answer.notes[0] and answer.high_ms / answer.low_ms > 3


@pytest.mark.parametrize(
    ("words", "code"), [({"tokens": 0}, "I060"), ({"tokens": 129}, "I060"), ({"tokens": 8, "threads": 0}, "I004"),
    ({"tokens": 8, "engine": "other"}, "I073"), ({"tokens": 8, "precision": "fp32"}, "I073"),
    ({"tokens": 8, "engine": "litert", "precision": "int4"}, "I073")],
)  # fmt: skip
def test_mistakes(words: dict[str, object], code: str) -> None:
    """Named, with the limit."""
    with pytest.raises(InputError) as error:
        predict(STUDENT, board("pi4"), **words)  # type: ignore[arg-type]
    assert error.value.code == code


def test_terms_of_tiles() -> None:
    """7 tokens: one full tile of 4 rows and one of 3."""
    values = dict(zip(TERMS, terms(STUDENT, 7), strict=True))
    assert values["weights x full tiles"] == values["weights x tiles of 3"] > 0
    assert values["weights x tiles of 1"] == values["weights x tiles of 2"] == 0


@pytest.fixture
def still(tmp_path: Path) -> Path:
    """A compiled model."""
    return write_model(tmp_path / "model.still")


def test_shape_of_a_file(still: Path) -> None:
    """Read from the file; the estimate of its size is not far off."""
    shape = model_of(still)
    assert (shape.layers, shape.hidden, shape.max_tokens, shape.scheme) == (1, WIDTH, MAX_TOKENS, "int8")


def test_command(still: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Table with assumptions, and JSON; too long a text and an unknown board are refused."""
    assert main(["bench", str(still), "--board", "pi4,pi5-32", "--lengths", "8", "--threads", "1,4"]) == 0
    text = capsys.readouterr().out
    assert "Raspberry Pi 4 Model B" in text and show.ASSUMPTIONS in text and "32-bit kernels are not modelled" in text
    assert main(["bench", str(still), "--board", "pi4", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert {"ms", "low_ms", "high_ms", "compute_ms", "stream_ms", "tokens", "threads", "board"} <= set(rows[0])
    engines = [(row["engine"], row["precision"]) for row in rows[:5]]
    assert engines == [("potstill", "int8"), *((peer, way) for peer in PEERS for way in ("int8", "fp32"))]
    assert main(["bench", str(still), "--board", "pi5", "--only", "potstill,litert", "--json"]) == 0
    assert {row["engine"] for row in json.loads(capsys.readouterr().out)["rows"]} == {"potstill", "litert"}
    assert main(["bench", str(still), "--board", "pi4-32", "--only", "litert"]) == 2  # nothing counted on 32 bits
    assert main(["bench", str(still), "--board", "pi4", "--only", "tvm"]) == 2
    assert main(["bench", str(still), "--board", "pi4", "--lengths", "999"]) == 2
    assert main(["bench", str(still), "--board", "pi9"]) == 1
    assert main(["bench", str(still), "--board", "pi4", "--peers"]) == 2


def test_size_of_a_known_model() -> None:
    """BERT-base: 109.5 million parameters, with position and without type embeddings."""
    base = student(12, 768, 3072, 12, 30522, 512, 2, "fp32")
    assert base.parameters == pytest.approx(109.5e6, rel=0.01)
    assert base.file_bytes() == pytest.approx(438e6, rel=0.02)
    assert predict(base, board("pi4"), tokens=128).ms > 1000


def test_needs_nothing_but_the_standard_library(still: Path) -> None:
    """As on a board: no numpy, no torch."""
    code = (
        "import sys; from pathlib import Path; from potstill.bench.predict import predict; "
        "from potstill.boards import board; predict(Path(sys.argv[1]), board('pi4'), tokens=8); "
        "assert not {'numpy', 'torch', 'pydantic', 'rich'} & set(sys.modules), 'heavy'"
    )
    subprocess.run([sys.executable, "-c", code, str(still)], check=True)
