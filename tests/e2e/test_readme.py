"""The README is held to its word: every command and every Python block of it runs, on a tiny teacher and tiny data.

Bundled recipes are stood in for by files of their names in the working folder, which `potstill` prefers. What a session
of nox does is that session's own test; here its name and options are looked up.
"""

from __future__ import annotations

import contextlib
import functools
import io
import random
import re
import shlex
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tiny_files import BAD, GOOD, sentence, write_data, write_teacher

from potstill.cli import main
from potstill.compare import host

PROJECT = Path(__file__).resolve().parents[2]
README = (PROJECT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
PROSE = re.sub(r"^```.*?^```$", "", README, flags=re.MULTILINE | re.DOTALL)
LINES = [line for kind, text in BLOCKS if kind == "sh" for line in text.splitlines()]
SPANS = [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", PROSE)]
SNIPPETS = [text for kind, text in BLOCKS if kind == "python"]

# What makes the build of a new recipe tiny; the README's own settings stay.
TINY = {
    "teacher.model": "teacher", "teacher.epochs": "1", "data.source": "rows.csv", "data.max_tokens": "32",
    "student.hidden": "128", "student.heads": "4", "student.intermediate": "128", "distil.epochs": "1",
    "export.tflite": "false",
}  # fmt: skip
# A file that stands in for a bundled recipe.
RECIPE = """
name = "{name}"
task = "{task}"
teacher = {{ model = "teacher", epochs = 1 }}
data = {{ source = "{source}", max_tokens = 32 }}
student = {{ layers = 1, hidden = 128, heads = 4, intermediate = 128 }}
distil = {{ epochs = 1 }}
export = {{ tflite = false }}
"""
# Figures that only make a command long; the shorter ones do the same work.
SHORTER = {"--points": "2", "--seeds": "7,8"}
# The bundled recipes that the README builds, with task and data.
STAND_INS = {
    "sentiment": ("classification", "rows.csv"),
    "sentiment-tiny": ("classification", "rows.csv"),
    "topics": ("classification", "rows.csv"),
    "embeddings": ("embedding", "rows.csv"),
    "punctuation": ("token-classification", "words.conll"),
}
BUILDING = ("build", "search", "seeds")


# A command stands at the start, behind a space, a quote or a folder, and ends at `&&`, a comment or the line's end.
_COMMAND = re.compile(r"""(?:^|(?<=[\s/']))potstill [a-z].*?(?=\s+&&|\s+\#|$)""")


def commands_in(text: str) -> list[str]:
    """The `potstill` commands of a command line; one that was quoted as a whole loses the quote behind it."""
    found = _COMMAND.findall(text)
    return [command[:-1] if command.count("'") % 2 else command for command in found]


COMMANDS = list(dict.fromkeys(command for text in [*LINES, *SPANS] for command in commands_in(text)))


def is_whole(command: str) -> bool:
    """Whether a command can be typed as it stands; others (`potstill run`) only speak of a command and its options."""
    words = shlex.split(command)[1:]
    return words[0] == "doctor" or (len(words) > 1 and not words[1].startswith("-"))


WHOLE = [command for command in COMMANDS if is_whole(command)]
# What trains; the working folder alone has two builds.
RUNS = [
    pytest.param(one, marks=pytest.mark.builds if re.search("potstill (build|search|seeds)", one) else ())
    for one in WHOLE
]
MENTIONED = [command for command in COMMANDS if not is_whole(command)]


@dataclass(frozen=True)
class Ran:
    """What a command gave."""

    code: int
    text: str


def run(words: Sequence[str]) -> Ran:
    """Run the command line in this process."""
    text, typed = io.StringIO(), io.TextIOWrapper(io.BytesIO(b"a lovely film\n"), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(text), contextlib.redirect_stderr(text):
        patch.setattr("sys.stdin", typed)
        try:
            code = main(words)
        except SystemExit as left:
            code = int(left.code or 0)
    return Ran(code, text.getvalue())


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A working folder in which the README's files lie: recipes, a finished build, model files, a tokenizer."""
    folder = tmp_path_factory.mktemp("desk")
    write_teacher(folder / "teacher", layers=4, hidden=128, heads=4)
    write_data(folder / "rows.csv", rows=200)
    write_words(folder / "words.conll")
    for name, (task, source) in STAND_INS.items():
        (folder / name).write_text(RECIPE.format(name=name, task=task, source=source), encoding="utf-8")
    quick = functools.partial(host.bench_host, rounds=2, lengths=(16,), apart=False)
    with pytest.MonkeyPatch.context() as patch, contextlib.chdir(folder):
        patch.setattr(host, "bench_host", quick)
        patch.setenv("POTSTILL_CACHE", str(folder / "cache"))
        patch.setenv("COLUMNS", "200")
        for name in ("sentiment", "punctuation"):
            built = run(["build", name, "--quiet"])
            assert built.code == 0, built.text
        for name in ("model.still", "model.onnx", "tokenizer"):
            source = folder / "build" / "sentiment" / name
            (shutil.copytree if source.is_dir() else shutil.copyfile)(source, folder / name)
        shutil.copyfile("build/punctuation/model.still", "tagger.still")
        assert run(["recipe", "new", "my.toml"]).code == 0
        yield folder


def write_words(path: Path) -> None:
    """Words with tags, a sentence of the tiny task each: who is good and who is bad."""
    rng = random.Random(2)
    kinds = {**dict.fromkeys(GOOD, "B-GOOD"), **dict.fromkeys(BAD, "B-BAD")}
    texts = [sentence(rng, row % 2).rstrip(".!").split() for row in range(120)]
    rows = ["\n".join(f"{word} {kinds.get(word, 'O')}" for word in words) for words in texts]
    path.write_text("\n\n".join(rows) + "\n", encoding="utf-8")


def words_of(command: str) -> list[str]:
    """The words of a command, less work asked of those that train."""
    words = shlex.split(command)[1:]
    for place, word in enumerate(words[:-1]):
        words[place + 1] = SHORTER.get(word, words[place + 1])
    if words[0] in BUILDING and "my.toml" in words:
        words += [f"--set={key}={value}" for key, value in TINY.items() if f"{key}=" not in command]
    return words


def test_the_readme_has_what_is_looked_for() -> None:
    # An edit that hides the commands from these tests must not pass as "all of them work".
    assert len(WHOLE) >= 12, WHOLE
    assert len(SNIPPETS) >= 2
    assert {"build", "run", "compile", "recipe", "bench", "doctor"} <= {command.split()[1] for command in WHOLE}


@pytest.mark.parametrize("command", RUNS)
def test_a_command_runs(desk: Path, command: str) -> None:
    for made in re.findall(r"recipe new (\S+)", command):
        (desk / made).unlink(missing_ok=True)
    ran = run(words_of(command))
    # The doctor's 1 is an answer: something does not fit.
    assert ran.code == 0 or (ran.code == 1 and command.startswith("potstill doctor")), f"{command}\n{ran.text}"
    assert ran.text.strip()


@pytest.mark.parametrize("command", MENTIONED)
def test_a_command_that_is_spoken_of_exists(command: str) -> None:
    name, *options = shlex.split(command)[1:]
    helped = run([name, "--help"])
    assert helped.code == 0, helped.text
    for option in (word for word in options if word.startswith("-")):
        assert option in helped.text, f"{command}: no {option}"


@pytest.mark.parametrize("snippet", SNIPPETS, ids=[text.splitlines()[0] for text in SNIPPETS])
def test_a_python_block_runs(desk: Path, snippet: str) -> None:
    del desk
    exec(compile(snippet, "README.md", "exec"), names_of(snippet))


def names_of(snippet: str) -> dict[str, Any]:
    """What a block takes as there: for the trainer a student, a teacher and rows."""
    if "DistillationTrainer" not in snippet:
        return {}
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    student = AutoModelForSequenceClassification.from_pretrained("build/sentiment/student")
    teacher = AutoModelForSequenceClassification.from_pretrained("build/sentiment/student")
    tokenizer = AutoTokenizer.from_pretrained("build/sentiment/student")
    texts = ["a good film", "a dull film", "great music", "weak plot"]
    tokenized = [{**tokenizer(text), "labels": row % 2} for row, text in enumerate(texts)]
    return {"student": student, "teacher": teacher, "tokenized": tokenized}


def sessions() -> dict[str, str]:
    """The sessions of the noxfile by name, with their docstrings and bodies."""
    text = (PROJECT / "noxfile.py").read_text(encoding="utf-8")
    found = {}
    for part in text.split("@nox.session")[1:]:
        name = re.search(r"def (\w+)\(", part)
        assert name is not None
        found[name.group(1).removesuffix("_session")] = part
    return found


NOX = [text for text in [*LINES, *SPANS] if re.search(r"(^|/)nox -s ", text)]


@pytest.mark.parametrize("text", NOX)
def test_a_session_that_is_named_exists(text: str) -> None:
    found = re.search(r"nox -s ([\w ]+?)(?: -- (.*))?$", text)
    assert found is not None
    known = sessions()
    for name in found.group(1).split():
        assert name in known
        for option in re.findall(r"--[\w-]+", found.group(2) or ""):
            assert option in known[name] or option.removeprefix("--") in known[name], f"{text}: no {option}"


def test_files_and_folders_that_are_named_exist() -> None:
    roots = ("python/", "cpp/", "toolchains/", "tests/")
    named = [part.rstrip("/") for span in SPANS if span.startswith(roots) for part in span.split(", ")]
    assert len(named) >= 8
    assert [name for name in named if "<" not in name and not (PROJECT / name).exists()] == []


def test_modules_that_are_run_exist() -> None:
    import importlib.util

    for span in SPANS:
        for name in re.findall(r"python -m (potstill[\w.]+)", span):
            assert importlib.util.find_spec(name) is not None, name
