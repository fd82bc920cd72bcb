"""The teacher's outputs, computed once, kept on disk, memory-mapped.

A teacher does not change while it teaches: running it again for every epoch and every trial of a student would cost
more than the student itself. Outputs are keyed by what decides them (weights, token ids, arithmetic) and written in
shards, each under its final name only when whole, so a kill costs one shard. Ranks of a distributed run share the work
by shard number.

States of tokens, for the losses that compare them, lie beside, a folder for each place in the stack (`token_states`):
runs that map other layers share what they have in common. Attention scores and relations are made anew from states,
which take `hidden` numbers a token and layer where scores would take `heads * length`.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from potstill.errors import TrainError, os_errors
from potstill.models.evaluation import outputs
from potstill.models.precision import use_bf16
from potstill.models.token_states import TokenView, tap, token_view
from potstill.work.atomic import atomic_write
from potstill.work.contents import file_digest
from potstill.work.progress import Progress, QuietProgress

# Rows of a shard: 1.6 MB for pooled vectors 384 wide.
SHARD_ROWS = 1024
_VERSION = b"potstill teacher outputs 1"
# Beside each shard: the digest of what was written.
_DIGEST = ".xxh3"
_VERIFIED: set[tuple[Path, int, int]] = set()
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


class TokenColumn:
    """States of the tokens of all rows at one place, over memory-mapped shards of ``[tokens, hidden]``.

    Also the logits of the words of all rows, ``[words, labels]``.
    """

    def __init__(self, shards: Sequence[np.ndarray], lengths: Sequence[int], shard_rows: int) -> None:
        self._shards, self._lengths, self._shard_rows = shards, lengths, shard_rows
        ends = [np.cumsum(lengths[start : start + shard_rows]) for start in range(0, len(lengths), shard_rows)]
        self._ends = np.concatenate(ends) if ends else np.zeros(0, np.int64)
        self.shape = (sum(lengths), shards[0].shape[1] if shards else 0)

    def __len__(self) -> int:
        return len(self._lengths)

    def __getitem__(self, row: int) -> np.ndarray:
        """The states of the row, ``[length, hidden]`` f16 or f32."""
        if not 0 <= row < len(self):
            raise IndexError(row)
        end = int(self._ends[row])
        return self._shards[row // self._shard_rows][end - self._lengths[row] : end]


@dataclass(frozen=True)
class TeacherOutputs:
    """Logits ``[rows, labels]``, pooled vectors ``[rows, hidden]`` and states by place; and where they are.

    Of a teacher that labels words, the logits of a row are ``[words, labels]`` and there are no pooled vectors.
    """

    logits: Column | TokenColumn
    pooled: Column
    folder: Path
    states: Mapping[int, TokenColumn] = field(default_factory=dict)


def weights_hash(model_dir: Path) -> str:
    """SHA-256 over the weights and the configuration of a model folder (names and contents).

    Raises:
        TrainError: when the folder holds no weights.
    """
    names = ("config.json", "*.safetensors", "pytorch_model*.bin")
    files = sorted(path for pattern in names for path in model_dir.glob(pattern))
    if len(files) < 2:
        raise TrainError("T103", "the folder holds no weights", str(model_dir), "give a folder of save_pretrained")
    total = hashlib.sha256()
    with os_errors(model_dir, reading=True):
        for path in files:
            total.update(path.name.encode())
            with path.open("rb") as handle:
                total.update(hashlib.file_digest(handle, "sha256").digest())
    return total.hexdigest()


def outputs_key(
    weights: str,
    ids: Sequence[np.ndarray],
    max_tokens: int,
    bf16: bool,
    types: Sequence[np.ndarray] | None = None,
    words: Sequence[np.ndarray] | None = None,
) -> str:
    """Key of a teacher's outputs: 32 hexadecimal digits over everything that decides them."""
    total = hashlib.sha256(_VERSION)
    total.update(f"{weights} {max_tokens} {'bf16' if bf16 else 'fp32'} {len(ids)}".encode())
    total.update(np.asarray([len(row) for row in ids], dtype=np.int64).tobytes())
    for row in [*ids, *(types or [])]:
        total.update(np.asarray(row, dtype=np.int32).tobytes())
    if words is not None:
        total.update(b"words" + np.asarray([len(row) for row in words], dtype=np.int64).tobytes())
        total.update(np.concatenate([*words, np.zeros(0, np.int32)]).astype(np.int32).tobytes())
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
    places: Sequence[int] = (),
    half: bool = True,
    types: Sequence[np.ndarray] | None = None,
    words: Sequence[np.ndarray] | None = None,
) -> TeacherOutputs:
    """The teacher's outputs for token rows, from the cache where they are there; one forward pass gives all of a shard.

    Args:
        teacher: as for `potstill.models.evaluation.outputs`.
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
        places: keep the states of tokens at these places too; see `states_bytes` for the size.
        half: keep states as f16, else as f32.
        types: token types of each row, None for single texts.
        words: where the words of each row begin, for a teacher that labels words.

    Raises:
        TrainError: another process did not write its shards; states of a teacher that is not BERT-shaped.
    """
    key = outputs_key(weights, ids, max_tokens, use_bf16(precision), types, words)
    folder = cache / "teacher-outputs" / key
    with os_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    starts = range(0, len(ids), shard_rows)
    lengths = [len(row) for row in ids]
    # Entries of each row in a shard of logits: one, or one a word.
    entries = [1] * len(ids) if words is None else [len(row) for row in words]
    labels = int(_config(teacher).num_labels)
    view = token_view(teacher, "teacher") if places else None
    state_folders = {place: folder / f"state-{place}-{'f16' if half else 'f32'}" for place in places}
    state_dtype = np.dtype(np.float16 if half else np.float32)
    with (progress or QuietProgress()).task("teacher outputs", len(ids), "texts") as task:
        task.update(0)  # else the first shard would pass for what an earlier run had done
        for number, start in enumerate(starts):
            rows = ids[start : start + shard_rows]
            path = _shard_path(folder, number, shard_rows)
            missing = []
            if number % ranks == rank:
                tokens = sum(lengths[start : start + shard_rows])
                paths = {place: _shard_path(state_folders[place], number, shard_rows) for place in places}
                missing = [place for place in places if _open_shard(paths[place], tokens, state_dtype) is None]
                lacking = _open_shard(path, sum(entries[start : start + shard_rows])) is None
                if missing or lacking:
                    each: dict[str, Any] = {
                        name: None if column is None else column[start : start + shard_rows]
                        for name, column in (("types", types), ("words", words))
                    }
                    with _keep_states(view, missing, rows, state_dtype) as (keep, states):
                        result = outputs(teacher, rows, pad_id=pad_id, precision=precision, **each, **keep)
                    for place in missing:
                        _write_shard(paths[place], states[place])
                    if lacking:
                        _write_shard(path, np.concatenate([result.logits, result.pooled], axis=1))
            task.update(start + len(rows))
    shards = [
        _wait_shard(_shard_path(folder, number, shard_rows), sum(entries[start : start + shard_rows]))
        for number, start in enumerate(starts)
    ]
    columns = {}
    for place in places:
        found = [
            _wait_shard(
                _shard_path(state_folders[place], number, shard_rows),
                sum(lengths[start : start + shard_rows]),
                state_dtype,
            )
            for number, start in enumerate(starts)
        ]
        columns[place] = TokenColumn(found, lengths, shard_rows)
    width = shards[0].shape[1] if shards else labels
    pooled = Column(shards, labels, width, shard_rows)
    logits = Column(shards, 0, labels, shard_rows) if words is None else TokenColumn(shards, entries, shard_rows)
    return TeacherOutputs(logits, pooled, folder, columns)


