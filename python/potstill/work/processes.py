"""Several processes of one build, as torchrun and accelerate launch start them; alone, everything here does nothing.

Process 0 holds the lock, writes the store, prints and decides; the others train along and fill the teacher cache, and
wait where process 0 works alone. What it decides reaches them through `Processes.broadcast`, so that all take the same
way. Machines must share the output folder and the cache.

A process that fails leaves its error with the launcher's key-value store and ends; the launcher then stops the others,
and those that notice the broken connection first name the error instead of their own.
"""

from __future__ import annotations

import contextlib
import datetime
import os
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from potstill.errors import PotstillError, RecipeError, SystemFailure

T = TypeVar("T")

# The others wait as long as process 0 exports and measures; a dead process is noticed by its broken connection.
_TIMEOUT = datetime.timedelta(days=2)
_FAILURE = "potstill/failure"
# How the libraries report a lost process; none has an exception of its own for it.
_LOST = ("by peer", "gloo", "NCCL", "Broken pipe", "recvValue failed", "sendBytes failed")


class Processes:
    """This process among those of the build.

    Attributes:
        rank: number of this process, from 0.
        count: number of processes.
    """

    def __init__(self, rank: int, count: int) -> None:
        self.rank = rank
        self.count = count
        self._group: Any = None

    @property
    def main(self) -> bool:
        """Whether this is the process that writes and prints."""
        return self.rank == 0

    def start(self) -> Processes:
        """Connect the processes; does nothing when there is one, or when they are connected."""
        if self.count > 1 and self._group is None:
            import torch

            distributed = torch.distributed
            if not distributed.is_initialized():
                backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
                distributed.init_process_group(backend, timeout=_TIMEOUT)
            # A group of its own: what is said here never mixes with the exchanges of gradients.
            self._group = distributed.new_group(backend="gloo", timeout=_TIMEOUT)
        return self

    def stop(self) -> None:
        """Leave the others, after a build that went well."""
        if self._group is not None:
            import torch

            torch.distributed.destroy_process_group()
            self._group = None

    def broadcast(self, make: Callable[[], T]) -> T:
        """What ``make`` gives in process 0, in every process; the others wait for it.

        Raises:
            SystemFailure: in the others, when process 0 failed.
        """
        if self.count == 1:
            return make()
        import torch

        self.start()
        box: list[Any] = [None, None]
        failure: Exception | None = None
        if self.main:
            try:
                box[0] = make()
            except Exception as error:
                failure, box[1] = error, _text(error)
        torch.distributed.broadcast_object_list(box, src=0, group=self._group)
        if failure is not None:
            raise failure
        if box[1] is not None:
            raise self._other_failed(f"0 of this build failed: {box[1]}")
        return box[0]

    def barrier(self) -> None:
        """Wait until all processes are here."""
        if self.count > 1:
            import torch

            self.start()
            torch.distributed.barrier(group=self._group)

    def share(self, batch_size: int, key: str) -> int:
        """Rows of a step for this process, such that a step of all has ``batch_size`` rows.

        The same recipe then takes the same steps over the same rows on any number of processes.

        Raises:
            RecipeError: the processes do not divide the batch.
        """
        if batch_size % self.count:
            below = batch_size - batch_size % self.count
            raise RecipeError(
                "R020",
                f"{key} = {batch_size} cannot be divided among {self.count} processes",
                f"{key}, WORLD_SIZE = {self.count}",
                f"use {below or self.count}, or a number of processes that divides {batch_size}",
            )
        return batch_size // self.count

    @contextlib.contextmanager
    def failures(self) -> Iterator[None]:
        """Tell the others of a failure in here, and name theirs where it is the cause of ours."""
        try:
            yield
        except Exception as error:
            if self.count == 1:
                raise
            other = self._noted()
            lost = isinstance(error, RuntimeError) and any(sign in str(error) for sign in _LOST)
            if lost and not isinstance(error, PotstillError):
                raise self._other_failed(other or "another ended without a word; was it killed?") from error
            if other is None:
                self._note(f"{self.rank} of this build failed: {_text(error)}")
            raise

    def _other_failed(self, what: str) -> SystemFailure:
        return SystemFailure(
            "S080",
            f"process {what}",
            f"process {self.rank} of {self.count}",
            "see the first error; the same command goes on from the last checkpoint",
        )

    def _note(self, text: str) -> None:
        with contextlib.suppress(Exception):
            self._store().set(_FAILURE, text)

    def _noted(self) -> str | None:
        with contextlib.suppress(Exception):
            store = self._store()
            if store.check([_FAILURE]):
                return str(store.get(_FAILURE).decode())
        return None

    def _store(self) -> Any:
        import torch

        return torch.distributed.distributed_c10d._get_default_store()


def _text(error: BaseException) -> str:
    return str(error) if isinstance(error, PotstillError) else f"{type(error).__name__}: {error}"


_CURRENT: list[Processes] = []


def current() -> Processes:
    """This process and the number of them, by the launcher's variables RANK and WORLD_SIZE."""
    if not _CURRENT:
        _CURRENT.append(Processes(int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))))
    return _CURRENT[0]
