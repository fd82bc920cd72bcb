"""The tiny task of the end-to-end tests: a random BERT teacher of two layers and sentences that a few words decide."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

GOOD = ["good", "great", "fine", "lovely", "bright", "superb"]
BAD = ["bad", "poor", "dull", "awful", "weak", "boring"]
PLAIN = [
    "the",
    "film",
    "a",
    "plot",
    "was",
    "and",
    "actor",
    "scene",
    "really",
    "music",
    "very",
    "is",
    "end",
    "with",
    "in",
]


def sentence(rng: random.Random, label: int) -> str:
    """Five to fifteen words, two of which tell the label."""
    words = [rng.choice(PLAIN) for _ in range(rng.randint(3, 13))]
    for _ in range(2):
        words.insert(rng.randint(0, len(words)), rng.choice(GOOD if label else BAD))
    return " ".join(words) + rng.choice([".", "!", ""])


def write_data(path: Path, rows: int = 400, seed: int = 0) -> None:
    """A CSV file with the columns text and label (negative, positive)."""
    rng = random.Random(seed)
    lines = ["text,label"]
    for row in range(rows):
        lines.append(f"{sentence(rng, row % 2)} {row},{('negative', 'positive')[row % 2]}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_teacher(folder: Path, *, layers: int = 2, hidden: int = 32, heads: int = 2) -> None:
    """A random BERT encoder with a WordPiece tokenizer that knows the words, in Hugging Face format."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizerFast

    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)] + [str(digit) for digit in range(10)]
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", "!", ",", *PLAIN, *GOOD, *BAD]
    vocabulary += [letter for letter in letters if letter not in vocabulary] + [f"##{letter}" for letter in letters]
    folder.mkdir(parents=True)
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=2 * hidden,
        max_position_embeddings=64,
    )
    BertModel(config).save_pretrained(folder)
    tokens = {word: index for index, word in enumerate(vocabulary)}
    BertTokenizerFast(vocab=tokens, do_lower_case=True, model_max_length=64).save_pretrained(folder)


RECIPE = """
name = "tiny"
seed = 7
[teacher]
model = "teacher"
epochs = 4
learning_rate = 5e-3
batch_size = 32
precision = "fp32"
[data]
source = "rows.csv"
max_tokens = 32
[student]
layers = 1
hidden = 32
heads = 2
intermediate = 64
init = "pca"
[distil]
alpha = 0.5
pooled_cosine = 0.5
epochs = 4
learning_rate = 5e-3
precision = "fp32"
save_steps = 5
"""


def write_task(folder: Path) -> Path:
    """Teacher, data and recipe in `folder`; gives the path of the recipe."""
    folder.mkdir(parents=True, exist_ok=True)
    write_teacher(folder / "teacher")
    write_data(folder / "rows.csv")
    recipe = folder / "tiny.toml"
    recipe.write_text(RECIPE, encoding="utf-8")
    return recipe


@dataclass(frozen=True)
class TinyTask:
    """The tiny task, written into a folder of the test run."""

    folder: Path
    recipe: Path

    def sentences(self, count: int, seed: int) -> list[str]:
        """New sentences; those at even places are negative, at odd ones positive."""
        rng = random.Random(seed)
        return [sentence(rng, index % 2) for index in range(count)]


@pytest.fixture(scope="module")
def tiny_task(tmp_path_factory: pytest.TempPathFactory) -> TinyTask:
    """The tiny task in a fresh folder."""
    folder = tmp_path_factory.mktemp("tiny")
    return TinyTask(folder, write_task(folder))


# A build by the library, with a short benchmark: two rounds at one length, no measurement of memory.
COMMAND = """
import functools, json, sys, time
from pathlib import Path
start = time.monotonic()
from potstill.pipeline.progress import make_progress
from potstill.pipeline.run import run_build
from potstill.recipe import load_recipe
from potstill.bench import measure
measure.bench_host = functools.partial(measure.bench_host, rounds=2, lengths=(16,), memory=False)
recipe, out, cache = map(Path, sys.argv[1:4])
last = sys.argv[4] or None
recipe = load_recipe(recipe, sys.argv[5:])
found = run_build(recipe, out, progress=make_progress(), cache=cache, stop_after=last)
modules = sorted({name.split(".")[0] for name in sys.modules})
print(json.dumps({"seconds": time.monotonic() - start, "modules": modules, "found": found}))
"""


class Build:
    """Builds of the tiny task; each is a process of its own."""

    def __init__(self, task: TinyTask, name: str) -> None:
        self.task = task
        self.out = task.folder / name
        self.cache = task.folder / f"{name}-cache"

    def start(self, *settings: str, stop_after: str = "") -> subprocess.Popen[str]:
        paths = [str(path) for path in (self.task.recipe, self.out, self.cache)]
        command = [sys.executable, "-c", COMMAND, *paths, stop_after, *settings]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def run(self, *settings: str, stop_after: str = "") -> tuple[dict[str, Any], str]:
        """What the process printed as JSON, and its progress."""
        process = self.start(*settings, stop_after=stop_after)
        output, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
        return json.loads(output.splitlines()[-1]), errors

    def report(self) -> dict[str, Any]:
        """The content of report.json."""
        found: dict[str, Any] = json.loads((self.out / "report.json").read_text(encoding="utf-8"))
        return found


@pytest.fixture(scope="module")
def make_build(tiny_task: TinyTask) -> Callable[[str], Build]:
    """Make builds of the tiny task, each with an output folder and a cache of that name."""
    return lambda name: Build(tiny_task, name)
