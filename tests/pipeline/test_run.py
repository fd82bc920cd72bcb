"""`run_build` with the real stages' keys and names, their work replaced: what is published, reported, skipped."""

from __future__ import annotations

import errno
import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
from stub_stages import ALL, FACTS, FILES, ROWS, write_recipe

from potstill.errors import DataError, SystemFailure
from potstill.models.recipes import load_recipe
from potstill.pipeline import builder as run
from potstill.work.progress import PlainProgress


def test_artefacts_get_their_final_names(tmp_path: Path, ran: list[str]) -> None:
    out = tmp_path / "out"
    report = run.run_build(write_recipe(tmp_path), out)
    assert ran == ALL
    found = sorted(str(p.relative_to(out)) for p in out.rglob("*") if p.is_file() and "stages" not in p.parts)
    assert found == [
        ".lock", "README.md", "model.int8.onnx", "model.int8.tflite", "model.onnx", "model.still", "model.tflite",
        "recipe.toml", "report.json",
        "student/model.safetensors", "student/vocab.txt", "tokenizer/vocab.txt",
    ]  # fmt: skip
    assert json.loads((out / "report.json").read_text()) == report


def test_a_build_without_times_leaves_them_out(tmp_path: Path, ran: list[str]) -> None:
    report = run.run_build(write_recipe(tmp_path), tmp_path / "out", timed=False)
    assert ran == ALL[:-1] and report["bench"] == report["memory"] == []
    assert (tmp_path / "out" / "model.still").is_file()
    assert run.run_build(write_recipe(tmp_path), tmp_path / "out").keys() == report.keys()
    assert ran == ALL


def test_answers_of_a_board_go_with_the_model_that_gave_them(tmp_path: Path, ran: list[str]) -> None:
    out = tmp_path / "out"
    run.run_build(write_recipe(tmp_path), out)
    (out / "emulated.json").write_text("[]")
    run.run_build(write_recipe(tmp_path), out)
    assert (out / "emulated.json").exists(), "the same model"
    run.run_build(write_recipe(tmp_path, "student.layers=2"), out)
    assert not (out / "emulated.json").exists()


def test_report_has_the_keys_of_the_contract(tmp_path: Path, ran: list[str]) -> None:
    report = run.run_build(write_recipe(tmp_path), tmp_path / "out")
    assert report["recipe"] == "mine"
    assert report["teacher"]["test_accuracy"] == 0.9
    assert report["student"]["test_accuracy"] == 0.85
    assert report["packed"]["test_accuracy"] == 0.855
    assert report["retained"] == pytest.approx(0.95)
    assert set(report["bytes"]) >= {"teacher", "onnx", "onnx_int8", "tflite", "tflite_int8", "still"}
    assert report["bytes"]["still"] == (tmp_path / "out" / "model.still").stat().st_size
    assert report["parity"][0]["label_agreement"] == 1.0
    assert report["bench"][0]["engine"] == "Potstill"
    assert set(report["seconds"]) == set(ALL)
    assert report["seconds_total"] == pytest.approx(sum(report["seconds"].values()), abs=1e-3)


def test_second_build_does_nothing_and_says_so(tmp_path: Path, ran: list[str]) -> None:
    out = tmp_path / "out"
    first = run.run_build(write_recipe(tmp_path), out)
    before = {p: p.stat().st_mtime_ns for p in out.rglob("*") if p.is_file() and p.name not in (".lock", "report.json")}
    ran.clear()
    with (tmp_path / "log").open("w") as stream:
        again = run.run_build(write_recipe(tmp_path), out, progress=PlainProgress(stream))
    assert ran == []
    assert again == first
    assert {p: p.stat().st_mtime_ns for p in before} == before
    assert (tmp_path / "log").read_text().count("done earlier") == len(ALL)


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("export.opset=13", ["onnx", "still", "verify", "bench"]),
        ("student.hidden=384", ALL[2:]),
        ("teacher.epochs=1", ALL[1:]),
        ("compile.max_tokens=128", ["onnx", "tflite", "still", "verify", "bench"]),
        ("distil.alpha=0.25", ALL[2:]),
        ("data.max_tokens=32", ALL[1:]),
    ],
)
def test_a_setting_reruns_what_it_touches(tmp_path: Path, ran: list[str], setting: str, expected: list[str]) -> None:
    run.run_build(write_recipe(tmp_path), tmp_path / "out")
    ran.clear()
    run.run_build(write_recipe(tmp_path, setting), tmp_path / "out")
    assert ran == expected


