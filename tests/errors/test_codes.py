"""One list of codes for Python and C++: no code without an entry, no entry without a raiser, one meaning a code."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from pathlib import Path

import pytest
from raisers import CLASS_OF, PROJECT, Site, cpp_files, handled, in_cpp, python_files, sites

from potstill.errors.registry import AREAS, codes, index
from toolchains.audit import contents

LISTS = PROJECT / "python" / "potstill" / "errors"
# A rule of ruff's, named where it is switched off.
OTHERS = {"F401"}


def raised(code: str) -> list[Site]:
    return [site for site in sites() if site.code == code]


def on_board(site: Site) -> bool:
    """Whether a board has the code that raises."""
    if site.file.startswith("cpp/"):
        return True
    return site.file.startswith("python/") and not site.file.removeprefix("python/").startswith(
        contents.left_out_folders()
    )


def test_each_code_stands_in_one_list_under_its_letter() -> None:
    tables = {path: tomllib.loads(path.read_text(encoding="utf-8")) for path in sorted(LISTS.glob("*/*.toml"))}
    assert {path.parent.name for path in tables} == {"board", "host"}
    twice = [code for code, count in Counter(code for table in tables.values() for code in table).items() if count > 1]
    assert not twice
    for path, table in tables.items():
        letters = {code[0] for code in table}
        assert len(letters) == 1 and list(table) == sorted(table), path
        for code, texts in table.items():
            assert re.fullmatch(rf"[{''.join(AREAS)}]\d{{3}}", code), code
            assert list(texts) == ["meaning", "causes", "remedy"], code
            assert texts["meaning"].endswith(".") and texts["causes"].endswith("."), code


def test_every_code_that_is_raised_is_listed() -> None:
    computed = [str(site) for site in sites() if not site.code]
    assert not computed, "write the code as a literal where the error is made"
    unlisted = [str(site) for site in sites() if site.code not in codes()]
    assert not unlisted, "add an entry to the list of its letter, python/potstill/errors/"
    assert not handled() - set(codes())


def test_every_code_that_is_listed_is_raised() -> None:
    unused = sorted(set(codes()) - {site.code for site in sites()})
    assert not unused


def test_the_letter_fits_the_class() -> None:
    assert not [str(site) for site in sites() if CLASS_OF[site.code[0]] != site.kind]


def test_a_board_lists_what_it_can_raise_and_nothing_else() -> None:
    """A code goes to `board/` when code that a board has raises it, else to `host/`."""
    wrong = [code.name for code in codes().values() if code.board != any(map(on_board, raised(code.name)))]
    assert not wrong


def test_the_index_is_current() -> None:
    """Written by python -m potstill.errors.registry > python/potstill/errors/host/README.md"""
    assert (LISTS / "host" / "README.md").read_text(encoding="utf-8") == index()


def test_codes_named_in_comments_and_pages_are_listed() -> None:
    pages = [path for folder in ("cpp", "python", "toolchains") for path in (PROJECT / folder).rglob("*.md")]
    for path in [*python_files(), *cpp_files(), *pages, PROJECT / "README.md"]:
        named = re.findall(rf"(?<![\w\[])[{''.join(AREAS)}]\d{{3}}\b", path.read_text(encoding="utf-8"))
        assert not set(named) - set(codes()) - OTHERS, path


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('fail("F001", "x")', ["F001"]),
        ('throw potstill::Error(\n    "I002", "x")', ["I002"]),
        ('Error(logits ? "I008" : "I009", "x")', ["I008", "I009"]),
        ('printf("error[S004]: no memory")', ["S004"]),
        ('// fail("F001")', []),
        ('error.code == "F001"', []),
    ],
)
def test_raisers_in_cpp_are_seen(text: str, found: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("raisers.PROJECT", tmp_path)
    (tmp_path / "a.cpp").write_text(text, encoding="utf-8")
    assert [site.code for site in in_cpp(tmp_path / "a.cpp")] == found
