"""Real lengths and where they come from."""

from __future__ import annotations

from pathlib import Path

import pytest

import tiny
from potstill.compare import sentences
from potstill.errors import InputError


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_texts_of_the_user(base: Path, tmp_path: Path) -> None:
    still = tiny.build(base)["still"]
    texts = tmp_path / "texts.txt"
    texts.write_text("the soup is hot\n\ntea\nthe soup is very very hot\n \n", encoding="utf-8")
    found = sentences.real(still, count=3, max_tokens=6, vocabulary=tiny.VOCABULARY, texts=texts)
    # [CLS] and [SEP] count; the longest is cut to the limit and keeps its [SEP].
    assert [len(ids) for ids in found.ids] == [3, 6, 6]
    assert [ids[-1] for ids in found.ids] == [3, 3, 3]
    assert found.origin == "3 texts of texts.txt"
    texts.write_text("\n", encoding="utf-8")
    for bad in (texts, tmp_path / "absent"):
        with pytest.raises(InputError, match="I063"):
            sentences.real(still, count=3, max_tokens=6, vocabulary=9, texts=bad)


def test_the_test_set_of_the_build(base: Path, tmp_path: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    folder = tmp_path / "stages" / "data" / "key"
    folder.mkdir(parents=True)
    parquet.write_table(pyarrow.table({"text": ["tea", "hot tea", "a bowl of hot tea"]}), folder / "test.parquet")
    still = tmp_path / "model.still"
    still.write_bytes(tiny.build(base)["still"].read_bytes())
    found = sentences.real(still, count=3, max_tokens=24, vocabulary=tiny.VOCABULARY)
    assert [len(ids) for ids in found.ids] == [3, 4, 7]
    assert "test set" in found.origin


def test_without_a_tokenizer_the_stored_lengths_stand_in(base: Path, tmp_path: Path) -> None:
    from potstill.compile import compile_onnx

    still = tmp_path / "bare.still"
    compile_onnx(tiny.onnx_file(base, "mean"), still, scheme="int8", verify=False)
    found = sentences.real(still, count=200, max_tokens=24, vocabulary=tiny.VOCABULARY)
    lengths = [len(ids) for ids in found.ids]
    assert lengths == sorted(lengths)
    assert lengths[0] == min(sentences.DEMO_LENGTHS)
    assert lengths[-1] == 24
    assert all(0 < value < tiny.VOCABULARY for ids in found.ids for value in ids)
    assert "made-up" in found.origin


def test_spaced_and_shuffled() -> None:
    assert sentences.spaced(range(10), 5) == [1, 3, 5, 7, 9]
    assert sentences.spaced([1, 2], 4) == [1, 1, 2, 2]
    rows = list(range(30))
    assert sentences.shuffled(rows) != rows
    assert sorted(sentences.shuffled(rows)) == rows
