"""The documentation is generated from the schema: every key is in it, and a new recipe is a valid one."""

from __future__ import annotations

from pathlib import Path

from potstill.recipe import load_recipe
from potstill.recipe.docs import bundled_text, schema_json, schema_markdown, template
from potstill.recipe.hash import content_hash, keys_but, values_of
from potstill.recipe.schema import SECTIONS, Recipe


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


def test_template_is_a_valid_recipe_with_the_same_content(tmp_path: Path) -> None:
    path = tmp_path / "new.toml"
    path.write_text(template("new"), encoding="utf-8")
    made, like = load_recipe(path).content(), load_recipe("sentiment").content()
    assert made.pop("name") == "new"
    like.pop("name")
    assert made == like


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
