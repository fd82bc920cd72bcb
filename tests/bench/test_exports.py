"""Which files belong to a model, and how the missing ones are made."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import tiny
from potstill.compare import exports
from potstill.errors import InputError, SystemFailure


@pytest.fixture
def folder(base: Path, tmp_path: Path) -> Path:
    """``model.still``, its ONNX file and its classifier folder."""
    files = tiny.build(base)
    for key in ("still", "onnx"):
        shutil.copyfile(files[key], tmp_path / files[key].name)
    shutil.copytree(tiny.model(base, "mean"), tmp_path / "student")
    return tmp_path


def found(folder: Path, student: Path | None = None) -> exports.Source:
    return exports.find(folder / "model.still", (8, 16, 500), folder / "cache", student)


def test_everything_is_found(folder: Path) -> None:
    source = found(folder)
    assert source.onnx == folder / "model.onnx"
    assert source.student == folder / "student"
    assert (source.scheme, source.max_tokens, source.vocabulary) == ("int8", tiny.MAX_TOKENS, tiny.VOCABULARY)
    assert source.lengths == (8, 16, tiny.MAX_TOKENS)
    assert exports.path_of(source, "still") == folder / "model.still"
    assert exports.path_of(source, "onnx") == folder / "model.onnx"
    assert exports.path_of(source, "pytorch") == folder / "student"
    made = exports.path_of(source, "tflite")
    assert made.parent.parent == folder / "cache" / "bench"
    assert made.name.endswith(f"-8-16-{tiny.MAX_TOKENS}.tflite")


def test_a_stem_with_its_scheme(folder: Path) -> None:
    (folder / "model.still").rename(folder / "model.int8.still")
    assert exports.find(folder / "model.int8.still", (8,), folder).onnx == folder / "model.onnx"


def test_another_onnx_file_is_refused(base: Path, folder: Path) -> None:
    shutil.copyfile(tiny.onnx_file(base, "cls"), folder / "model.onnx")
    with pytest.raises(InputError, match=r"I066.*model\.onnx"):
        found(folder)


def test_another_student_is_not_used(base: Path, folder: Path) -> None:
    source = found(folder, tiny.model(base, "cls"))
    assert source.student is None
    with pytest.raises(InputError, match=r"I062.*holds other weights than model\.onnx"):
        exports.path_of(source, "pytorch")
    assert source.cache != found(folder).cache


def test_nothing_beside_the_model(folder: Path) -> None:
    shutil.rmtree(folder / "student")
    (folder / "model.onnx").unlink()
    source = found(folder)
    with pytest.raises(InputError, match=r"I062.*no ONNX file beside"):
        exports.path_of(source, "onnx_int8")
    with pytest.raises(InputError, match=r"I062.*--student DIR"):
        exports.path_of(source, "tflite")


def test_a_converter_that_is_missing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(exports._MADE, "executorch", ("no-such-package", ".pte"))
    with pytest.raises(SystemFailure, match=r"S010.*no-such-package"):
        exports.path_of(found(folder), "executorch")


def test_making_once(folder: Path) -> None:
    source = found(folder)
    still = exports.make(source, "still_fp32")
    assert exports.make(source, "onnx_int8").stat().st_size < (folder / "model.onnx").stat().st_size
    before = still.stat().st_mtime_ns
    assert exports.make(source, "still_fp32").stat().st_mtime_ns == before
    assert exports.find(still, (8,), folder).scheme == "fp32"
    # A file of the user's own is never made.
    assert exports.make(source, "onnx") == folder / "model.onnx"
