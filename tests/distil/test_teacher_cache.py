"""Teacher outputs on disk: computed once, keyed by content, safe against kills."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from potstill.distil import teacher_cache
from potstill.distil.evaluate import outputs
from potstill.distil.modeling import load_classifier
from potstill.distil.teacher_cache import outputs_key, teacher_outputs, weights_hash
from potstill.errors import TrainError

ROWS = [np.array([2, *[5 + (i * j) % 16 for j in range(1 + i % 9)], 3], dtype=np.int32) for i in range(45)]


def run(teacher: Any, cache: Path, **changes: Any) -> Any:
    arguments: dict[str, Any] = {"max_tokens": 16, "cache": cache, "precision": "fp32", "shard_rows": 20}
    return teacher_outputs(teacher, "w", ROWS, **{**arguments, **changes})


def test_outputs_are_the_teachers_and_memory_mapped(tiny_teacher: Path, tmp_path: Path) -> None:
    teacher = load_classifier(tiny_teacher)
    found, expected = run(teacher, tmp_path), outputs(teacher, ROWS)
    assert found.logits.shape == (45, 2) and found.pooled.shape == (45, 24)
    np.testing.assert_allclose(found.logits.array(), expected.logits, atol=1e-6)
    for row in (0, 19, 20, 44):
        np.testing.assert_allclose(found.pooled[row], expected.pooled[row], atol=1e-6)
    assert isinstance(found.logits[0].base, np.memmap) or isinstance(found.logits[0], np.memmap)
    with pytest.raises(IndexError):
        found.logits[45]


def test_a_second_run_does_not_run_the_teacher(
    tiny_teacher: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    teacher = load_classifier(tiny_teacher)
    first = run(teacher, tmp_path).logits.array()
    monkeypatch.setattr(teacher_cache, "outputs", lambda *a, **k: pytest.fail("the teacher ran again"))
    np.testing.assert_array_equal(run(teacher, tmp_path).logits.array(), first)


def test_a_kill_costs_the_shard_in_progress(
    tiny_teacher: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    teacher = load_classifier(tiny_teacher)
    calls: list[int] = []

    def stop_at(limit: int) -> Any:
        def counted(model: Any, ids: Any, **keywords: Any) -> Any:
            if len(calls) >= limit:
                raise KeyboardInterrupt
            calls.append(len(ids))
            return outputs(model, ids, **keywords)

        return counted

    monkeypatch.setattr(teacher_cache, "outputs", stop_at(2))
    with pytest.raises(KeyboardInterrupt):
        run(teacher, tmp_path)
    files = sorted(path.name for path in tmp_path.rglob("*") if path.is_file())
    assert files == ["000000-of-20.npy", "000001-of-20.npy"]
    monkeypatch.setattr(teacher_cache, "outputs", stop_at(99))
    assert run(teacher, tmp_path).logits.shape == (45, 2)
    assert calls == [20, 20, 5]


@pytest.mark.parametrize("damage", [b"", b"\x93NUMPY", b"rubbish" * 40])
def test_a_damaged_shard_is_made_again(tiny_teacher: Path, tmp_path: Path, damage: bytes) -> None:
    teacher = load_classifier(tiny_teacher)
    first = run(teacher, tmp_path)
    expected = first.logits.array()
    (first.folder / "000001-of-20.npy").write_bytes(damage)
    np.testing.assert_array_equal(run(teacher, tmp_path).logits.array(), expected)


def test_ranks_share_the_shards(tiny_teacher: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    teacher = load_classifier(tiny_teacher)
    monkeypatch.setattr(teacher_cache, "_WAIT_SECONDS", 0)
    with pytest.raises(TrainError) as error:
        run(teacher, tmp_path, rank=1, ranks=2)
    assert error.value.code == "T030"
    assert [path.name for path in tmp_path.rglob("*.npy")] == ["000001-of-20.npy"]
    assert run(teacher, tmp_path, rank=0, ranks=2).logits.shape == (45, 2)


def test_key_changes_with_everything_that_decides_outputs() -> None:
    base = outputs_key("w", ROWS, 16, False)
    assert base == outputs_key("w", [row.astype(np.int64) for row in ROWS], 16, False)
    other_token = [row.copy() for row in ROWS]
    other_token[7][1] += 1
    moved = [np.concatenate([ROWS[0], ROWS[1][:1]]), ROWS[1][1:], *ROWS[2:]]
    others = [
        outputs_key("v", ROWS, 16, False),
        outputs_key("w", ROWS, 17, False),
        outputs_key("w", ROWS, 16, True),
        outputs_key("w", ROWS[::-1], 16, False),
        outputs_key("w", ROWS[:-1], 16, False),
        outputs_key("w", other_token, 16, False),
        outputs_key("w", moved, 16, False),
    ]
    assert len({base, *others}) == len(others) + 1


def test_weights_hash(tiny_teacher: Path, tmp_path: Path) -> None:
    assert weights_hash(tiny_teacher) == weights_hash(tiny_teacher)
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_bytes((tiny_teacher / name).read_bytes())
    assert weights_hash(tmp_path) == weights_hash(tiny_teacher)
    data = bytearray((tmp_path / "model.safetensors").read_bytes())
    data[-1] ^= 1
    (tmp_path / "model.safetensors").write_bytes(bytes(data))
    assert weights_hash(tmp_path) != weights_hash(tiny_teacher)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(TrainError) as error:
        weights_hash(tmp_path)
    assert error.value.code == "T002"
