"""The choice of dtypes: a function of the measurements, within its budget, cheapest damage for each byte first."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from potstill.errors import CompileError
from potstill.quantize.choice import Layer, choose, layers_of, read_table, stored_bytes
from potstill.still import pack


def layer(name: str, i8: float, i4: float, *, kind: str = "linear", size: int = 1000) -> Layer:
    return Layer(name, kind, {"f32": 4 * size, "i8": size, "i4": size // 2}, {"f32": 0.0, "i8": i8, "i4": i4})


LAYERS = [
    layer("word", 1e-5, 2e-3, kind="embedding", size=10_000),
    layer("a", 1e-5, 1e-3),
    layer("b", 1e-5, 2e-2),
    layer("c", 4e-2, 1e-1),
]


def test_damage_within_the_drop() -> None:
    found = choose(LAYERS, drop=0.005)
    assert found.scheme.embedding == "i4"
    assert dict(found.scheme.layers) == {"a": "i4", "b": "i8", "c": "f32"}
    assert found.damage == pytest.approx(2e-3 + 1e-3 + 1e-5) and found.damage <= 0.005
    assert found.bytes == 5000 + 500 + 1000 + 4000
    assert found.scheme.name == "mixed"


def test_no_drop_leaves_all_as_it_was_and_much_takes_all() -> None:
    assert set(choose(LAYERS, drop=0.0).scheme.layers.values()) == {"f32"}
    assert set(choose(LAYERS, drop=9.0).scheme.layers.values()) == {"i4"}


def test_more_damage_allowed_never_takes_more_bytes() -> None:
    sizes = [choose(LAYERS, drop=drop).bytes for drop in np.linspace(0, 0.2, 40)]
    assert sizes == sorted(sizes, reverse=True)


def test_budget_of_bytes() -> None:
    budgets = [52_000, 20_000, 13_000, 9_000, 6_500]
    found = [choose(LAYERS, most_bytes=most) for most in budgets]
    assert all(choice.bytes <= most for choice, most in zip(found, budgets, strict=True))
    damages = [choice.damage for choice in found]
    assert damages[0] == 0.0 and damages == sorted(damages)


def test_bytes_that_cannot_be_met() -> None:
    with pytest.raises(CompileError) as caught:
        choose(LAYERS, most_bytes=6_499)
    assert caught.value.code == "C028" and "6,500" in caught.value.what


def test_a_given_embedding_stays() -> None:
    found = choose(LAYERS, drop=9.0, embedding="int8", clip="mse")
    assert found.scheme.embedding == "i8" and set(found.scheme.layers.values()) == {"i4"}
    assert (found.scheme.name, found.scheme.clip) == ("mixed+embedding-int8", "mse")
    with pytest.raises(CompileError):
        choose(LAYERS, embedding="int3")


def test_order_of_the_measurements_does_not_matter() -> None:
    assert choose(LAYERS[::-1], drop=0.01).scheme.layers == choose(LAYERS, drop=0.01).scheme.layers


def test_noise_below_zero_is_no_gain() -> None:
    found = choose([layer("a", -1e-6, -1e-6), layer("b", 1e-9, 1e-3)], drop=1e-6)
    assert dict(found.scheme.layers) == {"a": "i4", "b": "i8"}


@pytest.mark.parametrize(("rows", "columns"), [(312, 312), (936, 312), (5, 33), (1024, 312), (7, 8)])
def test_stored_bytes_are_those_of_the_packed_arrays(rows: int, columns: int) -> None:
    found, q = stored_bytes(rows, columns, "linear"), np.zeros((rows, columns), np.int8)
    vectors = 2 * pack.pad_vector(np.zeros(rows, np.float32)).nbytes
    assert found["f32"] == pack.pack_f32_n8(np.zeros((rows, columns), np.float32)).nbytes
    assert found["i8"] == pack.pack_i8_n4k16(q).nbytes + vectors
    assert found["i4"] == pack.pack_i4_n4k32(q).nbytes + vectors
    table = stored_bytes(rows, columns, "embedding")
    assert table["i4"] == pack.pack_i4_rows(q).nbytes + 4 * rows
    assert table["i8"] == q.nbytes + 4 * rows


def test_tables_are_read_back(tmp_path: Path) -> None:
    damage = {"kl": 1e-3, "flips": 0.0, "accuracy_change": 0.0}
    row = {"name": "a", "kind": "linear", "bytes": stored_bytes(8, 8, "linear"), "i8": damage, "i4": damage}
    table: dict[str, Any] = {"rows": 3, "layers": [row], "all": {}}
    path = tmp_path / "table.json"
    path.write_text(json.dumps(table))
    assert layers_of(read_table(path))[0].damage == {"f32": 0.0, "i8": 1e-3, "i4": 1e-3}
    for text in ("no json", "[]", '{"layers": [{"name": "a"}]}'):
        path.write_text(text)
        with pytest.raises(CompileError) as caught:
            read_table(path)
        assert caught.value.code == "C029"
