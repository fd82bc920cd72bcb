"""Atomic writes and the content-addressed store of stage results.

Nothing half-written is ever seen under a final name: files and folders are made beside their place under a temporary
name, flushed to the disk, then renamed. A kill at any moment leaves either the old state, the new one, or a
temporary name that the next build removes.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from potstill.errors import os_errors

TEMPORARY_PREFIX = ".tmp-"
_MARKER = "stage.json"
_ATTEMPT = "attempt.json"


@contextlib.contextmanager
def atomic_write(path: Path | str) -> Iterator[Path]:
    """Give a temporary path in the same folder, which replaces `path` when the block ends well.

    The temporary name keeps the suffix of `path`, since some writers choose their format by it. On any exception,
    KeyboardInterrupt included, the temporary file is removed and `path` stays as it was.

    Raises:
        SystemFailure: S001 disk full, S002 not allowed to write, S003 another failure of the system.
    """
    final = Path(path)
    with os_errors(final):
        final.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=TEMPORARY_PREFIX, suffix=f"-{final.name}", dir=final.parent)
        os.close(handle)
        temporary = Path(name)
        try:
            # mkstemp gives mode 0600; a published artefact gets what an ordinary open() would give it.
            temporary.chmod(0o666 & ~_umask())
            yield temporary
            _sync(temporary)
            temporary.replace(final)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        _sync(final.parent)


@contextlib.contextmanager
def atomic_folder(path: Path | str) -> Iterator[Path]:
    """Give a temporary folder beside `path`, which takes its place when the block ends well.

    Raises:
        SystemFailure: as `atomic_write`.
    """
    final = Path(path)
    with os_errors(final):
        final.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=TEMPORARY_PREFIX, suffix=f"-{final.name}", dir=final.parent))
        try:
            temporary.chmod(0o777 & ~_umask())
            yield temporary
            publish_folder(temporary, final)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise


def publish_folder(made: Path, final: Path) -> None:
    """Flush the folder `made` to the disk and give it the name `final`, replacing a folder already there."""
    for root, _, files in os.walk(made):
        for name in files:
            _sync(Path(root) / name)
        _sync(Path(root))
    if final.exists():
        # Renaming onto a filled folder is refused by POSIX: move the old one aside, then drop it.
        aside = Path(tempfile.mkdtemp(prefix=TEMPORARY_PREFIX, dir=final.parent)) / final.name
        final.rename(aside)
        made.rename(final)
        shutil.rmtree(aside.parent, ignore_errors=True)
    else:
        made.rename(final)
    _sync(final.parent)


def sweep_temporaries(folder: Path) -> None:
    """Remove what killed writers left in `folder`; call it only while holding the lock of that folder."""
    for left in folder.glob(f"{TEMPORARY_PREFIX}*"):
        if left.is_dir() and not left.is_symlink():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as JSON, atomically; a number that is not finite becomes null, since JSON has none."""
    with atomic_write(path) as temporary:
        text = json.dumps(_finite(value), indent=2, ensure_ascii=False, allow_nan=False)
        temporary.write_text(text + "\n", encoding="utf-8")


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


@dataclass(frozen=True)
class Record:
    """A completed stage.

    Attributes:
        folder: its files.
        facts: stored with it; plain JSON content.
        files: size in bytes and digest of each file (`potstill.pipeline.contents`).
        parts: what its key is made of.
        digest: of all files: equal results have equal ones.
    """

    folder: Path
    facts: dict[str, Any]
    files: dict[str, tuple[int, str]] = field(default_factory=dict)
    parts: dict[str, Any] = field(default_factory=dict)
    digest: str = ""


