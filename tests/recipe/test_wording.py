"""What is wrong with a value is said in our words; pydantic's sentences reach nobody."""

from __future__ import annotations

import re

import pytest

from potstill.errors import RecipeError
from potstill.models.recipes import load_recipe
from potstill.recipe.schema import SECTIONS, Recipe
from potstill.recipe.wording import wanted

FOREIGN = re.compile(r"[Ii]nput should|Value error|Assertion|pydantic|valid (integer|number|string|boolean)|ctx")
VALUES = [
    "true", "-1", "0", "1e99", "1.5", "inf", "nan", '"text"', '""', "[]", "[1, 2]", '["a", ""]', "{ a = 1 }", "{}",
    "99999999999999999999999", "1979-05-27", "[[1]]", "{ a = [1] }",
]  # fmt: skip
KEYS = [*Recipe.model_fields, *(f"{name}.{key}" for name, model in SECTIONS.items() for key in model.model_fields)]


@pytest.mark.parametrize("key", KEYS)
def test_no_foreign_wording(key: str) -> None:
    for value in VALUES:
        try:
            load_recipe("sentiment-tiny", [f"{key}={value}"])
        except RecipeError as error:
            assert not FOREIGN.search(str(error)), (value, str(error))
            assert "another value" not in str(error), (value, str(error))


@pytest.mark.parametrize(
    ("setting", "code", "said"),
    [
        ("student.layers=1.5", "R005", "1.5 is of the wrong type: a whole number is needed"),
        ('distil.epochs="three"', "R005", "'three' is of the wrong type: a whole number is needed"),
        ("distil.epochs=0", "R006", "0 is out of range: at least 1 is needed"),
        ("data.source=3", "R005", "3 is of the wrong type: a text in double quotes is needed"),
        ("export.tflite=1", "R005", "1 is of the wrong type: true or false is needed"),
    ],
)
def test_our_wording(setting: str, code: str, said: str) -> None:
    with pytest.raises(RecipeError) as caught:
        load_recipe("sentiment-tiny", [setting])
    assert caught.value.code == code and caught.value.what == said


def test_a_finding_that_is_not_known_here() -> None:

    assert wanted("is_instance_of", {}) == "another value"
