"""The content-addressed store of stage results, written atomically (`potstill.work.atomic`)."""

from __future__ import annotations

import contextlib
import json
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from potstill.errors import os_errors
from potstill.work.atomic import finite, publish_folder, sweep_temporaries, write_json
from potstill.work.contents import content_hash, contents_of, damage, lacking, parse_contents, total

_MARKER = "stage.json"
_ATTEMPT = "attempt.json"


@dataclass(frozen=True)
class Record:
    """A completed stage.

    Attributes:
        folder: its files.
        facts: stored with it; plain JSON content.
        files: size in bytes and digest of each file (`potstill.work.contents`).
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
        """The first file of a result that does not hold what was stored, in words; read once, then trusted."""
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
        out = self.work(stage, key) / "out"
        final = self.folder(stage, key)
        with os_errors(final):
            files = contents_of(out)
            # The facts are given back as they will be read, so that a fresh and a kept result look the same.
            content = {"stage": stage, "key": key, "parts": parts or {}, "facts": facts, "files": files}
            stored = json.loads(json.dumps(finite(content)))
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
