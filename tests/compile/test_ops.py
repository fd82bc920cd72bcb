"""The operators are one list: those of the schema, of the compiler and of predicted costs."""

from __future__ import annotations

import pytest

from potstill.compile.ir import Op
from potstill.compile.ops import OPS
from potstill.still.schema import fb


def test_the_schema_has_each_operator_and_no_other() -> None:
    tables = {name for name, number in vars(fb.OpBody).items() if not name.startswith("_") and number}
    assert {op.__name__ for op in OPS} == tables - {"NONE"}


@pytest.mark.parametrize("op", OPS, ids=lambda op: op.__name__)
def test_an_operator_is_written_and_evaluated(op: type[Op]) -> None:
    """What every file of compile/ops defines itself."""
    for name in ("width", "recognise", "lower", "evaluate"):
        assert getattr(op, name) is not getattr(Op, name), f"{op.__name__}.{name}"


def test_nodes_are_read_by_one_operator() -> None:
    read = [node for op in OPS for node in op.reads]
    assert len(read) == len(set(read))
