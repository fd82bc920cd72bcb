"""The teacher's outputs, computed once, kept on disk, memory-mapped.

A teacher does not change while it teaches: running it again for every epoch and every trial of a student would cost
more than the student itself. Outputs are keyed by what decides them (weights, token ids, arithmetic) and written in
shards, each under its final name only when whole, so a kill costs one shard. Ranks of a distributed run share the work
by shard number.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from potstill.distil.evaluate import outputs
from potstill.distil.precision import use_bf16
from potstill.errors import TrainError, os_errors
from potstill.pipeline.progress import Progress, QuietProgress
from potstill.pipeline.store import atomic_write

# Rows of a shard: 1.6 MB for pooled vectors 384 wide.
SHARD_ROWS = 1024
_VERSION = b"potstill teacher outputs 1"
# How long a rank waits for the shards of the others.
_WAIT_SECONDS = 24 * 3600


class Column:
    """One output of all rows, ``[rows, width]`` f32, over memory-mapped shards of ``[rows, labels + hidden]``."""

    def __init__(self, shards: Sequence[np.ndarray], start: int, stop: int, shard_rows: int) -> None:
        self._shards = [shard[:, start:stop] for shard in shards]
        self._shard_rows = shard_rows
        self.shape = (sum(len(shard) for shard in shards), stop - start)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, row: int) -> np.ndarray:
        """The row, ``[width]`` f32."""
        if not 0 <= row < len(self):
            raise IndexError(row)
        return self._shards[row // self._shard_rows][row % self._shard_rows]

    def array(self) -> np.ndarray:
        """All rows copied into memory."""
        return np.concatenate(self._shards) if self._shards else np.zeros(self.shape, np.float32)


@dataclass(frozen=True)
class TeacherOutputs:
    """Logits ``[rows, labels]`` and pooled vectors ``[rows, hidden]`` of the teacher, and where they are."""

    logits: Column
    pooled: Column
    folder: Path


def weights_hash(model_dir: Path) -> str:
    """SHA-256 over the weights and the configuration of a model folder (names and contents).

    Raises:
        TrainError: T002 when the folder holds no weights.
    """
    names = ("config.json", "*.safetensors", "pytorch_model*.bin")
    files = sorted(path for pattern in names for path in model_dir.glob(pattern))
    if len(files) < 2:
        raise TrainError("T002", "the folder holds no weights", str(model_dir), "give a folder of save_pretrained")
    total = hashlib.sha256()
    with os_errors(model_dir):
        for path in files:
            total.update(path.name.encode())
            with path.open("rb") as handle:
                total.update(hashlib.file_digest(handle, "sha256").digest())
    return total.hexdigest()


def outputs_key(
    weights: str, ids: Sequence[np.ndarray], max_tokens: int, bf16: bool, types: Sequence[np.ndarray] | None = None
) -> str:
    """Key of a teacher's outputs: 32 hexadecimal digits over everything that decides them."""
    total = hashlib.sha256(_VERSION)
    total.update(f"{weights} {max_tokens} {'bf16' if bf16 else 'fp32'} {len(ids)}".encode())
    total.update(np.asarray([len(row) for row in ids], dtype=np.int64).tobytes())
    for row in [*ids, *(types or [])]:
        total.update(np.asarray(row, dtype=np.int32).tobytes())
    return total.hexdigest()[:32]


def teacher_outputs(
    teacher: nn.Module,
    weights: str,
    ids: Sequence[np.ndarray],
    *,
    max_tokens: int,
    cache: Path,
    pad_id: int = 0,
    precision: str = "auto",
    progress: Progress | None = None,
    rank: int = 0,
    ranks: int = 1,
    shard_rows: int = SHARD_ROWS,
    types: Sequence[np.ndarray] | None = None,
) -> TeacherOutputs:
    """The teacher's outputs for token rows, from the cache where they are there.

    Args:
        teacher: as for `potstill.distil.evaluate.outputs`.
        weights: `weights_hash` of the teacher.
        ids: token ids of each row.
        max_tokens: the cut that made ``ids``.
        cache: folder under which ``teacher-outputs/<key>/`` is kept.
        pad_id: id of the padding token.
        precision: arithmetic of the forward passes.
        progress: told the rows done.
        rank: this process of ``ranks``; each computes its shards and waits for the others'.
        ranks: number of processes.
        shard_rows: rows of a shard.
        types: token types of each row, None for single texts.
    """
    key = outputs_key(weights, ids, max_tokens, use_bf16(precision), types)
    folder = cache / "teacher-outputs" / key
    with os_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    starts = range(0, len(ids), shard_rows)
    labels = int(_config(teacher).num_labels)
    with (progress or QuietProgress()).task("teacher outputs", len(ids), "texts") as task:
        for number, start in enumerate(starts):
            rows = ids[start : start + shard_rows]
            path = _shard_path(folder, number, shard_rows)
            if number % ranks == rank and _open_shard(path, len(rows)) is None:
                some = None if types is None else types[start : start + shard_rows]
                result = outputs(teacher, rows, pad_id=pad_id, precision=precision, types=some)
                with atomic_write(path) as temporary, temporary.open("wb") as handle:
                    np.save(handle, np.concatenate([result.logits, result.pooled], axis=1))
            task.update(start + len(rows))
    shards = [
        _wait_shard(_shard_path(folder, number, shard_rows), min(shard_rows, len(ids) - start))
        for number, start in enumerate(starts)
    ]
    width = shards[0].shape[1] if shards else labels
    return TeacherOutputs(Column(shards, 0, labels, shard_rows), Column(shards, labels, width, shard_rows), folder)


def _config(model: nn.Module) -> Any:
    return getattr(model, "module", model).config


def _shard_path(folder: Path, number: int, shard_rows: int) -> Path:
    return folder / f"{number:06d}-of-{shard_rows}.npy"


def _open_shard(path: Path, rows: int) -> np.ndarray | None:
    """The memory-mapped shard, or None when it is absent or not what it should be."""
    try:
        shard: np.ndarray = np.load(path, mmap_mode="r")
    except (OSError, ValueError, EOFError):
        return None
    return shard if shard.ndim == 2 and len(shard) == rows and shard.dtype == np.float32 else None


def _wait_shard(path: Path, rows: int) -> np.ndarray:
    """A shard that another rank may still be computing."""
    end = time.monotonic() + _WAIT_SECONDS
    while (shard := _open_shard(path, rows)) is None:
        if time.monotonic() > end:
            raise TrainError(
                "T030", "another process did not write its teacher outputs", path.name, "see that process's error"
            )
        time.sleep(0.2)
    return shard
