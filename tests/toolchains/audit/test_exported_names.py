"""cpp/exports.txt names every function of the public headers: one that it lacks would not link against the library."""

from __future__ import annotations

import re
from collections import Counter

from toolchains import PROJECT
from toolchains.audit import package

INCLUDE = PROJECT / "cpp" / "include" / "potstill"


def _code(name: str) -> str:
    """A header without comments, preprocessor lines and string literals."""
    text = (INCLUDE / name).read_text(encoding="utf-8")
    return re.sub(r"/\*.*?\*/|//[^\n]*|^#[^\n]*|\"[^\"\n]*\"", "", text, flags=re.DOTALL | re.MULTILINE)


def test_functions_of_c() -> None:
    declared = re.findall(r"POTSTILL_API\b[^;(]*?(potstill_\w+)\(", _code("potstill.h"))
    assert len(declared) > 20
    assert sorted(declared) == [name for name in package.wanted_exports() if name.startswith("potstill_")]


def test_members_of_the_model() -> None:
    """Overloads count: each is a symbol. What the header defines itself is none."""
    body = _code("model.hpp").split("class POTSTILL_API Model {")[1].split(" private:")[0]
    defined_outside = re.sub(r"[^;{}]*\{[^{}]*\}", "", body)
    declared = Counter(re.findall(r"\b(\w+)\([^;]*\)[^;()]*;", defined_outside))
    exported = (name.removeprefix("potstill::Model::") for name in package.wanted_exports() if "::Model::" in name)
    assert len(declared) > 10
    assert declared == Counter(exported)
