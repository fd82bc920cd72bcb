"""Errors are shown as one line, whatever is in the names they tell of."""

from __future__ import annotations

import pytest

from potstill.errors import CompileError, RecipeError, printable


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("plain", "plain"),
        ("Grüße 文本", "Grüße 文本"),
        ("two\nlines", r"two\nlines"),
        ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
        ("bell\a\x00\x7f", r"bell\x07\x00\x7f"),
        ("c1\x9b2J", r"c1\x9b2J"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("a\u2028b", r"a\u2028b"),
        ("\udcff.onnx", r"\udcff.onnx"),  # a file name that is no UTF-8, as Python keeps it
    ],
)
def test_control_characters_are_shown_escaped(name: str, shown: str) -> None:
    assert printable(name) == shown
    error = CompileError("C006", f"the node {name!s}", name, f"rename {name}")
    assert str(error).startswith(f"error[C006]: the node {shown}; {shown}; rename ")
    assert error.where == name  # programs get what it is
    assert str(error).encode("utf-8")


def test_a_next_step_may_list_problems_a_line_each() -> None:
    error = RecipeError("R010", "2 problems", "my.toml", "correct them all:\n  one\n  two\x1b[2J")
    assert str(error).splitlines()[1:] == ["  one", r"  two\x1b[2J"]
