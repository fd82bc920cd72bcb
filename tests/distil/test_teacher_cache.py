"""Teacher outputs on disk: computed once, keyed by content, safe against kills."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from potstill.distil.teacher import cache as teacher_cache
from potstill.distil.teacher.cache import Keeping, outputs_key, teacher_outputs, weights_hash
from potstill.errors import TrainError
from potstill.models.classifier import load_classifier
from potstill.models.evaluation import outputs
from potstill.runtime.rows import TokenRows

ROWS = [np.array([2, *[5 + (i * j) % 16 for j in range(1 + i % 9)], 3], dtype=np.int32) for i in range(45)]


def run(teacher: Any, cache: Path, **changes: Any) -> Any:
    places = changes.pop("places", ())
    keeping = Keeping(cache, **{"shard_rows": 20, **changes})
    return teacher_outputs(teacher, "w", TokenRows(ROWS), keeping, precision="fp32", places=places)


def test_outputs_are_the_teachers_and_memory_mapped(tiny_teacher: Path, tmp_path: Path) -> None:
    teacher = load_classifier(tiny_teacher)
    found, expected = run(teacher, tmp_path), outputs(teacher, TokenRows(ROWS))
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
    assert files == [f"00000{number}-of-20{suffix}" for number in (0, 1) for suffix in (".npy", ".xxh3")]
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


@pytest.mark.parametrize("places", [[], [2]])
def test_a_flipped_bit_is_noticed(tiny_teacher: Path, tmp_path: Path, places: list[int]) -> None:
    teacher = load_classifier(tiny_teacher)
    path = run(teacher, tmp_path, places=places).folder / ("state-2-f16" if places else "") / "000001-of-20.npy"
    wanted = path.read_bytes()
    path.write_bytes(wanted[:-1] + bytes([wanted[-1] ^ 1]))
    run(teacher, tmp_path, places=places)
    assert path.read_bytes() == wanted
    path.with_suffix(".xxh3").unlink()
    teacher_cache._VERIFIED.clear()  # as in another process
    run(teacher, tmp_path, places=places)
    assert path.read_bytes() == wanted and path.with_suffix(".xxh3").is_file()


def test_ranks_share_the_shards(tiny_teacher: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    teacher = load_classifier(tiny_teacher)
    monkeypatch.setattr(teacher_cache, "_WAIT_SECONDS", 0)
    with pytest.raises(TrainError) as error:
        run(teacher, tmp_path, rank=1, ranks=2)
    assert error.value.code == "T030"
    assert [path.name for path in tmp_path.rglob("*.npy")] == ["000001-of-20.npy"]
    assert run(teacher, tmp_path, rank=0, ranks=2).logits.shape == (45, 2)


def test_key_changes_with_everything_that_decides_outputs() -> None:
    def key(ids: list[np.ndarray], weights: str = "w", bf16: bool = False, **more: Any) -> str:
        return outputs_key(weights, TokenRows(ids, **more), bf16)

    base = key(ROWS)
    assert base == key([row.astype(np.int64) for row in ROWS])
    other_token = [row.copy() for row in ROWS]
    other_token[7][1] += 1
    moved = [np.concatenate([ROWS[0], ROWS[1][:1]]), ROWS[1][1:], *ROWS[2:]]
    zeros = [np.zeros_like(row) for row in ROWS]
    others = [
        key(ROWS, weights="v"),
        key(ROWS, bf16=True),
        key(ROWS[::-1]),
        key(ROWS[:-1]),
        key(other_token),
        key(moved),
        key(ROWS, types=zeros),
        key(ROWS, words=zeros),
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
    assert error.value.code == "T103"


def true_states(teacher: Any) -> list[list[np.ndarray]]:
    """For each row its states at every place, without padding."""
    import torch

    found = []
    for row in ROWS:
        with torch.no_grad():
            result = teacher(torch.tensor(row[None].astype(np.int64)), output_hidden_states=True)
        found.append([states[0].numpy() for states in result.hidden_states])
    return found


@pytest.mark.parametrize(("half", "tolerance"), [(True, 2e-3), (False, 1e-5)])
def test_states_are_the_teachers_row_by_row(tiny_teacher: Path, tmp_path: Path, half: bool, tolerance: float) -> None:
    teacher = load_classifier(tiny_teacher)
    found = run(teacher, tmp_path, places=[0, 3], half=half)
    assert sorted(found.states) == [0, 3] and len(found.states[0]) == 45
    for row, expected in enumerate(true_states(teacher)):
        for place in (0, 3):
            states = found.states[place][row]
            assert states.dtype == (np.float16 if half else np.float32)
            np.testing.assert_allclose(states.astype(np.float32), expected[place], rtol=tolerance, atol=tolerance)
    with pytest.raises(IndexError):
        found.states[0][45]
    size = sum(path.stat().st_size - 128 for path in tmp_path.rglob("state-*/*.npy"))
    assert size == teacher_cache.states_bytes(TokenRows(ROWS), 24, [0, 3], half)


def test_one_pass_gives_everything_and_places_are_shared_between_runs(
    tiny_teacher: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    teacher = load_classifier(tiny_teacher)
    seen: list[int] = []
    teacher.register_forward_pre_hook(
        lambda _, given, named: seen.append(len(given[0] if given else named["input_ids"])), with_kwargs=True
    )
    run(teacher, tmp_path, places=[1, 2])
    assert sum(seen) == 45, "each row went through the teacher once"
    run(teacher, tmp_path, places=[2])
    run(teacher, tmp_path)
    assert sum(seen) == 45
    first = run(teacher, tmp_path).logits.array().copy()
    run(teacher, tmp_path, places=[0, 2])
    assert sum(seen) == 90, "place 0 was missing"
    np.testing.assert_array_equal(run(teacher, tmp_path, places=[0, 1, 2]).logits.array(), first)
    assert sum(seen) == 90


def test_a_kill_between_shards_costs_only_the_missing_ones(
    tiny_teacher: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    teacher = load_classifier(tiny_teacher)
    written: list[str] = []
    real = teacher_cache.Shard.write

    def dying(shard: Any, values: np.ndarray) -> None:
        if len(written) == 4:
            raise KeyboardInterrupt
        written.append(f"{shard.path.parent.name}/{shard.path.name[:6]}")
        real(shard, values)

    with monkeypatch.context() as patch:
        patch.setattr(teacher_cache.Shard, "write", dying)
        with pytest.raises(KeyboardInterrupt):
            run(teacher, tmp_path, places=[1, 3])
    # A shard of states comes before the outputs of its rows: two whole steps would be six files.
    assert [name for name in written if name.startswith("state")] == [
        "state-1-f16/000000", "state-3-f16/000000", "state-1-f16/000001",
    ]  # fmt: skip
    written.clear()
    seen: list[int] = []
    teacher.register_forward_pre_hook(
        lambda _, given, named: seen.append(len(given[0] if given else named["input_ids"])), with_kwargs=True
    )
    found = run(teacher, tmp_path, places=[1, 3])
    assert sum(seen) == 25, "the first 20 rows were kept whole"
    for row, expected in enumerate(true_states(teacher)):
        np.testing.assert_allclose(found.states[3][row], expected[3], rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("damage", [b"", b"rubbish" * 40, None])
def test_a_damaged_shard_of_states_is_made_again(tiny_teacher: Path, tmp_path: Path, damage: bytes | None) -> None:
    teacher = load_classifier(tiny_teacher)
    first = run(teacher, tmp_path, places=[2])
    expected = [first.states[2][row].copy() for row in range(45)]
    path = first.folder / "state-2-f16" / "000001-of-20.npy"
    if damage is None:
        np.save(path, np.zeros((3, 24), np.float16))
    else:
        path.write_bytes(damage)
    again = run(teacher, tmp_path, places=[2])
    for row in range(45):
        np.testing.assert_array_equal(again.states[2][row], expected[row])


def test_states_too_large_for_f16_are_cut_to_its_range(tiny_teacher: Path, tmp_path: Path) -> None:
    import torch

    teacher: Any = load_classifier(tiny_teacher)
    with torch.no_grad():
        teacher.backbone.encoder.layer[1].output.LayerNorm.bias[0] = 1e6
    states = run(teacher, tmp_path, places=[2]).states[2][0]
    assert np.isfinite(states).all() and states[0, 0] == np.finfo(np.float16).max