def states_bytes(ids: Sequence[np.ndarray], width: int, places: Sequence[int], half: bool = True) -> int:
    """Bytes on the disk of the states at ``places`` of a teacher of that width."""
    return sum(len(row) for row in ids) * width * len(places) * (2 if half else 4)


@contextmanager
def _keep_states(
    view: TokenView | None, places: Sequence[int], rows: Sequence[np.ndarray], dtype: np.dtype[Any]
) -> Iterator[tuple[dict[str, Any], dict[int, np.ndarray]]]:
    """Arguments for `outputs` with which the states at ``places`` land in arrays ``[tokens, hidden]``, row by row."""
    if view is None or not places:
        yield {}, {}
        return
    ends = np.cumsum([len(row) for row in rows])
    kept = {place: np.empty((int(ends[-1]), view.width), dtype) for place in places}
    limit = float(np.finfo(dtype).max)

    with tap(view, places) as seen:

        def each(numbers: list[int], mask: torch.Tensor) -> None:
            for place in places:
                states = seen[place].float().clamp(-limit, limit).cpu().numpy()
                for index, row in enumerate(numbers):
                    length = len(rows[row])
                    kept[place][ends[row] - length : ends[row]] = states[index, :length]

        yield {"each": each}, kept


def _write_shard(path: Path, values: np.ndarray) -> None:
    with atomic_write(path) as temporary, temporary.open("wb") as handle:
        np.save(handle, values)
    with atomic_write(path.with_suffix(_DIGEST)) as temporary:
        temporary.write_text(file_digest(path), encoding="ascii")


def _config(model: nn.Module) -> Any:
    return getattr(model, "module", model).config


def _shard_path(folder: Path, number: int, shard_rows: int) -> Path:
    return folder / f"{number:06d}-of-{shard_rows}.npy"


def _open_shard(path: Path, rows: int, dtype: Any = np.float32) -> np.ndarray | None:
    """The memory-mapped shard, or None when it is absent or does not hold what was written; read once by a process."""
    try:
        shard: np.ndarray = np.load(path, mmap_mode="r")
        state = path.stat()
        seen = (path, state.st_mtime_ns, state.st_size)
        if seen not in _VERIFIED:
            if path.with_suffix(_DIGEST).read_text(encoding="ascii") != file_digest(path):
                return None
            _VERIFIED.add(seen)
    except (OSError, ValueError, EOFError):
        return None
    return shard if shard.ndim == 2 and len(shard) == rows and shard.dtype == dtype else None


def _wait_shard(path: Path, rows: int, dtype: Any = np.float32) -> np.ndarray:
    """A shard that another rank may still be computing."""
    end = time.monotonic() + _WAIT_SECONDS
    while (shard := _open_shard(path, rows, dtype)) is None:
        if time.monotonic() > end:
            raise TrainError(
                "T030", "another process did not write its teacher outputs", path.name, "see that process's error"
            )
        time.sleep(0.2)
    return shard
