"""The committed Unicode tables record what the installed tokenizers does, on every code point."""

from __future__ import annotations

import difflib
import unicodedata
from pathlib import Path

import pytest

tokenizers = pytest.importorskip("tokenizers", reason="the build extra is not installed: tokenizers is the source")

from potstill.compile.tokenizers import unicode_graphemes as graphemes  # noqa: E402
from potstill.compile.tokenizers import unicode_probe as flags  # noqa: E402
from potstill.compile.tokenizers.unicode_probe import UnicodeTables, hangul, probe  # noqa: E402
from potstill.compile.tokenizers.unicode_tables import render  # noqa: E402

COMMITTED = Path(__file__).parents[2] / "cpp" / "src" / "tokenizer" / "unicode_tables.inc"


@pytest.fixture(scope="module")
def probed() -> UnicodeTables:
    return probe()


def test_committed_tables_are_what_the_generator_writes(probed: UnicodeTables) -> None:
    """Holds for any version of tokenizers with the same behaviour: only the comment names the version."""
    fresh = render(probed, tokenizers.__version__).splitlines()
    committed = COMMITTED.read_text("ascii").splitlines()
    changed = [line[:100] for line in difflib.unified_diff(committed, fresh, lineterm="", n=0)][2:8]
    assert len(fresh) == len(committed) and fresh[2:] == committed[2:], (
        f"tokenizers {tokenizers.__version__} behaves differently from the committed tables; run "
        f"python -m potstill.compile.tokenizers.unicode_tables {COMMITTED.name} and review: {changed}"
    )


def test_known_characters(probed: UnicodeTables) -> None:
    def look(char: str) -> tuple[int, int, int]:
        return probed.classes[probed.class_of[ord(char)]]

    assert look("a") == (flags.LETTER | flags.LOWER_LETTER | flags.WORD_CHAR, 0, graphemes.OTHER)
    assert look("\u0301")[1:] == (230, graphemes.JOINED_EXTEND)
    assert look("$")[0] == flags.PUNCTUATION
    assert look("0")[0] == flags.NUMBER | flags.NUMERIC | flags.WORD_CHAR
    assert look("\u200d")[2] == graphemes.ZWJ and look("\u094d")[2] == graphemes.LINKER
    assert probed.decompositions[0x1E69] == "s\u0323\u0307"
    assert probed.compatible[0xFB01] == "fi" and 0x1E69 not in probed.compatible
    assert probed.lower[0x130] == "i\u0307"
    assert probed.compositions["e\u0301"] == "\xe9" and "\u0915\u093c" not in probed.compositions
    assert 0xAC00 not in probed.decompositions


def test_hangul_formula() -> None:
    assert all(hangul(p) == unicodedata.normalize("NFD", chr(p)) for p in range(0xAC00, 0xD7A4))


def test_source_stays_small() -> None:
    assert COMMITTED.stat().st_size < 300_000
