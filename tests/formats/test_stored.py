"""Files of earlier versions stay loadable and keep their answers; they were stored when their version was current."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import potstill

sys.path.insert(0, str(Path(__file__).parents[1] / "runtime"))

HERE = Path(__file__).parent
# Of the potstill that wrote the file: logits of "a b c" and "hello", first numbers of the vector of "z".
SCHEMA1_LOGITS = "622bcdbe18efc9bf2a39ac3d64fe4bbf451503c0012009bf"
SCHEMA1_VECTOR = "54439ebf9607453f4c309e3e4014e6bc2b77b43fc322e4bf5e75f9befcd9973e"


def test_a_file_of_schema_1_gives_the_bits_it_gave() -> None:
    model = potstill.load(HERE / "schema1.int8.still", threads=1)
    assert bytes(memoryview(model.logits(["a b c", "hello"])).cast("B")).hex() == SCHEMA1_LOGITS
    assert bytes(memoryview(model.embed(["z"])).cast("B")).hex().startswith(SCHEMA1_VECTOR)
    assert not model.multi_label and not model.pairs


def test_what_needs_nothing_new_is_still_written_as_schema_1(tmp_path: Path) -> None:
    pytest.importorskip("flatbuffers", reason="the writer's package")
    from tiny_still import write_model

    assert write_model(tmp_path / "again.still").read_bytes() == (HERE / "schema1.int8.still").read_bytes()
