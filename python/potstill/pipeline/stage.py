"""What a stage is, and the key under which its result is stored."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from potstill.pipeline.progress import Progress
from potstill.pipeline.store import Record
from potstill.recipe.hash import content_hash, section_hash
from potstill.recipe.schema import Recipe

PACKAGE = Path(__file__).parents[1]
# 64 bits of the hash: folder names stay readable, and a clash among a few results cannot happen by chance.
_KEY_LENGTH = 16


@dataclass
class Context:
    """What stages are given: the recipe, the shared cache, the results so far, and where to tell the progress."""

    recipe: Recipe
    cache: Path
    progress: Progress
    records: dict[str, Record] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)

    def folder(self, stage: str) -> Path:
        """Folder of the completed stage."""
        return self.records[stage].folder

    def facts(self, stage: str) -> dict[str, Any]:
        """Facts that the completed stage stored."""
        return self.records[stage].facts


Work = Callable[[Context, Path, Path], Mapping[str, Any]]


@dataclass(frozen=True)
class Stage:
    """One step of the build.

    Attributes:
        name: also the name of its folder.
        run: does the work: `run(context, out, work)` fills the empty folder `out`, may keep checkpoints in `work`, and
            gives facts (plain JSON content) to be stored with the result.
        about: what it does, for the reader.
        version: raise it when the same inputs give another result than before.
        recipe: keys or sections of the recipe that it reads (`["seed", "data.max_tokens"]`).
        needs: stages whose results it reads.
        keyed_by: of those, the ones whose key counts for this stage's key; None means all. A stage that reads only
            some content of another names that content in `identity` instead.
        identity: other things its result depends on, by their content.
        code: files and folders of this package whose source counts for the key. For cheap stages, so that a change of
            the code shows at once; training is guarded by `version`, since a changed comment must not retrain.
        parallel: every process of a build with several runs it, and the main one alone fills `out` and gives the facts;
            else the main one runs it while the others wait.
    """

    name: str
    run: Work
    about: str = ""
    version: int = 1
    recipe: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    keyed_by: tuple[str, ...] | None = None
    identity: Callable[[Context], Mapping[str, Any]] | None = None
    code: tuple[str, ...] = ()
    parallel: bool = False

    def key(self, context: Context) -> str:
        """The key of this stage's result; equal inputs give equal keys on any machine."""
        upstream = self.needs if self.keyed_by is None else self.keyed_by
        parts = {
            "stage": self.name,
            "version": self.version,
            "recipe": section_hash(context.recipe, self.recipe),
            "needs": {name: context.keys[name] for name in upstream},
            "identity": dict(self.identity(context)) if self.identity is not None else {},
            "code": {name: code_digest(name) for name in self.code},
        }
        return content_hash(parts)[:_KEY_LENGTH]


def data_identity(context: Context) -> dict[str, Any]:
    """The data by its content, for stages that read the splits."""
    return {"data": context.facts("data")["fingerprint"]}


@functools.cache
def code_digest(name: str) -> str:
    """SHA-256 (hex) of the source files of a part of this package: `compile`, `export/onnx.py`, `_core*.so`."""
    digest = hashlib.sha256()
    for found in sorted(PACKAGE.glob(name)):
        files = sorted(found.rglob("*.py")) if found.is_dir() else [found]
        for path in files:
            digest.update(str(path.relative_to(PACKAGE)).encode() + b"\0")
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
