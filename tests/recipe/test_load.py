"""Recipes: what is wrong is told with code, place and next step; overrides; bundled recipes."""

from __future__ import annotations

from pathlib import Path

import pytest

from potstill.errors import InputError, RecipeError, SystemFailure
from potstill.models.recipes import load_recipe
from potstill.recipe import apply_overrides, bundled_names

BASE = """
name = "mine"
[teacher]
model = "demo:all-minilm-l6-v2"
[data]
source = "rows.csv"
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return path


def failure(folder: Path, text: str) -> RecipeError:
    with pytest.raises(RecipeError) as caught:
        load_recipe(write(folder, text))
    return caught.value


def test_defaults_are_those_of_the_schema(tmp_path: Path) -> None:
    recipe = load_recipe(write(tmp_path, BASE))
    assert recipe.seed == 42
    assert (recipe.student.layers, recipe.student.hidden, recipe.student.heads) == (4, 312, 12)
    assert recipe.data.split == [0.8, 0.1, 0.1]
    assert recipe.export.opset == 18
    assert recipe.base == tmp_path


@pytest.mark.parametrize("name", bundled_names())
def test_bundled_recipes_load(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.name == name
    assert recipe.base is None


def test_bundled_recipes_are_these() -> None:
    assert {"sentiment", "sentiment-quick", "topics"} <= set(bundled_names())


@pytest.mark.parametrize(
    ("addition", "code", "what", "next_step"),
    [
        ("[student]\nlayer = 2", "R003", "unknown key student.layer", "did you mean student.layers?"),
        ("[studnet]\nlayers = 2", "R003", "unknown key studnet", "did you mean student?"),
        ("[student]\ntemperature = 2.0", "R003", "student.temperature", "that key belongs to [distil]"),
        ("[student]\nxyzzy = 2", "R003", "student.xyzzy", "known keys: preset, architecture"),
        ('[student]\nlayers = "two"', "R005", "'two' is of the wrong type", "Transformer layers"),
        ("[student]\nlayers = 2.5", "R005", "2.5 is of the wrong type", "Transformer layers"),
        ("[distil]\ntemperature = true", "R005", "True is of the wrong type", "Softens"),
        ("[student]\nlayers = 0", "R006", "0 is out of range", "Transformer layers"),
        ("[distil]\nalpha = 1.5", "R006", "1.5 is out of range", "Weight of the loss"),
        ('[student]\ninit = "pcaa"', "R007", "'pcaa' is not one of the choices", "did you mean 'pca'?"),
        ("[student]\nhidden = 100\nheads = 12", "R008", "heads = 12 does not divide hidden = 100", "heads = 10 would"),
        ("[student]\nlayers = 3\ninit_layers = [0, 1]", "R008", "init_layers names 2 layers, layers = 3", ""),
        ('[student]\ninit = "random"\nlayers = 1\ninit_layers = [0]', "R008", "no meaning", ""),
        ("[compile]\nmax_tokens = 32", "R008", "compile.max_tokens = 32 is under data.max_tokens = 64", "would refuse"),
        ("[export]\nopset = 17", "R007", "17 is not one of the choices", "13 or 18"),
    ],
)
def test_one_problem(tmp_path: Path, addition: str, code: str, what: str, next_step: str) -> None:
    error = failure(tmp_path, f"{BASE}\n{addition}\n")
    assert error.code == code
    assert what in error.what
    assert next_step in error.next_step or next_step in error.what
    assert "mine.toml" in error.where
    assert str(error).startswith(f"error[{code}]: ")
    assert error.exit_code == 2


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("split = [0.5, 0.1, 0.1]", "the shares sum to 0.7, not to 1"),
        ("split = [0.0, 0.5, 0.5]", "the share of the training rows"),
        ('labels = ["a", "b", "a"]', "'a' stands twice"),
        ('units = "characters"', "data.units says what a tagger labels"),
    ],
)
def test_contradictions_in_data(tmp_path: Path, line: str, what: str) -> None:
    error = failure(tmp_path, f"{BASE}{line}\n")
    assert error.code == "R008"
    assert what in error.what


def test_missing_key_says_what_it_is(tmp_path: Path) -> None:
    error = failure(tmp_path, 'name = "x"\n[teacher]\nmodel = "m"\n[data]\n')
    assert error.code == "R004"
    assert "data.source" in error.what
    assert "Parquet" in error.next_step


def test_several_problems_are_told_at_once(tmp_path: Path) -> None:
    error = failure(tmp_path, BASE + '[student]\nlayer = 2\nhidden = "wide"\n[distil]\nalpha = 7.0\n')
    assert error.code == "R010"
    assert "3 problems" in error.what
    for part in ("error[R003]: unknown key student.layer", "error[R005]: 'wide'", "error[R006]: 7.0 is out of range"):
        assert part in error.next_step


def test_toml_syntax_names_the_line(tmp_path: Path) -> None:
    error = failure(tmp_path, 'name = "x"\n[teacher]\nmodel = demo\n')
    assert error.code == "R002"
    assert "line 3" in error.where


def test_not_utf8_names_the_line(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(b'name = "x"\n# caf\xe9\n')
    with pytest.raises(RecipeError) as caught:
        load_recipe(path)
    assert caught.value.code == "R002"
    assert "line 2" in caught.value.where


@pytest.mark.parametrize(("name", "hint"), [("sentimant", "did you mean 'sentiment'?"), ("qqq", "bundled: ")])
def test_no_such_recipe(name: str, hint: str) -> None:
    with pytest.raises(RecipeError) as caught:
        load_recipe(name)
    assert caught.value.code == "R001"
    assert hint in caught.value.next_step
    assert "topics" in caught.value.next_step


def test_overrides_take_toml_values_and_bare_words(tmp_path: Path) -> None:
    settings = [
        "student.layers=2",
        "student.init=copy",
        "student.init_layers=[0, 5]",
        "export.tflite=false",
        "name=other",
        'data.unlabelled=["demo:tweets"]',
        "distil.learning_rate=1e-4",
    ]
    recipe = load_recipe(write(tmp_path, BASE), settings)
    assert recipe.name == "other"
    assert recipe.student.init_layers == [0, 5]
    assert recipe.student.init == "copy"
    assert recipe.export.tflite is False
    assert recipe.data.unlabelled == ["demo:tweets"]
    assert recipe.distil.learning_rate == 1e-4


@pytest.mark.parametrize("setting", ["student.layers", "=3", "student..layers=2", "name.first=x"])
def test_bad_override(tmp_path: Path, setting: str) -> None:
    with pytest.raises(RecipeError) as caught:
        load_recipe(write(tmp_path, BASE), [setting])
    assert caught.value.code == "R009"
    assert setting in caught.value.where


def test_an_override_without_a_value_takes_the_key_out() -> None:
    content = {"student": {"vocabulary": "seen", "vocabulary_size": 900}}
    assert apply_overrides(content, ["student.vocabulary_size=", "distil.alpha="]) == {
        "student": {"vocabulary": "seen"},
        "distil": {},
    }
    own = ["student.vocabulary=", "student.vocabulary_size=", "student.vocabulary_characters=", "student.tokenizer=own"]
    student = load_recipe("chinese-reviews", own).student
    assert student.tokenizer == "own" and student.vocabulary == "full" and student.vocabulary_size is None


def test_overrides_leave_the_original_alone() -> None:
    content = {"student": {"layers": 4}}
    assert apply_overrides(content, ["student.layers=2"]) == {"student": {"layers": 2}}
    assert content == {"student": {"layers": 4}}


@pytest.mark.parametrize(
    ("settings", "part"),
    [
        (["compile.mixed_drop=0.1"], 'use scheme = "mixed"'),
        (["compile.scheme=mixed", "compile.mixed_drop=0.1", "compile.mixed_bytes=9000"], "two ways to set one limit"),
        (["compile.scheme=fp32", "quantize.qat_epochs=1"], "quantize.qat_epochs has no meaning"),
    ],
)
def test_rounding_settings_that_contradict(settings: list[str], part: str) -> None:
    with pytest.raises(RecipeError) as caught:
        load_recipe("sentiment", settings)
    assert caught.value.code == "R008" and part in str(caught.value)


def test_rounding_settings_that_fit() -> None:
    found = load_recipe("sentiment", ["compile.scheme=fp32", "compile.embedding=int8", "quantize.qat_epochs=0.5"])
    assert (found.compile.embedding, found.quantize.qat_epochs, found.quantize.clip) == ("int8", 0.5, "absmax")
    assert load_recipe("sentiment", ["compile.scheme=mixed", "compile.mixed_bytes=5000000"]).compile.mixed_drop is None


@pytest.mark.parametrize(
    "text",
    [f"x = {'[' * 3000}{']' * 3000}", f"x = {'9' * 5000}", 'name = "\\q"'],
    ids=["deep", "long number", "bad escape"],
)
def test_whatever_toml_cannot_be_read_is_told(tmp_path: Path, text: str) -> None:
    assert failure(tmp_path, text).code == "R002"
    assert load_recipe(write(tmp_path, BASE), ["data.source=" + "[" * 3000]).data.source == "[" * 3000
    with pytest.raises(RecipeError, match="R005"):
        load_recipe(write(tmp_path, BASE), ["seed=1\nb=2"])


def test_a_recipe_that_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(RecipeError, match=r"R001.*name the TOML file in it"):
        load_recipe(tmp_path / "folder.toml")
    for odd in ("x" * 300, "a\0b", ""):
        with pytest.raises(InputError, match="I121"):
            load_recipe(odd)
    (tmp_path / "mine.toml").write_bytes("name = 1".encode("utf-16"))
    with pytest.raises(RecipeError, match=r"R002.*UTF-8.*line 1"):
        load_recipe(tmp_path / "mine.toml")


def test_a_folder_that_may_not_be_looked_into(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(path: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "is_file", refused)
    with pytest.raises(SystemFailure, match=r"S002.*not allowed to read"):
        load_recipe(tmp_path / "mine.toml")
