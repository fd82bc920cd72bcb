"""What a stage is, and the key under which its result is stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from potstill.keys.closure import sources
from potstill.keys.values import values_of
from potstill.recipe.schema import Recipe
from potstill.work.contents import content_hash
from potstill.work.progress import Progress
from potstill.work.store import Record

# 64 bits of the hash: folder names stay readable, and a clash among a few results cannot happen by chance.
_KEY_LENGTH = 16

# What a key is made of, by kind: `recipe`, `needs`, `identity`, `code`, `libraries`; plain JSON content.
Parts = dict[str, dict[str, Any]]


# Facts that a report has in places of their own.
_SHARED_FACTS = ("seconds", "resumed", "warnings", "versions", "card")


@dataclass
class Context:
    """What stages are given: the recipe, the shared cache, the results so far, and where to report progress.

    Attributes:
        parts: what the keys so far are made of, by stage; with that of the stage that runs.
        reads: the stages whose folders the stage that runs may read; None outside of a run.
    """

    recipe: Recipe
    cache: Path
    progress: Progress
    records: dict[str, Record] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    parts: dict[str, Parts] = field(default_factory=dict)
    reads: frozenset[str] | None = None

    def folder(self, stage: str) -> Path:
        """Folder of the completed stage; what a running stage reads was verified before it began.

        Raises:
            LookupError: the running stage does not name that one in `Stage.needs`.
        """
        if self.reads is not None and stage not in self.reads:
            raise LookupError(f"a stage reads the result of {stage!r}, which its needs do not name")
        return self.records[stage].folder

    def facts(self, stage: str) -> dict[str, Any]:
        """Facts that the completed stage stored."""
        return self.records[stage].facts

    def own_facts(self, stage: str) -> dict[str, Any]:
        """Of these, what no other stage has: no times, versions or warnings, and not the model's card."""
        return {name: value for name, value in self.facts(stage).items() if name not in _SHARED_FACTS}

    def code_hash(self) -> str:
        """SHA-256 (hex) over the code of all stages so far, that of the running one included."""
        return content_hash({name: parts["code"] for name, parts in self.parts.items()})


Work = Callable[[Context, Path, Path], Mapping[str, Any]]


@dataclass(frozen=True)
class Stage:
    """One step of the build.

    Attributes:
        name: also the name of its folder.
        run: does the work: `run(context, out, work)` fills the empty folder `out`, may keep checkpoints in `work`, and
            gives facts (plain JSON content) to be stored with the result. The code that it imports is part of the key
            (`potstill.keys.closure`), and so are the versions of the libraries.
        about: what it does, for the reader.
        recipe: keys or sections of the recipe that it reads (`["seed", "data.max_tokens"]`).
        needs: stages whose results it reads.
        keyed_by: of those, the ones that count for this stage's key; None means all. A stage that reads only some
            content of another names that content in `identity` instead.
        identity: other things its result depends on, by their content.
        parallel: every process of a build with several runs it, and the main one alone fills `out` and gives the facts;
            else the main one runs it while the others wait.
    """

    name: str
    run: Work
    about: str = ""
    recipe: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    keyed_by: tuple[str, ...] | None = None
    identity: Callable[[Context], Mapping[str, Any]] | None = None
    parallel: bool = False

    def parts(self, context: Context) -> Parts:
        """What the key is made of; equal inputs give equal parts on any machine with the same libraries."""
        upstream = self.needs if self.keyed_by is None else self.keyed_by
        closure = sources(context.cache).closure(self.run)
        return {
            "recipe": values_of(context.recipe, self.recipe),
            # By key, and by content too: a result that had to be made again may be another.
            "needs": {name: f"{context.keys[name]} {context.records[name].digest}" for name in upstream},
            "identity": dict(self.identity(context)) if self.identity is not None else {},
            "code": closure.code,
            "libraries": closure.libraries,
        }

    def key(self, context: Context) -> str:
        """The key of this stage's result."""
        return key_of(self.name, self.parts(context))


def key_of(stage: str, parts: Parts) -> str:
    """The key of a stage's result, out of its parts."""
    return content_hash({"stage": stage, **parts})[:_KEY_LENGTH]


def data_identity(context: Context) -> dict[str, Any]:
    """The data by its content, for stages that read the splits."""
    return {"data": context.facts("data")["fingerprint"]}
