"""Presets of students: names, what they fill in, what wins; keys that do not go together."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from pydantic import ValidationError

from potstill.recipe.presets import PRESETS, with_preset
from potstill.recipe.schema import Student


def test_the_schema_lists_the_table() -> None:
    choices = get_args(get_args(Student.model_fields["preset"].annotation)[0])
    assert list(choices) == list(PRESETS)


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_valid_and_filled_in(name: str) -> None:
    student = Student.model_validate({"preset": name})
    assert {key: getattr(student, key) for key in PRESETS[name]} == PRESETS[name]


def test_own_keys_win() -> None:
    student = Student.model_validate({"preset": "2l-128", "layers": 3, "intermediate": 256})
    assert (student.layers, student.hidden, student.heads, student.intermediate) == (3, 128, 4, 256)


def test_other_values_are_left_to_the_schema() -> None:
    assert with_preset({"layers": 3}) == {"layers": 3}
    assert with_preset("text") == "text"
    for wrong in ("3l", 3):
        with pytest.raises(ValidationError) as error:
            Student.model_validate({"preset": wrong})
        assert error.value.errors()[0]["loc"] == ("preset",)


def test_without_a_preset_the_student_is_as_before() -> None:
    student = Student.model_validate({})
    assert (student.architecture, student.layers, student.hidden, student.vocabulary) == ("bert", 4, 312, "full")


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ({"preset": "static-256", "init": "copy"}, "static"),
        ({"preset": "static-256", "init_layers": [0, 1, 2, 3]}, "static"),
        ({"preset": "static-256", "pooling": "cls"}, "mean"),
        ({"head_hidden": 8}, "static"),
        ({"embedding_size": 64}, "bert"),
        ({"architecture": "factorized", "embedding_size": 400}, "over hidden"),
        ({"vocabulary_size": 5000}, "seen"),
        ({"vocabulary_min_count": 2}, "seen"),
        ({"vocabulary_unlabelled_weight": 0.5}, "seen"),
        ({"vocabulary": "seen", "vocabulary_min_count": 0}, "greater"),
        ({"vocabulary": "some"}, "full"),
        ({"tokenizer_size": 5000}, "own"),
        ({"tokenizer": "teacher", "tokenizer_model": "bpe"}, "own"),
        ({"tokenizer": "some/folder", "tokenizer_model": "bpe"}, "own"),
        ({"tokenizer": "own", "vocabulary": "seen"}, "one of them"),
        ({"tokenizer": "own", "tokenizer_size": 4}, "greater"),
        ({"tokenizer": ""}, "at least 1"),
    ],
)
def test_keys_that_contradict(keys: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationError) as error:
        Student.model_validate(keys)
    assert reason in str(error.value)


def test_static_needs_no_heads_that_divide() -> None:
    assert Student.model_validate({"architecture": "static", "hidden": 100, "head_hidden": 16}).hidden == 100
