"""Builds killed at moments of every stage that works for long, then run to their end: the same file, bit for bit."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

# Whatever appears first under one of these names, not there when the build was started, is the moment: the teacher in
# training, its states going to the cache, the student in training (twice), the compiler.
MOMENTS = (
    ("out", "stages/teacher/*.work/checkpoint-*"),
    ("cache", "teacher-outputs/*/state-*/*"),
    ("out", "stages/student/*.work/checkpoint-*"),
    ("out", "stages/student/*.work/checkpoint-*/average.safetensors"),
    ("out", "stages/still/*.work/out/*"),
)
# Losses of tokens and augmentation: learned maps and cached states have to survive too.
SETTINGS = ("export.tflite=false", "distil.hidden=0.5", "distil.relations=0.5", "distil.augment=1")


def artefacts(build: Any) -> dict[str, bytes]:
    """What the stages gave: weights and compiled files, by stage and name."""
    found = {}
    for stage, names in (("teacher", "*.safetensors"), ("student", "*.safetensors"), ("still", "*.still")):
        for path in (build.out / "stages" / stage).glob(f"*/{names}"):
            found[f"{stage}/{path.parent.name}/{path.name}"] = path.read_bytes()
    return found


@pytest.mark.builds
def test_killed_at_many_moments_a_build_ends_in_the_same_bits(make_build: Callable[[str], Any]) -> None:
    whole, broken = make_build("whole"), make_build("broken")
    expected, _ = whole.run(*SETTINGS, stop_after="verify", fresh=True)
    delays = random.Random(11)
    for where, pattern in MOMENTS:
        folder: Path = broken.out if where == "out" else broken.cache
        before = set(folder.glob(pattern))
        process = broken.start(*SETTINGS, stop_after="verify")
        end = time.monotonic() + 200
        while not set(folder.glob(pattern)) - before:
            assert process.poll() is None, (pattern, process.communicate()[1])
            assert time.monotonic() < end, f"nothing appeared as {pattern}"
            time.sleep(0.005)
        time.sleep(delays.uniform(0.0, 0.15))
        process.kill()
        process.communicate()
    found, progress = broken.run(*SETTINGS, stop_after="verify")
    assert "teacher: done earlier" in progress and "student: done earlier" in progress
    for stage in ("teacher", "student", "verify"):
        for name in ("test_accuracy", "validation_accuracy", "accuracy", "label_agreement"):
            assert found["found"][stage].get(name) == expected["found"][stage].get(name), (stage, name)
    ours, theirs = artefacts(broken), artefacts(whole)
    assert ours.keys() == theirs.keys() and len(ours) == 4
    assert all(ours[name] == theirs[name] for name in ours)
    assert not [path for path in broken.out.rglob("*") if path.name.startswith(".tmp-") and path.parent != broken.out]