class Store:
    """Results of stages under `root/<stage>/<key>/`, each complete or absent.

    A stage works in `root/<stage>/<key>.work/`, which survives a kill so that it can resume from its checkpoints, and
    fills `<key>.work/out/`. On commit the marker is written into `out/` last and `out/` is renamed to `<key>`. The
    marker knows its own content and that of every file: `find` looks at the marker and at sizes, `damage` reads all.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._verified: set[Path] = set()

    def folder(self, stage: str, key: str) -> Path:
        """Where the result of that stage and key lies, or will lie."""
        return self.root / stage / key

    def find(self, stage: str, key: str) -> Record | None:
        """The completed result, or None."""
        record, _ = self.look(stage, key)
        return record

    def look(self, stage: str, key: str) -> tuple[Record | None, str]:
        """The completed result, or None and what is wrong with it; nothing is wrong where there is none."""
        from potstill.pipeline.contents import lacking

        folder = self.folder(stage, key)
        if not folder.is_dir():
            return None, ""
        record = _read_marker(folder)
        if record is None:
            return None, f"{_MARKER} cannot be read"
        # A file missing from or cut in a stored result (deleted by hand, damaged copy) means it is not complete.
        wrong = lacking(folder, record.files)
        return (record, "") if wrong is None else (None, wrong)

    def damage(self, record: Record) -> str | None:
        """The first file of a result that does not hold what was stored, in words; read once, then taken on trust."""
        from potstill.pipeline.contents import damage

        if record.folder in self._verified:
            return None
        wrong = damage(record.folder, record.files)
        if wrong is None:
            self._verified.add(record.folder)
        return wrong

    def discard(self, record: Record) -> None:
        """Remove a result."""
        self._verified.discard(record.folder)
        shutil.rmtree(record.folder, ignore_errors=True)

    def newest(self, stage: str) -> Record | None:
        """The newest of a stage's results."""
        folder = self.root / stage
        results = [entry for entry in folder.iterdir() if not entry.name.endswith(".work")] if folder.is_dir() else []
        results.sort(key=lambda entry: entry.stat().st_mtime, reverse=True)
        return next((record for entry in results if (record := _read_marker(entry)) is not None), None)

    def work(self, stage: str, key: str) -> Path:
        """The work folder of that stage and key, made if absent; what a killed run left in it stays."""
        work = self.root / stage / f"{key}.work"
        with os_errors(work):
            work.mkdir(parents=True, exist_ok=True)
        return work

    def has_work(self, stage: str, key: str) -> bool:
        """Whether a killed run of that stage left something to resume from."""
        work = self.root / stage / f"{key}.work"
        return work.is_dir() and any(entry.name not in ("out", _ATTEMPT) for entry in work.iterdir())

    def spent(self, stage: str, key: str) -> float:
        """Note that an attempt starts now; gives the seconds that killed or failed attempts took before.

        A killed attempt cannot tell when it ended; the newest file it left does, to within a checkpoint.
        """
        work = self.work(stage, key)
        note, before = work / _ATTEMPT, 0.0
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            earlier = json.loads(note.read_text(encoding="utf-8"))
            newest = max(path.stat().st_mtime for path in work.rglob("*"))
            before = earlier["spent"] + max(0.0, newest - earlier["start"])
        write_json(note, {"spent": before, "start": time.time()})
        return before

    def begin(self, stage: str, key: str) -> Path:
        """An empty output folder inside the work folder."""
        out = self.work(stage, key) / "out"
        with os_errors(out):
            if out.exists():
                shutil.rmtree(out)
            out.mkdir()
        return out

    def commit(self, stage: str, key: str, facts: Mapping[str, Any], parts: Mapping[str, Any] | None = None) -> Record:
        """Publish the output folder under its final name with `facts`, then drop the work folder."""
        from potstill.pipeline.contents import contents_of, total
        from potstill.recipe.hash import content_hash

        out = self.work(stage, key) / "out"
        final = self.folder(stage, key)
        with os_errors(final):
            files = contents_of(out)
            # The facts are given back as they will be read, so that a fresh and a kept result look the same.
            content = {"stage": stage, "key": key, "parts": parts or {}, "facts": facts, "files": files}
            stored = json.loads(json.dumps(_finite(content)))
            write_json(out / _MARKER, {**stored, "check": content_hash(stored)})
            publish_folder(out, final)
            shutil.rmtree(self.work(stage, key), ignore_errors=True)
        self._verified.add(final)
        return Record(final, stored["facts"], files, stored["parts"], total(files))

    def sweep(self) -> None:
        """Remove what kills left behind, except the work folders that a stage may resume from."""
        if self.root.is_dir():
            for stage in self.root.iterdir():
                if stage.is_dir():
                    sweep_temporaries(stage)


def _read_marker(folder: Path) -> Record | None:
    """The record in a result's folder; None when there is none, or it does not hold what was written."""
    from potstill.pipeline.contents import parse_contents, total
    from potstill.recipe.hash import content_hash

    try:
        stored = json.loads((folder / _MARKER).read_text(encoding="utf-8"))
        check = stored.pop("check", None) if isinstance(stored, dict) else None
        if check != content_hash(stored) or stored["key"] != folder.name:
            return None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    files, facts, parts = parse_contents(stored.get("files")), stored.get("facts"), stored.get("parts")
    if files is None or not isinstance(facts, dict) or not isinstance(parts, dict):
        return None
    return Record(folder, facts, files, parts, total(files))


def publish_file(source: Path, final: Path) -> None:
    """Make `final` a copy of `source`, atomically: who edits the one in place leaves the other as it is."""
    with atomic_write(final) as temporary:
        shutil.copyfile(source, temporary)


def _sync(path: Path) -> None:
    """Flush a file or a folder's entries to the disk, where the system lets us."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _umask() -> int:
    # The only way to read the mask is to set it.
    mask = os.umask(0)
    os.umask(mask)
    return mask
