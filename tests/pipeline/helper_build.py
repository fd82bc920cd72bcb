"""A build of small fake stages in a process of its own, for tests that kill it; run with the output folder.

Stages: `one` writes a file; `slow` counts to 20 with a checkpoint each step, 50 ms apart; `last` sums up. The files
`log` in the output folder tell which steps ran in which process.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from potstill.models.recipes import load_recipe
from potstill.pipeline.engine import prune, run_stages
from potstill.pipeline.stage import Context, Stage
from potstill.work.atomic import sweep_temporaries, write_json
from potstill.work.lock import out_lock
from potstill.work.progress import PlainProgress
from potstill.work.store import Store

STEPS = 20


def main(out: Path, pause: float) -> None:
    """Run the stages with `out` as output folder."""

    def log(text: str) -> None:
        with (out / "log").open("a") as stream:
            stream.write(f"{os.getpid()} {text}\n")

    def one(context: Context, folder: Path, work: Path) -> Mapping[str, Any]:
        log("one")
        (folder / "a.txt").write_text(str(context.recipe.seed))
        return {}

    def slow(context: Context, folder: Path, work: Path) -> Mapping[str, Any]:
        checkpoint = work / "step"
        done = int(checkpoint.read_text()) if checkpoint.exists() else 0
        (folder / "half.txt").write_text("half")
        for step in range(done, STEPS):
            log(f"step {step}")
            temporary = work / "step.new"
            temporary.write_text(str(step + 1))
            temporary.replace(checkpoint)
            time.sleep(pause)
        (folder / "half.txt").unlink()
        (folder / "b.txt").write_text("whole")
        return {"first": done}

    def last(context: Context, folder: Path, work: Path) -> Mapping[str, Any]:
        log("last")
        return {"first": context.facts("slow")["first"]}

    stages = [
        Stage("one", one, recipe=("seed",)),
        Stage("slow", slow, recipe=("student",), needs=("one",)),
        Stage("last", last, needs=("slow",)),
    ]
    out.mkdir(parents=True, exist_ok=True)
    context = Context(load_recipe("sentiment"), out / "cache", PlainProgress(sys.stdout))
    with out_lock(out):
        sweep_temporaries(out)
        store = Store(out / "stages")
        store.sweep()
        ran = run_stages(stages, context, store)
        write_json(out / "report.json", {"ran": ran, "first": context.facts("last")["first"]})
        prune(store, context)


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]))
