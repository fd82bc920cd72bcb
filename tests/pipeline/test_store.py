"""The store of stage results: a result is complete or absent, and knows its own damage."""

from __future__ import annotations

from pathlib import Path

import pytest

from potstill.work.store import Store


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def commit(store: Store, key: str = "k", text: str = "result") -> None:
    (store.begin("s", key) / "file.txt").write_text(text)
    store.commit("s", key, {"figure": 1.5})


def test_a_result_is_found_after_commit_only(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert store.find("s", "k") is None
    (store.begin("s", "k") / "file.txt").write_text("half")
    assert store.find("s", "k") is None
    commit(store)
    record = store.find("s", "k")
    assert record is not None
    assert record.facts == {"figure": 1.5}
    assert (record.folder / "file.txt").read_text() == "result"
    assert names(tmp_path / "s") == ["k"]


def test_checkpoints_survive_and_half_output_does_not(tmp_path: Path) -> None:
    store = Store(tmp_path)
    (store.begin("s", "k") / "half.txt").write_text("half")
    assert not store.has_work("s", "k")
    (store.work("s", "k") / "checkpoint").write_text("7")
    assert store.has_work("s", "k")
    out = store.begin("s", "k")
    assert names(out) == []
    assert (store.work("s", "k") / "checkpoint").read_text() == "7"


@pytest.mark.parametrize("damage", ["delete", "cut", "marker"])
def test_a_damaged_result_does_not_count(tmp_path: Path, damage: str) -> None:
    store = Store(tmp_path)
    commit(store)
    file = tmp_path / "s" / "k" / "file.txt"
    if damage == "delete":
        file.unlink()
    elif damage == "cut":
        file.write_text("res")
    else:
        (tmp_path / "s" / "k" / "stage.json").write_text('{"facts": {')
    assert store.find("s", "k") is None
    commit(store, text="again")
    assert store.find("s", "k") is not None
    assert file.read_text() == "again"


def test_a_result_under_another_key_does_not_count(tmp_path: Path) -> None:
    store = Store(tmp_path)
    commit(store)
    (tmp_path / "s" / "k").rename(tmp_path / "s" / "other")
    assert store.find("s", "other") is None
    assert store.look("s", "k") == (None, "")


def test_what_was_verified_is_read_once(tmp_path: Path) -> None:
    store = Store(tmp_path)
    commit(store)
    store = Store(tmp_path)
    record = store.find("s", "k")
    assert record is not None and store.damage(record) is None
    file = record.folder / "file.txt"
    file.write_text("tluser")
    assert store.damage(record) is None, "one build reads it once"
    assert Store(tmp_path).damage(record) == "file.txt does not hold what was written"


def test_sweep_keeps_results_and_work(tmp_path: Path) -> None:
    store = Store(tmp_path)
    commit(store)
    (store.work("s", "other") / "checkpoint").write_text("7")
    (tmp_path / "s" / ".tmp-left").mkdir()
    store.sweep()
    assert names(tmp_path / "s") == ["k", "other.work"]
