"""Files whose layers have different dtypes: what is stored, what the core makes of them, and the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from onnx_graphs import VOCABULARY, encoder
from potstill.cli import main
from potstill.compile import compile_onnx
from potstill.compile.evaluate import Evaluator
from potstill.compile.import_onnx import import_onnx
from potstill.compile.ir import operator_names
from potstill.compile.ops import Linear
from potstill.compile.verify import core_available
from potstill.errors import CompileError
from potstill.quantize.choice import stored_bytes
from potstill.runtime.rows import TokenRows
from potstill.still.reader import read_still
from potstill.still.schema import fb, kind
from potstill.still.schemes import Scheme


def layer_names(onnx: Path) -> list[str]:
    """Linear layers on tokens, by operator name."""
    graph = import_onnx(onnx).graph
    names = operator_names(graph)
    return [names[id(op)] for op in graph.ordered() if isinstance(op, Linear) and op.per_token]


def mixed(onnx: Path, first: int, embedding: str) -> Scheme:
    """Dtypes in turn, starting anywhere."""
    dtypes = ("i4", "f32", "i8")
    layers = {name: dtypes[(first + index) % 3] for index, name in enumerate(layer_names(onnx))}
    return Scheme("mixed", "i8", embedding, layers)


def test_every_layer_has_its_dtype(tmp_path: Path) -> None:
    onnx = encoder(tmp_path / "m.onnx")
    scheme = mixed(onnx, 0, "i4")
    report = compile_onnx(onnx, tmp_path / "m.still", scheme=scheme, verify=False)
    assert report.scheme == "mixed"
    model = read_still(tmp_path / "m.still")
    assert model.header.card.scheme == "mixed"
    found = {}
    for op in model.header.ops:
        if kind(op) == "Linear" and op.name in scheme.layers:
            dtype = found[op.name] = model.dtype(op.body.weightT)
            assert (op.body.inputQuant == fb.InputQuant.None_) == (dtype == "f32")
            assert op.body.activation != (fb.Activation.Gelu if dtype != "f32" else fb.Activation.GeluPoly)
    assert found == dict(scheme.layers) and set(found.values()) == {"f32", "i8", "i4"}
    assert model.dtype(model.header.ops[0].body.wordT) == "i4"
    stored = {tensor["name"]: tensor["dtype"] for tensor in report.tensors}
    assert {stored[f"{name}.weight"] for name in scheme.layers} == {"f32", "i8", "i4"}


@pytest.mark.parametrize(("first", "embedding"), [(0, "i4"), (1, "i8"), (2, "f32")])
def test_the_core_computes_the_same_bits(tmp_path: Path, first: int, embedding: str) -> None:
    if not core_available():
        pytest.skip("the native core is not built here")
    from potstill.runtime.backends import open_backend

    onnx, still = encoder(tmp_path / "m.onnx"), tmp_path / "m.still"
    compile_onnx(onnx, still, scheme=mixed(onnx, first, embedding))
    core, ours = open_backend("native", still, 1), Evaluator(read_still(still), exact=True)
    different = 0
    for length in (1, 2, 7, 16, 24):
        ids = np.random.default_rng(length).integers(0, VOCABULARY, length).tolist()
        found, wanted = core.run(TokenRows([ids])), ours.run(ids)
        for name in ("logits", "embedding"):
            a, b = np.asarray(getattr(found, name))[0], getattr(wanted, name)
            np.testing.assert_allclose(a, b, rtol=0, atol=2e-3)
            different += int((a != b).any())
    # Emulated fma rounds twice about once in 2^29 operations: one text may differ, not more.
    assert different <= 2


def test_a_layer_that_is_not_there(tmp_path: Path) -> None:
    onnx = encoder(tmp_path / "m.onnx")
    with pytest.raises(CompileError) as caught:
        compile_onnx(onnx, tmp_path / "m.still", scheme=Scheme("mixed", "i8", "i8", {"nowhere": "i4"}), verify=False)
    assert caught.value.code == "C027" and caught.value.where == "nowhere"


def test_embedding_apart(tmp_path: Path) -> None:
    onnx, still = encoder(tmp_path / "m.onnx"), tmp_path / "m.still"
    report = compile_onnx(onnx, still, scheme="int4", embedding="int8", verify=False)
    model = read_still(still)
    assert report.scheme == model.header.card.scheme == "int4+embedding-int8"
    assert model.dtype(model.header.ops[0].body.wordT) == "i8"
    assert {model.dtype(op.body.weightT) for op in model.header.ops if kind(op) == "Linear"} == {"i4", "f32"}


def table(onnx: Path, path: Path) -> Path:
    """Measurements in which the first layer bears nothing."""
    layers: list[dict[str, Any]] = []
    for index, name in enumerate(layer_names(onnx)):
        bad = 1.0 if index == 0 else 1e-6
        size = stored_bytes(64, 64, "linear")
        layers.append({"name": name, "kind": "linear", "bytes": size, "i8": {"kl": bad}, "i4": {"kl": 2 * bad}})
    path.write_text(json.dumps({"layers": layers}))
    return path


def test_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    onnx, still = encoder(tmp_path / "m.onnx"), tmp_path / "m.still"
    found = table(onnx, tmp_path / "table.json")
    words = ["compile", str(onnx), "-o", str(still), "--scheme", "mixed"]
    assert main([*words, "--sensitivity", str(found), "--mixed-drop", "0.001", "--embedding", "int8"]) == 0
    assert "scheme mixed+embedding-int8" in capsys.readouterr().out
    if core_available():
        assert main(["inspect", str(still), "--json"]) == 0
        info = json.loads(capsys.readouterr().out)
        assert info["scheme"] == "mixed+embedding-int8"
        names = layer_names(onnx)
        dtypes = [info["tensors"][f"{name}.weight"].split()[0] for name in names]
        assert dtypes == ["f32", *["i4"] * (len(names) - 1)]
    assert main(words) == 2
    assert "error[I075]" in capsys.readouterr().err
    assert main([*words[:-1], "int8", "--mixed-drop", "0.1"]) == 2
    assert "error[I075]" in capsys.readouterr().err
    assert main([*words[:-1], "int4", "--embedding", "fp32"]) == 0
    assert "scheme int4+embedding-fp32" in capsys.readouterr().out
