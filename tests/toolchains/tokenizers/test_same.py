"""The comparison with Hugging Face's library itself: it covers every form, and sees a difference."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from toolchains.tokenizers.same import both, differences, different
from toolchains.tokenizers.shapes import MAPPED, SHAPES, wordpiece
from toolchains.tokenizers.texts import SENTENCES

from toolchains.emulate import tokens

pytest.importorskip("tokenizers", reason="the build extra is not installed: tokenizers is the oracle")


def test_a_difference_is_seen() -> None:
    lower, cased = (json.loads(wordpiece(SENTENCES, lowercase).to_str()) for lowercase in (True, False))
    assert differences(lower, SENTENCES) == []
    changed = {**cased, "normalizer": lower["normalizer"]}
    oracle, ours = both(cased)[0], both(changed)[1]
    assert len(different(oracle, ours, SENTENCES)) > 5


def test_what_boards_compare(tmp_path: Path) -> None:
    """Every form has its file and what is expected of it."""
    tokens.main(tmp_path)
    content = json.loads((tmp_path / "expected.json").read_text("utf-8"))
    assert set(content["expected"]) == {*SHAPES, *MAPPED} == {path.stem for path in tmp_path.glob("*.still")}
    assert all(len(rows) == len(content["texts"]) for rows in content["expected"].values())
