"""The same recipe by another path: keys are made of content, so everything is kept."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from stub_stages import ALL, ROWS, write_recipe

from potstill.errors import RecipeError
from potstill.models.recipes import load_recipe
from potstill.pipeline import builder as run
from potstill.recipe import Recipe, bundled_names
from potstill.recipe.docs import recipe_text

LOCAL = ["teacher.model=models/mine", "data.unlabelled=['more.txt']", "data.validation=valid.csv", "data.test=t.csv"]


def project(folder: Path) -> Path:
    """A recipe with a local teacher and data in several files; gives its path."""
    write_recipe(folder)
    (folder / "models" / "mine" / ".git").mkdir(parents=True)
    (folder / "models" / "mine" / "config.json").write_text("{}")
    (folder / "models" / "mine" / ".git" / "index").write_text(str(folder))
    (folder / "more.txt").write_text("a text\n")
    for name in ("valid.csv", "t.csv"):
        (folder / name).write_text(ROWS)
    return folder / "mine.toml"


def test_another_folder_with_the_same_data(tmp_path: Path, ran: list[str]) -> None:
    out = tmp_path / "out"
    run.run_build(load_recipe(project(tmp_path / "one"), LOCAL), out)
    assert ran == ALL
    run.run_build(load_recipe(project(tmp_path / "two"), LOCAL), out)
    assert ran == ALL, "nothing ran again"


def test_the_published_recipe(tmp_path: Path, ran: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "build" / "mine"
    first = run.run_build(load_recipe(project(tmp_path / "one"), LOCAL), out)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    shutil.copy(out / "recipe.toml", elsewhere / "copy.toml")
    for path in (out / "recipe.toml", elsewhere / "copy.toml"):
        assert run.run_build(load_recipe(path), out)["keys"] == first["keys"]
    assert ran == ALL, "nothing ran again"
    before = (out / "recipe.toml").read_bytes()
    run.run_build(load_recipe(out / "recipe.toml"), out)
    assert (out / "recipe.toml").read_bytes() == before


def test_relative_absolute_and_roundabout_paths(
    tmp_path: Path, ran: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, out = project(tmp_path / "one"), tmp_path / "out"
    (path.parent / "sub").mkdir()
    run.run_build(load_recipe(path), out)
    monkeypatch.chdir(path.parent)
    for source in ("rows.csv", "./rows.csv", "sub/../rows.csv", str(path.parent / "rows.csv")):
        run.run_build(load_recipe(Path(os.path.relpath(path)), [f"data.source={source}"]), out)
    assert ran == ALL


def test_the_same_bytes_in_another_format_are_other_data(tmp_path: Path, ran: list[str]) -> None:
    path, out = project(tmp_path / "one"), tmp_path / "out"
    run.run_build(load_recipe(path), out)
    shutil.copy(path.with_name("rows.csv"), path.with_name("rows.tsv"))
    ran.clear()
    run.run_build(load_recipe(path, ["data.source=rows.tsv"]), out)
    assert ran == ["data"]


def test_a_changed_teacher_is_noticed_and_hidden_files_are_not(tmp_path: Path, ran: list[str]) -> None:
    path, out = project(tmp_path / "one"), tmp_path / "out"
    run.run_build(load_recipe(path, LOCAL), out)
    ran.clear()
    teacher = path.parent / "models" / "mine"
    (teacher / ".git" / "index").write_text("other")
    run.run_build(load_recipe(path, LOCAL), out)
    assert ran == []
    (teacher / "config.json").write_text("[]")
    run.run_build(load_recipe(path, LOCAL), out)
    assert ran == ALL[1:]


@pytest.mark.parametrize(
    "setting", ["seed=1", "student.preset=2l-128", "compile.scheme=mixed", "data.labels=['a','b']"]
)
@pytest.mark.parametrize("name", bundled_names())
def test_a_written_recipe_reads_back_as_it_was(tmp_path: Path, name: str, setting: str) -> None:
    try:
        recipe = load_recipe(name, [setting])
    except RecipeError:
        return  # settings that do not go with this recipe
    assert reread(recipe, tmp_path).content() == recipe.content()


def reread(recipe: Recipe, folder: Path) -> Recipe:
    (folder / "again.toml").write_text(recipe_text(recipe), encoding="utf-8")
    return load_recipe(folder / "again.toml")


def test_splits_that_do_not_lie_beside_the_source_are_found_from_anywhere(tmp_path: Path) -> None:
    folder = tmp_path / "one"
    (folder / "data").mkdir(parents=True)
    for name in ("data/rows.csv", "data/valid.csv", "test.csv"):
        (folder / name).write_text(ROWS)
    (folder / "r.toml").write_text(
        'name = "r"\n[teacher]\nmodel = "m"\n[data]\n'
        'source = "data/rows.csv"\nvalidation = "valid.csv"\ntest = "test.csv"\n'
    )
    data = reread(load_recipe(folder / "r.toml"), tmp_path).data
    assert data.source == str(folder / "data" / "rows.csv")
    assert (data.validation, data.test) == ("valid.csv", str(folder / "test.csv"))


def test_a_file_named_like_a_hub_model_is_no_teacher(tmp_path: Path) -> None:
    (tmp_path / "bert-base-uncased").write_text("")
    path = write_recipe(tmp_path).base / "mine.toml"  # type: ignore[operator]
    assert reread(load_recipe(path, ["teacher.model=bert-base-uncased"]), tmp_path).teacher.model == "bert-base-uncased"
