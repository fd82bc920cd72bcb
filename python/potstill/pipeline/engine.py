"""Runs stages in order: completed ones are kept, killed ones resume, failures leave nothing half-done."""

from __future__ import annotations

import contextlib
import errno
import functools
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from potstill.errors import PotstillError, SystemFailure, no_space, os_errors
from potstill.keys.versions import versions
from potstill.pipeline.changes import changes
from potstill.pipeline.stage import Context, Parts, Stage, key_of
from potstill.work import processes
from potstill.work.progress import duration
from potstill.work.store import Record, Store

# Results of a stage that are kept, newest first: going back to earlier settings is then free.
KEPT_RESULTS = 3
# A failure with less than this left on the disk is put down to the full disk.
_FULL_DISK_BYTES = 1 << 20


def run_stages(
    stages: Sequence[Stage],
    context: Context,
    store: Store,
    *,
    stop_after: str | None = None,
    prefix: str = "",
    before: Callable[[Stage], None] | None = None,
) -> list[str]:
    """Complete all stages; `context.records` and `context.keys` hold the results then.

    Args:
        stages: in an order in which each comes after those it needs.
        stop_after: name of the last stage to complete; None for all.
        prefix: before each message, for stages inside a stage; what was done earlier is then not mentioned.
        before: called once, with the first stage that has to run, in the main process.
    Returns: names of the stages that did run now.
    Raises:
        PotstillError: what a stage raises; SystemFailure: the disk is the reason; a stored
            result was damaged twice.
    """
    everyone = processes.current()
    ran: list[str] = []
    told: set[str] = set()
    remade: set[str] = set()
    number = 0
    while number < len(stages):
        stage = stages[number]
        label = f"{prefix}[{number + 1}/{len(stages)}] {stage.name}"
        found = everyone.broadcast(functools.partial(_look_up, stage, label, context, store))
        if found.damaged:
            number = _back_to(found.damaged, stages, remade)
            continue
        record = found.record
        context.parts[stage.name] = found.parts
        if record is not None:
            if not prefix and stage.name not in told:
                context.progress.message(f"{label}: done earlier")
        else:
            if before is not None and not ran:
                everyone.broadcast(functools.partial(before, stage))
            record = _complete(stage, label, found, context, store, everyone)
            ran.append(stage.name)
            for warning in record.facts.get("warnings", ()):
                context.progress.message(f"warning: {warning}")
        told.add(stage.name)
        context.records[stage.name], context.keys[stage.name] = record, found.key
        if stage.name == stop_after:
            break
        number += 1
    return ran


@dataclass(frozen=True)
class _Found:
    """A stage before it runs, or does not: its key, its stored result, or the damaged one it would have read."""

    key: str
    parts: Parts
    record: Record | None = None
    damaged: str = ""


def _look_up(stage: Stage, label: str, context: Context, store: Store) -> _Found:
    parts = stage.parts(context)
    key = key_of(stage.name, parts)
    record, wrong = store.look(stage.name, key)
    if record is not None:
        return _Found(key, parts, record)
    # Stored results are verified where they are read: a build with nothing to do reads none of them.
    for name in stage.needs:
        if (damage := store.damage(context.records[name])) is not None:
            context.progress.message(f"{name}: its stored result is damaged ({damage}) and is made again")
            store.discard(context.records[name])
            return _Found(key, parts, damaged=name)
    if wrong:
        context.progress.message(f"{label}: its stored result is damaged ({wrong}) and is made again")
    elif (newest := store.newest(stage.name)) is not None and (told := changes(newest.parts, parts)):
        context.progress.message(f"{label}: made again: {'; '.join(told)}")
    return _Found(key, parts)


def _back_to(damaged: str, stages: Sequence[Stage], remade: set[str]) -> int:
    """Number of the stage whose damaged result is to be made again.

    Raises:
        SystemFailure: it was made again already, or belongs to another run of stages.
    """
    names = [stage.name for stage in stages]
    if damaged in remade or damaged not in names:
        raise SystemFailure(
            "S100",
            f"the stored result of the stage {damaged} was damaged and is removed",
            "it does not hold what was written",
            "run the same command again; if it comes back, check the disk",
        )
    remade.add(damaged)
    return names.index(damaged)


def _complete(
    stage: Stage, label: str, found: _Found, context: Context, store: Store, everyone: processes.Processes
) -> Record:
    """Run a stage, in every process if it is parallel, and store its result, in the main one."""
    key = found.key

    def begin() -> tuple[bool, float, Path, Path]:
        resumed = store.has_work(stage.name, key)
        context.progress.message(f"{label}: {stage.about or 'running'}{', resuming' if resumed else ''}")
        spent = store.spent(stage.name, key)
        return resumed, spent, store.begin(stage.name, key), store.work(stage.name, key)

    resumed, spent, out, work = everyone.broadcast(begin)
    start = time.monotonic()

    def commit(facts: Mapping[str, Any]) -> Record:
        took = {"seconds": round(spent + time.monotonic() - start, 3), "resumed": resumed}
        # Versions of the run that made it: packages may be newer when the result is used.
        return store.commit(stage.name, key, {**facts, **took, "versions": versions()}, found.parts)

    context.reads = frozenset(stage.needs)
    try:
        with disk_failures(store.root):
            if stage.parallel:
                facts = stage.run(context, out, work)
                record = everyone.broadcast(lambda: commit(facts))
            else:
                record = everyone.broadcast(lambda: commit(stage.run(context, out, work)))
    finally:
        context.reads = None
    context.progress.message(f"{label}: done in {duration(time.monotonic() - start)}")
    return record


@contextlib.contextmanager
def disk_failures(folder: Path) -> Iterator[None]:
    """Turn a failure that the disk caused into `SystemFailure`, whatever library reported it and how.

    Libraries report a full disk in many ways (torch by a RuntimeError, safetensors by its own class), so the message
    and the space left decide too.
    """
    try:
        yield
    except PotstillError:
        raise
    except Exception as error:
        number = error.errno if isinstance(error, OSError) else None
        if number in (errno.EACCES, errno.EPERM, errno.EROFS):
            with os_errors(folder):
                raise
        spent = number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) or "No space left on device" in str(error)
        if spent or _is_full(folder):
            raise no_space(folder) from error
        raise


def _is_full(folder: Path) -> bool:
    try:
        return shutil.disk_usage(folder).free < _FULL_DISK_BYTES
    except OSError:
        return False


def prune(store: Store, context: Context) -> None:
    """After a whole build: drop work folders of other settings, and results beyond the newest few of each stage."""
    for stage, key in context.keys.items():
        results = []
        for entry in (store.root / stage).iterdir():
            if entry.name.endswith(".work"):
                shutil.rmtree(entry, ignore_errors=True)
            elif entry.name != key and entry.is_dir():
                results.append(entry)
        results.sort(key=lambda entry: entry.stat().st_mtime, reverse=True)
        for old in results[KEPT_RESULTS - 1 :]:
            shutil.rmtree(old, ignore_errors=True)
