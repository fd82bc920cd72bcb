"""Stored results, their records and published files that no longer hold what was written."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from stub_stages import ALL, write_recipe

from potstill.errors import SystemFailure
from potstill.models.recipes import load_recipe
from potstill.pipeline import builder as run
from potstill.pipeline import engine, publish
from potstill.pipeline.stage import Context, Stage
from potstill.work import contents
from potstill.work.progress import PlainProgress, QuietProgress
from potstill.work.store import Store


def flip(path: Path) -> None:
    """Change one bit; size and name stay."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def build(folder: Path, *settings: str) -> str:
    """Build the recipe in a folder; what was told."""
    stream = io.StringIO()
    run.run_build(write_recipe(folder, *settings), folder / "out", progress=PlainProgress(stream))
    return stream.getvalue()


def result(folder: Path, stage: str) -> Path:
    (found,) = (folder / "out" / "stages" / stage).iterdir()
    return found


@pytest.mark.parametrize(("stage", "file"), [("student", "model.safetensors"), ("onnx", "model.onnx")])
def test_a_flipped_byte_is_noticed_by_the_stage_that_reads_it(
    tmp_path: Path, ran: list[str], stage: str, file: str
) -> None:
    build(tmp_path)
    flip(result(tmp_path, stage) / file)
    ran.clear()
    told = build(tmp_path)
    assert ran == [], "a build with nothing to do reads no stored result"
    told = build(tmp_path, "compile.scheme=fp32")
    read = {"student": ["student", "onnx"], "onnx": ["onnx"]}
    assert f"{stage}: its stored result is damaged ({file} does not hold what was written) and is made again" in told
    assert ran[0] == stage and set(ran) <= {*read[stage], "still", "verify", "bench"}
    assert ran[-3:] == ["still", "verify", "bench"], ran
    ran.clear()
    build(tmp_path, "compile.scheme=fp32")
    assert ran == []


def test_a_damaged_teacher_is_noticed_when_a_student_is_made(tmp_path: Path, ran: list[str]) -> None:
    build(tmp_path)
    flip(result(tmp_path, "teacher") / "model.safetensors")
    ran.clear()
    build(tmp_path, "compile.scheme=fp32")
    assert "teacher" in ran and "student" not in ran, "the file tells of the teacher's weights; it came out the same"
    flip(next((tmp_path / "out" / "stages" / "teacher").glob("*/config.json")))
    ran.clear()
    build(tmp_path, "student.layers=2")
    assert ran[:2] == ["teacher", "student"]