@pytest.mark.parametrize(
    ("settings", "more"),
    [
        (["quantize.qat_epochs=1"], ["qat"]),
        (["compile.scheme=int4"], ["gptq"]),
        (["compile.scheme=int4", "quantize.qat_epochs=1"], ["gptq", "qat"]),
        (["compile.scheme=int4", "quantize.rounding=nearest"], []),
        (["compile.scheme=int8", "quantize.rounding=nearest"], None),
        (["compile.scheme=mixed"], ["sensitivity", "gptq"]),
        (["compile.scheme=mixed", "quantize.rounding=nearest"], ["sensitivity"]),
        (["compile.scheme=mixed", "quantize.qat_epochs=0.5"], ["sensitivity", "gptq", "qat"]),
    ],
)
def test_rounding_has_stages_of_its_own(
    tmp_path: Path, ran: list[str], monkeypatch: pytest.MonkeyPatch, settings: list[str], more: list[str] | None
) -> None:
    start = {"validation_accuracy": 0.7, "test_accuracy": 0.71}
    monkeypatch.setitem(FACTS, "qat", {"scheme": "int8", "test_accuracy": 0.84, "start": start})
    monkeypatch.setitem(FILES, "qat", ["model.safetensors", "vocab.txt"])
    monkeypatch.setitem(FACTS, "gptq", {"scheme": "int4", "layers": 3})
    monkeypatch.setitem(FILES, "gptq", ["model.safetensors", "vocab.txt"])
    monkeypatch.setitem(FACTS, "sensitivity", {"rows": 5, "all": {}, "layers": []})
    run.run_build(write_recipe(tmp_path), tmp_path / "out")
    ran.clear()
    report = run.run_build(write_recipe(tmp_path, *settings), tmp_path / "out")
    if more is None:
        assert ran == []
        return
    final = next((name for name in ("qat", "gptq") if name in more), "student")
    again = ["onnx", "tflite"] if final != "student" else []
    assert ran == [*more, *again, "still", "verify", "bench"]
    cost = report["quantization"]
    assert cost["fp32_test_accuracy"] == report["student"]["test_accuracy"] == 0.85
    assert cost["points"] == 0.5
    assert {name for name in ("sensitivity", "gptq", "qat") if name in cost} == set(more)
    # The student that is published is the one the model was made of.
    stage = tmp_path / "out" / "stages" / final / report["keys"][final]
    assert (tmp_path / "out" / "student" / "vocab.txt").read_bytes() == (stage / "vocab.txt").read_bytes()


def test_static_onnx_is_one_stage_more(tmp_path: Path, ran: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FILES, "onnx_static", ["model.static-int8.onnx"])
    out = tmp_path / "out"
    run.run_build(write_recipe(tmp_path), out)
    ran.clear()
    report = run.run_build(write_recipe(tmp_path, "export.onnx_static=true"), out)
    assert ran == ["onnx_static", "verify", "bench"]
    assert report["bytes"]["onnx_static"] == (out / "model.static-int8.onnx").stat().st_size
    run.run_build(write_recipe(tmp_path), out)
    assert not (out / "model.static-int8.onnx").exists()


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("quantize.clip=mse", ["still", "verify", "bench"]),
        ("compile.embedding=int4", ["still", "verify", "bench"]),
        ("quantize.qat_learning_rate=0.01", []),
    ],
)
def test_rounding_settings_rerun_what_they_touch(
    tmp_path: Path, ran: list[str], setting: str, expected: list[str]
) -> None:
    run.run_build(write_recipe(tmp_path), tmp_path / "out")
    ran.clear()
    run.run_build(write_recipe(tmp_path, setting), tmp_path / "out")
    assert ran == expected


