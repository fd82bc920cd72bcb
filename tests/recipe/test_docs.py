"""The documentation is generated from the schema: every key is in it, and a new recipe is a valid one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from potstill.errors import RecipeError
from potstill.keys.values import keys_but, values_of
from potstill.models.recipes import load_recipe, parse_recipe
from potstill.recipe.docs import bundled_text, schema_json, schema_markdown, template
from potstill.recipe.schema import SECTIONS, Recipe
from potstill.work.contents import content_hash


def test_every_key_has_a_description_and_stands_in_the_docs() -> None:
    text = schema_markdown()
    for model in [Recipe, *SECTIONS.values()]:
        for key, field in model.model_fields.items():
            assert field.description, f"{model.__name__}.{key}"
            if key not in SECTIONS:
                assert f"| `{key}` |" in text


def test_docs_tell_type_range_and_default() -> None:
    text = schema_markdown()
    assert "| `layers` | whole number >= 1, <= 48 | `4` |" in text
    assert '| `init` | `pca`, `copy`, `prune`, `random` | `"pca"` |' in text
    assert "| `model` | text | required |" in text


def test_json_schema_forbids_unknown_keys() -> None:
    schema = schema_json()
    assert schema["additionalProperties"] is False
    assert schema["$defs"]["Student"]["properties"]["layers"]["maximum"] == 48


@pytest.fixture
def new(tmp_path: Path) -> Path:
    """A recipe as `recipe new` writes it."""
    path = tmp_path / "new.toml"
    path.write_text(template("new"), encoding="utf-8")
    return path


def test_a_new_recipe_has_the_defaults(new: Path) -> None:
    made = load_recipe(new).content()
    least = {"name": "new", "teacher": {"model": "demo:all-minilm-l6-v2"}, "data": {"source": "demo:movie-reviews"}}
    assert made == parse_recipe(least, "here").content()


def test_every_key_stands_in_a_new_recipe(new: Path) -> None:
    text = new.read_text(encoding="utf-8")
    for section, model in SECTIONS.items():
        part = text.split(f"[{section}]\n")[1].split("\n[")[0]
        for key in model.model_fields:
            assert re.search(rf"^(# )?{key} = ", part, re.MULTILINE), f"{section}.{key}"


@pytest.mark.parametrize("layers", [1, 2, 5, 12])
def test_a_new_recipe_takes_any_number_of_layers(new: Path, layers: int) -> None:
    assert load_recipe(new, [f"student.layers={layers}"]).student.layers == layers


def test_a_preset_is_not_shadowed_by_defaults(new: Path) -> None:
    student = load_recipe(new, ["student.preset=2l-128"]).student
    assert (student.layers, student.hidden) == (2, 128)


@pytest.mark.parametrize(
    ("file", "name"), [("my recipe", "my-recipe"), ("größe", "gr-e"), ("...", "recipe"), ("a" * 90, "a" * 64)]
)
def test_a_new_recipe_has_a_valid_name_whatever_its_file_is_called(tmp_path: Path, file: str, name: str) -> None:
    path = tmp_path / "it.toml"
    path.write_text(template(file), encoding="utf-8")
    assert load_recipe(path).name == name


def test_the_advice_for_init_layers_works() -> None:
    with pytest.raises(RecipeError, match="R008") as caught:
        load_recipe("sentiment", ["student.layers=2"])
    advice = re.search(r"student\.init_layers=\[[\d, ]+\]", caught.value.next_step)
    assert advice is not None
    assert load_recipe("sentiment", ["student.layers=2", advice.group()]).student.init_layers == [0, 1]


def test_bundled_text_is_the_file() -> None:
    assert 'name = "topics"' in bundled_text("topics")


def test_values_are_content_only() -> None:
    one = load_recipe("sentiment")
    written = load_recipe("sentiment", ["student.pooling=mean", f"seed={one.seed}"])
    other = load_recipe("sentiment", ["student.hidden=192"])
    assert values_of(one, ["seed", "student"]) == values_of(written, ["seed", "student"])
    assert values_of(one, ["student"]) != values_of(other, ["student"])
    assert values_of(one, ["data.max_tokens"]) == values_of(other, ["data.max_tokens"])
    assert values_of(one, ["seed", "export"]).keys() == {"seed", *keys_but("export")}


def test_hash_is_stable_across_versions_and_machines() -> None:
    # Fixed once: if it changes, every stored stage result in the world is lost.
    assert content_hash({"b": [1, 2.5, "é", None, True], "a": {}}) == (
        "fdbfed7a9051d21169845094460fcfb9e7955626cda21d9c7198ad1a11b66012"
    )
