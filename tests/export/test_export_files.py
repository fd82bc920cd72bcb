"""`potstill export`: all files or none, progress, and nothing left behind when it is stopped."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from potstill.cli import main

# Half a file, then a long work: what a kill finds. The heavy exporters are stood in for.
CHILD = """
import sys, time
from potstill.export import files
from potstill.work.atomic import atomic_write

def half(model, out, *, opset):
    with atomic_write(out) as temporary:
        temporary.write_bytes(b"half")
        print("begun", flush=True)
        time.sleep(60)

def whole(model, out, *, opset):
    out.write_bytes(b"whole")
    return out

def second(fp32, out):
    half(None, out, opset=18)

files.export_onnx = whole if "--int8" in sys.argv else half
files.quantize_onnx_int8 = second
from potstill.cli import main
sys.exit(main(sys.argv[1:]))
"""


def killed(out: Path, model: Path, number: signal.Signals, *options: str) -> subprocess.CompletedProcess[str]:
    """Start an export, wait until it has half a file, send it the signal."""
    command = [sys.executable, "-c", CHILD, "export", str(model), "--out", str(out), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        process.send_signal(number)
        said, complained = process.communicate(timeout=30)
    return subprocess.CompletedProcess(command, process.returncode, said, complained)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("options", [(), ("--int8",)])
def test_a_stopped_export_leaves_nothing_behind(
    tmp_path: Path, number: signal.Signals, status: int, options: tuple[str, ...]
) -> None:
    model = tmp_path / "model"
    model.mkdir()
    there = tmp_path / "there"
    there.mkdir()
    (there / "model.onnx").write_bytes(b"of before")
    done = killed(there, model, number, *options)
    assert done.returncode == status and "Traceback" not in done.stderr
    assert [path.name for path in there.iterdir()] == ["model.onnx"]
    assert (there / "model.onnx").read_bytes() == b"of before"
    killed(tmp_path / "new" / "deep", model, number, *options)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model", "there"]


def test_the_next_export_removes_what_a_killed_one_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing of one that still runs, nor of others' temporary files."""
    from potstill.export import files
    from potstill.work.progress import QuietProgress

    model, out = tmp_path / "model", tmp_path / "out"
    model.mkdir()
    killed(out, model, signal.SIGKILL)
    (left,) = out.iterdir()
    (out / ".tmp-of-a-build").mkdir()

    def whole(source: Path, to: Path, *, opset: int) -> Path:
        if opset == 18:  # another export of the same folder, meanwhile
            files.export_files(source, out, opset=17, int8=False, tflite_length=None, progress=QuietProgress())
        to.write_bytes(b"whole")
        return to

    monkeypatch.setattr(files, "export_onnx", whole)
    files.export_files(model, out, opset=18, int8=False, tflite_length=None, progress=QuietProgress())
    assert not left.exists() and sorted(path.name for path in out.iterdir()) == [".tmp-of-a-build", "model.onnx"]


def test_all_files_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from potstill.errors import ExportError
    from potstill.export import files
    from potstill.work.progress import QuietProgress

    def whole(model: Path, out: Path, *, opset: int) -> Path:
        out.write_bytes(b"whole")
        return out

    def fails(fp32: Path, out: Path) -> Path:
        raise ExportError("X006", "quantization failed", str(fp32), "report this model")

    monkeypatch.setattr(files, "export_onnx", whole)
    monkeypatch.setattr(files, "quantize_onnx_int8", fails)
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(ExportError):
        files.export_files(
            tmp_path, tmp_path / "out", opset=18, int8=True, tflite_length=None, progress=QuietProgress()
        )
    assert not list(tmp_path.iterdir())
    assert signal.getsignal(signal.SIGTERM) == before
    made = files.export_files(
        tmp_path, tmp_path / "out", opset=18, int8=False, tflite_length=None, progress=QuietProgress()
    )
    assert made == [tmp_path / "out" / "model.onnx"] and made[0].read_bytes() == b"whole"
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["model.onnx"]


def test_progress_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from potstill.export import files

    def whole(source: Path, out: Path, *, opset: int = 0) -> Path:
        out.write_bytes(b"whole")
        return out

    monkeypatch.setattr(files, "export_onnx", whole)
    monkeypatch.setattr(files, "quantize_onnx_int8", whole)
    out = tmp_path / "out"
    assert main(["export", str(tmp_path), "--out", str(out), "--int8"]) == 0
    shown = capsys.readouterr()
    assert "export: model.onnx\nexport: model.int8.onnx\n" in shown.err and "2/2 files (100 %)" in shown.err
    assert shown.out == f"{out / 'model.onnx'}  5 bytes\n{out / 'model.int8.onnx'}  5 bytes\n"
    assert main(["export", str(tmp_path), "--out", str(out), "--quiet"]) == 0
    assert capsys.readouterr().err == ""