def test_an_unchanged_build_reads_nothing_that_is_stored(
    tmp_path: Path, ran: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    build(tmp_path)
    read: list[Path] = []

    def digest(path: Path) -> str:
        read.append(path)
        return contents_digest(path)

    contents_digest = contents.file_digest
    monkeypatch.setattr(contents, "file_digest", digest)
    monkeypatch.setattr(publish, "file_digest", digest)
    told = build(tmp_path)
    assert told.count("done earlier") == len(ALL)
    assert read and not [path for path in read if "stages" in path.parts]


@pytest.mark.parametrize("file", ["model.safetensors", "config.json"])
@pytest.mark.parametrize("damage", ["cut", "delete"])
def test_a_cut_or_missing_file_is_noticed_at_once(tmp_path: Path, ran: list[str], file: str, damage: str) -> None:
    build(tmp_path)
    path = result(tmp_path, "teacher") / file
    path.unlink() if damage == "delete" else path.write_bytes(path.read_bytes()[:-1])
    ran.clear()
    told = build(tmp_path)
    assert f"teacher: its stored result is damaged ({file} " in told
    assert ran == ["teacher"], "it came out as it was, so nothing after it has to run"


def _without(*names: str) -> Callable[[dict[str, Any]], Any]:
    return lambda stored: {name: value for name, value in stored.items() if name not in names}


def _with(name: str, value: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda stored: {**stored, name: value}


@pytest.mark.parametrize(
    "change",
    [
        lambda stored: "",
        lambda stored: json.dumps(stored)[:-20],
        lambda stored: "\0" * 300,
        lambda stored: "[" * 100_000,
        lambda stored: "[]",
        lambda stored: "null",
        lambda stored: "7",
        lambda stored: {},
        _without("facts"),
        _without("files"),
        _without("parts"),
        _without("check"),
        _with("facts", {"test_accuracy": 0.95}),
        _with("facts", None),
        _with("files", {"model.safetensors": 3}),
        _with("files", [1]),
        _with("check", 5),
        _with("key", "0" * 16),
    ],
)
def test_a_damaged_record_is_made_again(tmp_path: Path, ran: list[str], change: Callable[[Any], Any]) -> None:
    build(tmp_path)
    marker = result(tmp_path, "student") / "stage.json"
    changed = change(json.loads(marker.read_text()))
    marker.write_text(changed if isinstance(changed, str) else json.dumps(changed))
    ran.clear()
    told = build(tmp_path)
    assert "student: its stored result is damaged (stage.json cannot be read) and is made again" in told
    assert ran == ["student"]


PUBLISHED = ["model.still", "model.int8.onnx", "tokenizer/vocab.txt", "student/model.safetensors", "recipe.toml"]


@pytest.mark.parametrize("file", PUBLISHED)
@pytest.mark.parametrize("damage", ["flip", "cut", "delete"])
def test_published_files_come_back_and_stored_ones_stay(tmp_path: Path, ran: list[str], file: str, damage: str) -> None:
    build(tmp_path)
    stored = {path: path.read_bytes() for path in (tmp_path / "out" / "stages").rglob("*") if path.is_file()}
    path = tmp_path / "out" / file
    wanted = path.read_bytes()
    if damage == "flip":
        flip(path)
    elif damage == "cut":
        with path.open("r+b") as stream:
            stream.truncate(3)
    else:
        path.unlink()
    assert {path: path.read_bytes() for path in stored} == stored
    ran.clear()
    build(tmp_path)
    assert ran == [] and path.read_bytes() == wanted


@pytest.mark.parametrize(
    ("stage", "stored", "published"),
    [("still", "model.still", "model.still"), ("student", "vocab.txt", "student/vocab.txt")],
)
def test_a_published_file_is_never_taken_from_a_damaged_result(
    tmp_path: Path, ran: list[str], stage: str, stored: str, published: str
) -> None:
    build(tmp_path)
    path = tmp_path / "out" / published
    wanted = path.read_bytes()
    flip(result(tmp_path, stage) / stored)
    path.unlink()
    ran.clear()
    told = build(tmp_path)
    assert path.read_bytes() == wanted
    assert ran == [stage] and f"{stage}: its stored result is damaged" in told


def context(folder: Path) -> Context:
    return Context(load_recipe("sentiment"), folder, QuietProgress())


def chain(text: Callable[[], str], ran: list[str]) -> list[Stage]:
    """`first` writes a text, `second` reads it, `third` reads `second`."""

    def first(context: Context, out: Path, work: Path) -> dict[str, Any]:
        ran.append("first")
        (out / "a").write_text(text())
        return {}

    def copy(name: str, source: str) -> Any:
        def act(context: Context, out: Path, work: Path) -> dict[str, Any]:
            ran.append(name)
            (out / "a").write_text((context.folder(source) / "a").read_text())
            return {}

        return act

    return [
        Stage("first", first),
        Stage("second", copy("second", "first"), needs=("first",)),
        Stage("third", copy("third", "second"), needs=("second",)),
    ]


def test_what_comes_out_otherwise_makes_all_after_it_again(tmp_path: Path) -> None:
    ran: list[str] = []
    store = Store(tmp_path)
    engine.run_stages(chain(lambda: "one", ran), context(tmp_path), store)
    flip(next((tmp_path / "first").glob("*/a")))
    next((tmp_path / "third").glob("*/a")).unlink()
    next((tmp_path / "second").glob("*/a")).unlink()
    ran.clear()
    here = context(tmp_path)
    engine.run_stages(chain(lambda: "two", ran), here, Store(tmp_path))
    assert ran == ["first", "second", "third"]
    assert (here.folder("third") / "a").read_text() == "two"


def test_a_disk_that_keeps_nothing_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Store, "damage", lambda self, record: "a does not hold what was written")
    with pytest.raises(SystemFailure) as caught:
        engine.run_stages(chain(lambda: "one", []), context(tmp_path), Store(tmp_path))
    assert caught.value.code == "S100"


def test_a_stage_reads_only_what_it_names(tmp_path: Path) -> None:
    def peek(context: Context, out: Path, work: Path) -> dict[str, Any]:
        return {"path": str(context.folder("first"))}

    with pytest.raises(LookupError, match="first"):
        engine.run_stages([chain(lambda: "x", [])[0], Stage("peek", peek)], context(tmp_path), Store(tmp_path))