def test_changed_data_file_is_noticed(tmp_path: Path, ran: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = write_recipe(tmp_path)
    run.run_build(recipe, tmp_path / "out")
    ran.clear()
    (tmp_path / "rows.csv").write_text(ROWS + "one more,a\n")
    run.run_build(recipe, tmp_path / "out")
    assert ran == ["data"], "the replaced work gives the same fingerprints, so nothing after it has to run"


def test_artefacts_that_are_no_longer_made_are_removed(tmp_path: Path, ran: list[str]) -> None:
    out = tmp_path / "out"
    run.run_build(write_recipe(tmp_path), out)
    run.run_build(write_recipe(tmp_path, "export.tflite=false", "export.onnx=false"), out)
    assert not (out / "model.tflite").exists()
    assert not (out / "model.int8.onnx").exists()
    assert (out / "model.still").exists()
    assert "tflite" not in json.loads((out / "report.json").read_text())["bytes"]


def test_changed_artefacts_replace_the_old_ones(tmp_path: Path, ran: list[str]) -> None:
    out = tmp_path / "out"
    run.run_build(write_recipe(tmp_path), out)
    run.run_build(write_recipe(tmp_path, "student.layers=3"), out)
    assert (out / "model.still").read_text() == "model.still 3 18"
    assert (out / "student" / "vocab.txt").read_text() == "vocab.txt 3 18"
    assert (out / "tokenizer" / "vocab.txt").read_text() == "tokenizer/vocab.txt 3 18"


def test_a_deleted_artefact_comes_back(tmp_path: Path, ran: list[str]) -> None:
    out = tmp_path / "out"
    run.run_build(write_recipe(tmp_path), out)
    (out / "model.still").unlink()
    (out / "tokenizer" / "vocab.txt").unlink()
    ran.clear()
    run.run_build(write_recipe(tmp_path), out)
    assert ran == []
    assert (out / "model.still").exists()
    assert (out / "tokenizer" / "vocab.txt").exists()


def test_stop_after_publishes_nothing(tmp_path: Path, ran: list[str]) -> None:
    facts = run.run_build(write_recipe(tmp_path), tmp_path / "out", stop_after="student")
    assert ran == ALL[:3]
    assert facts["student"]["test_accuracy"] == 0.85
    assert not (tmp_path / "out" / "report.json").exists()


def test_failure_leaves_the_earlier_results(tmp_path: Path, ran: list[str]) -> None:
    out = tmp_path / "out"
    run.run_build(write_recipe(tmp_path), out)
    before = (out / "report.json").read_bytes()
    (tmp_path / "rows.csv").unlink()
    recipe = load_recipe(tmp_path / "mine.toml")
    with pytest.raises(DataError) as caught:
        run.run_build(recipe, out)
    assert caught.value.code == "D001"
    assert (out / "report.json").read_bytes() == before


@pytest.mark.parametrize(
    ("missing", "settings", "extra"),
    [("litert_torch", [], "tflite"), ("torch", [], "build"), ("litert_torch", ["export.tflite=false"], None)],
)
def test_missing_packages_are_told_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str, settings: list[str], extra: str | None
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == missing else object())
    recipe = write_recipe(tmp_path, *settings)
    if extra is None:
        run.check_packages(recipe)
        return
    with pytest.raises(SystemFailure) as caught:
        run.run_build(recipe, tmp_path / "out")
    assert caught.value.code == "S010"
    assert f"potstill[{extra}]" in caught.value.next_step
    assert not (tmp_path / "out").exists()


def test_output_folder_that_cannot_be_made(tmp_path: Path, ran: list[str]) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SystemFailure) as caught:
        run.run_build(write_recipe(tmp_path / "r"), tmp_path / "file" / "out")
    assert caught.value.code == "S003"


def test_output_folder_of_somebody_else(tmp_path: Path, ran: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    # Root may write everywhere, so the refusal is made here.
    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    recipe = write_recipe(tmp_path / "r")
    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(SystemFailure) as caught:
        run.run_build(recipe, tmp_path / "out")
    assert caught.value.code == "S002"


def test_full_disk_leaves_the_last_report_and_model(small_disk: Path, tmp_path: Path, ran: list[str]) -> None:
    """A stage fills a real disk: numbered error, old artefacts untouched; with space again the build goes on."""
    out = small_disk / "out"
    run.run_build(write_recipe(tmp_path / "r"), out)
    before = {name: (out / name).read_bytes() for name in ("report.json", "model.still")}
    ballast = small_disk / "ballast"
    with ballast.open("wb", buffering=0) as stream, pytest.raises(OSError, match="No space left"):
        while True:
            stream.write(bytes(4096))
    recipe = write_recipe(tmp_path / "r", "student.layers=3")
    with pytest.raises(SystemFailure) as caught:
        run.run_build(recipe, out)
    assert caught.value.code == "S001"
    assert {name: (out / name).read_bytes() for name in before} == before
    ballast.unlink()
    run.run_build(recipe, out)
    assert (out / "model.still").read_text() == "model.still 3 18"
    assert not [path for path in out.rglob("*") if path.name.startswith(".tmp-") or path.suffix == ".work"]
