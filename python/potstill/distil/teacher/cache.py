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
from collections.abc import Callable, Iterator, Mapping, Sequence
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
from potstill.runtime.rows import TokenRows
from potstill.work.atomic import atomic_write
from potstill.work.contents import file_digest
from potstill.work.progress import Progress, QuietProgress

# Rows of a shard: 1.6 MB for pooled vectors 384 wide.
SHARD_ROWS = 1024
_VERSION = b"potstill teacher outputs 2"
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


def outputs_key(weights: str, rows: TokenRows, bf16: bool) -> str:
    """Key of a teacher's outputs: 32 hexadecimal digits over everything that decides them."""
    total = hashlib.sha256(_VERSION)
    total.update(f"{weights} {'bf16' if bf16 else 'fp32'}".encode())
    for name, column in (("ids", rows.ids), ("types", rows.types), ("words", rows.words)):
        if column is not None:
            total.update(f" {name} {len(column)}".encode())
            total.update(np.asarray([len(row) for row in column], dtype=np.int64).tobytes())
            total.update(np.concatenate([*column, np.zeros(0, np.int32)]).astype(np.int32).tobytes())
    return total.hexdigest()[:32]


@dataclass(frozen=True)
class Keeping:
    """Where outputs are kept, in which form, and who computes them.

    Attributes:
        cache: folder under which ``teacher-outputs/<key>/`` is kept.
        rank: this process of ``ranks``; each computes its shards and waits for those of the others.
        ranks: number of processes.
        half: keep states as f16, else as f32.
        shard_rows: rows of a shard.
    """

    cache: Path
    rank: int = 0
    ranks: int = 1
    half: bool = True
    shard_rows: int = field(default_factory=lambda: SHARD_ROWS)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Numbers of the states."""
        return np.dtype(np.float16 if self.half else np.float32)

    def shards(self, folder: Path, sizes: Sequence[int]) -> list[Shard]:
        """The shards in a folder; ``sizes``: entries of each row."""
        starts = range(0, len(sizes), self.shard_rows)
        parts = [slice(start, start + self.shard_rows) for start in starts]
        return [
            Shard(folder / f"{number:06d}-of-{self.shard_rows}.npy", part, sum(sizes[part]))
            for number, part in enumerate(parts)
        ]


@dataclass(frozen=True)
class Shard:
    """A file of one output of some rows: so many entries ``[entries, width]``."""

    path: Path
    rows: slice
    entries: int

    def opened(self, dtype: Any = np.float32) -> np.ndarray | None:
        """The memory-mapped array; None when it is absent or damaged. A process reads it once."""
        try:
            found: np.ndarray = np.load(self.path, mmap_mode="r")
            state = self.path.stat()
            seen = (self.path, state.st_mtime_ns, state.st_size)
            if seen not in _VERIFIED:
                if self.path.with_suffix(_DIGEST).read_text(encoding="ascii") != file_digest(self.path):
                    return None
                _VERIFIED.add(seen)
        except (OSError, ValueError, EOFError):
            return None
        return found if found.ndim == 2 and len(found) == self.entries and found.dtype == dtype else None

    def awaited(self, dtype: Any = np.float32) -> np.ndarray:
        """The array, which another process may still be computing.

        Raises:
            TrainError: it does not come.
        """
        end = time.monotonic() + _WAIT_SECONDS
        while (found := self.opened(dtype)) is None:
            if time.monotonic() > end:
                raise TrainError(
                    "T030", "another process did not write its teacher outputs", self.path.name,
                    "see that process's error",
                )  # fmt: skip
            time.sleep(0.2)
        return found

    def write(self, values: np.ndarray) -> None:
        """Write the array, then its digest."""
        with atomic_write(self.path) as temporary, temporary.open("wb") as handle:
            np.save(handle, values)
        with atomic_write(self.path.with_suffix(_DIGEST)) as temporary:
            temporary.write_text(file_digest(self.path), encoding="ascii")


def teacher_outputs(
    teacher: nn.Module,
    weights: str,
    rows: TokenRows,
    keeping: Keeping,
    *,
    precision: str = "auto",
    places: Sequence[int] = (),
    progress: Progress | None = None,
) -> TeacherOutputs:
    """The teacher's outputs for token rows, from the cache where they are there; one forward pass gives all of a shard.

    Args:
        teacher: as for `potstill.models.evaluation.outputs`.
        weights: `weights_hash` of the teacher.
        rows: the rows in the teacher's ids; those that know their words are answered word by word.
        keeping: where and how.
        precision: arithmetic of the forward passes.
        places: keep the states of tokens at these places too; see `states_bytes` for the size.
        progress: reports the rows done.

    Raises:
        TrainError: another process did not write its shards; states of a teacher that is not BERT-shaped.
    """
    folder = keeping.cache / "teacher-outputs" / outputs_key(weights, rows, use_bf16(precision))
    with os_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    # Entries of a row: one, or one a word; of states one a token.
    entries = [1] * len(rows) if rows.words is None else [len(row) for row in rows.words]
    shards = keeping.shards(folder, entries)
    view, kind = token_view(teacher, "teacher") if places else None, "f16" if keeping.half else "f32"
    states = {place: keeping.shards(folder / f"state-{place}-{kind}", rows.lengths) for place in places}
    with (progress or QuietProgress()).task("teacher outputs", len(rows), "texts") as task:
        task.update(0)  # else the first shard would pass for what an earlier run had done
        for number, shard in enumerate(shards):
            some = rows[shard.rows]
            if number % keeping.ranks == keeping.rank:
                missing = [place for place in places if states[place][number].opened(keeping.dtype) is None]
                lacking = shard.opened() is None
                if missing or lacking:
                    with _keep_states(view, missing, some, keeping.dtype) as (each, found):
                        result = outputs(teacher, some, precision=precision, each=each)
                    for place in missing:
                        states[place][number].write(found[place])
                    if lacking:
                        shard.write(np.concatenate([result.logits, result.pooled], axis=1))
            task.update(shard.rows.start + len(some))
    arrays, size = [shard.awaited() for shard in shards], keeping.shard_rows
    columns = {
        place: TokenColumn([shard.awaited(keeping.dtype) for shard in found], rows.lengths, size)
        for place, found in states.items()
    }
    labels = int(getattr(teacher, "module", teacher).config.num_labels)
    width = arrays[0].shape[1] if arrays else labels
    logits = Column(arrays, 0, labels, size) if rows.words is None else TokenColumn(arrays, entries, size)
    return TeacherOutputs(logits, Column(arrays, labels, width, size), folder, columns)


def states_bytes(rows: TokenRows, width: int, places: Sequence[int], half: bool = True) -> int:
    """Bytes on the disk of the states at ``places`` of a teacher of that width."""
    return sum(rows.lengths) * width * len(places) * (2 if half else 4)


@contextmanager
def _keep_states(
    view: TokenView | None, places: Sequence[int], rows: TokenRows, dtype: np.dtype[Any]
) -> Iterator[tuple[Callable[[list[int], torch.Tensor], None] | None, dict[int, np.ndarray]]]:
    """What `outputs` calls after each batch, by which the states at ``places`` land in arrays ``[tokens, hidden]``."""
    if view is None or not places:
        yield None, {}
        return
    lengths = rows.lengths
    ends = np.cumsum(lengths)
    kept = {place: np.empty((int(ends[-1]), view.width), dtype) for place in places}
    limit = float(np.finfo(dtype).max)

    with tap(view, places) as seen:

        def each(numbers: list[int], mask: torch.Tensor) -> None:
            for place in places:
                states = seen[place].float().clamp(-limit, limit).cpu().numpy()
                for index, row in enumerate(numbers):
                    kept[place][ends[row] - lengths[row] : ends[row]] = states[index, : lengths[row]]

        yield each, kept
