"""ONNX files that are damaged, incomplete, foreign or odd: always a numbered error, never a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import onnx_graphs
from potstill.compile import compile_onnx
from potstill.errors import CompileError, InputError, PotstillError


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return onnx_graphs.encoder(tmp_path_factory.mktemp("onnx") / "plain.onnx")


def refused(path: Path, tmp_path: Path) -> PotstillError:
    out = tmp_path / "out" / "m.still"
    with pytest.raises((CompileError, InputError)) as caught:
        compile_onnx(path, out)
    assert not out.exists()
    assert str(caught.value).count("; ") >= 2 and caught.value.next_step
    return caught.value


def changed(plain: Path, tmp_path: Path, change: Callable[[Any], None]) -> Path:
    model = onnx.load(str(plain))
    change(model)
    path = tmp_path / "changed.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def test_missing(tmp_path: Path) -> None:
    assert refused(tmp_path / "none.onnx", tmp_path).code == "C001"


@pytest.mark.parametrize("content", [b"", b"\0" * 100, b"PK\x03\x04 not a model", b"\x08\x09", b"text" * 99])
def test_not_onnx(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(content)
    assert refused(path, tmp_path).code == "C002"


@pytest.mark.parametrize("share", [0.01, 0.3, 0.5, 0.9, 0.999])
def test_truncated(plain: Path, tmp_path: Path, share: float) -> None:
    data = plain.read_bytes()
    path = tmp_path / "m.onnx"
    path.write_bytes(data[: int(len(data) * share)])
    assert refused(path, tmp_path).code in ("C002", "C003", "C004")


def test_damaged_bytes_never_crash(plain: Path, tmp_path: Path) -> None:
    """Flipped bytes give an error of ours, or a model that passed the comparison with onnxruntime."""
    data = plain.read_bytes()
    random = np.random.default_rng(0)
    # The graph's structure lies in front of the weights; damage there is the interesting kind.
    for _ in range(40):
        broken = bytearray(data)
        for position in random.integers(0, 6000, 3):
            broken[int(position)] ^= int(random.integers(1, 256))
        path, out = tmp_path / "m.onnx", tmp_path / "m.still"
        path.write_bytes(bytes(broken))
        try:
            compile_onnx(path, out)
        except PotstillError:
            assert not out.exists()
        else:
            out.unlink()


def test_weights_beside_the_file_are_missing_or_short(plain: Path, tmp_path: Path) -> None:
    model = onnx.load(str(plain))
    path = tmp_path / "m.onnx"
    onnx.save(model, str(path), save_as_external_data=True, location="m.data", size_threshold=0)
    data = (tmp_path / "m.data").read_bytes()
    (tmp_path / "m.data").write_bytes(data[: len(data) // 2])
    assert refused(path, tmp_path).code == "C003"
    (tmp_path / "m.data").unlink()
    assert refused(path, tmp_path).code == "C003"


def test_weights_outside_of_the_folder_are_not_read(plain: Path, tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    model = onnx.load(str(plain))
    onnx.save(model, str(inside / "m.onnx"), save_as_external_data=True, location="m.data", size_threshold=0)
    (inside / "m.data").rename(tmp_path / "m.data")
    moved = onnx.load(str(inside / "m.onnx"), load_external_data=False)
    for tensor in moved.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = "../m.data"
    (inside / "m.onnx").write_bytes(moved.SerializeToString())
    assert refused(inside / "m.onnx", tmp_path).code == "C003"


def test_unsupported_operator_names_operator_node_and_next_step(plain: Path, tmp_path: Path) -> None:
    def rename(model: Any) -> None:
        node = next(n for n in model.graph.node if n.op_type == "Erf")
        node.op_type = "Sin"
        node.name = "the_sine"

    error = refused(changed(plain, tmp_path, rename), tmp_path)
    assert error.code == "C006" and "operator Sin" in error.what and "the_sine" in error.where


def test_operator_of_an_optimiser(plain: Path, tmp_path: Path) -> None:
    def rename(model: Any) -> None:
        node = next(n for n in model.graph.node if n.op_type == "Tanh" or n.op_type == "Erf")
        node.op_type, node.domain = "QuickGelu", "com.microsoft"

    error = refused(changed(plain, tmp_path, rename), tmp_path)
    assert error.code == "C010" and "activation" in error.what


def test_integers_of_an_unknown_kind(plain: Path, tmp_path: Path) -> None:
    def rename(model: Any) -> None:
        node = next(n for n in model.graph.node if n.op_type == "MatMul")
        node.op_type, node.domain = "QOrderedMatMul", "com.microsoft"

    error = refused(changed(plain, tmp_path, rename), tmp_path)
    assert error.code == "C005" and "QOrderedMatMul" in error.what and "fp32 ONNX" in error.next_step


@pytest.mark.parametrize(
    ("value", "code"), [(np.float32("nan"), "C024"), (np.float32("inf"), "C024"), (np.float64(1.0), "C023")]
)
def test_weights_that_no_number_format_holds(plain: Path, tmp_path: Path, value: Any, code: str) -> None:
    def spoil(model: Any) -> None:
        table = next(t for t in model.graph.initializer if tuple(t.dims) == (onnx_graphs.VOCABULARY, onnx_graphs.WIDTH))
        array = numpy_helper.to_array(table).copy()
        if value.dtype == np.float64:
            # A table in double precision, its rows cast to float: rounding it silently would not be the user's model.
            array = array.astype(np.float64)
            look_up = next(n for n in model.graph.node if n.op_type == "Gather" and n.input[0] == table.name)
            cast = helper.make_node("Cast", ["rows"], [look_up.output[0]], to=TensorProto.FLOAT)
            look_up.output[0] = "rows"
            model.graph.node.insert(list(model.graph.node).index(look_up) + 1, cast)
        array[3, 3] = value
        table.CopyFrom(numpy_helper.from_array(array, table.name))

    assert refused(changed(plain, tmp_path, spoil), tmp_path).code == code


def test_model_that_overflows(plain: Path, tmp_path: Path) -> None:
    def blow_up(model: Any) -> None:
        for tensor in model.graph.initializer:
            array = numpy_helper.to_array(tensor)
            if array.dtype == np.float32 and array.ndim == 2:
                tensor.CopyFrom(numpy_helper.from_array(array * np.float32(1e36), tensor.name))

    assert refused(changed(plain, tmp_path, blow_up), tmp_path).code == "C047"


def test_unknown_input(plain: Path, tmp_path: Path) -> None:
    def add(model: Any) -> None:
        model.graph.input.append(helper.make_tensor_value_info("pixel_values", TensorProto.FLOAT, ["b", "l"]))

    error = refused(changed(plain, tmp_path, add), tmp_path)
    assert error.code == "C007" and "pixel_values" in error.what


def test_branch_on_the_text(plain: Path, tmp_path: Path) -> None:
    def branch(model: Any) -> None:
        """logits_out = If(ids[0, 0] > 3) {logits} else {-logits}."""
        first = numpy_helper.from_array(np.zeros(2, np.int64), "first")
        three = numpy_helper.from_array(np.array(3, np.int64), "three")
        model.graph.initializer.extend([first, three])
        yes = helper.make_graph(
            [helper.make_node("Identity", ["logits"], ["yes"])], "yes", [],
            [helper.make_tensor_value_info("yes", TensorProto.FLOAT, [None, None])],
        )  # fmt: skip
        no = helper.make_graph(
            [helper.make_node("Neg", ["logits"], ["no"])], "no", [],
            [helper.make_tensor_value_info("no", TensorProto.FLOAT, [None, None])],
        )  # fmt: skip
        model.graph.node.extend(
            [
                helper.make_node("GatherND", ["input_ids", "first"], ["id"]),
                helper.make_node("Greater", ["id", "three"], ["large"]),
                helper.make_node("If", ["large"], ["logits_out"], name="choice", then_branch=yes, else_branch=no),
            ]
        )
        model.graph.output[0].name = "logits_out"

    error = refused(changed(plain, tmp_path, branch), tmp_path)
    assert error.code == "C009" and "choice" in error.where


def test_branch_on_the_shape_is_resolved(plain: Path, tmp_path: Path) -> None:
    """As the TorchScript exporter writes squeeze(): If on a dimension; the branch taken is compiled."""

    def branch(model: Any) -> None:
        two = numpy_helper.from_array(np.array(2, np.int64), "two")
        model.graph.initializer.append(two)
        graphs_ = []
        for name, node in (("yes", "Identity"), ("no", "Neg")):
            graphs_.append(
                helper.make_graph(
                    [helper.make_node(node, ["logits"], [name])], name, [],
                    [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, None])],
                )
            )  # fmt: skip
        model.graph.node.extend(
            [
                helper.make_node("Shape", ["input_ids"], ["dims"]),
                helper.make_node("Size", ["dims"], ["rank"]),
                helper.make_node("Equal", ["rank", "two"], ["flat"]),
                helper.make_node("If", ["flat"], ["logits_out"], then_branch=graphs_[0], else_branch=graphs_[1]),
            ]
        )
        model.graph.output[0].name = "logits_out"

    report = compile_onnx(changed(plain, tmp_path, branch), tmp_path / "m.still", scheme="fp32")
    assert max(row["relative"] for row in report.differences) < 1e-5


def test_cyclic_or_undefined_values(plain: Path, tmp_path: Path) -> None:
    def cut(model: Any) -> None:
        del model.graph.node[5]

    assert refused(changed(plain, tmp_path, cut), tmp_path).code == "C004"


def inputs_of(*kinds: Any) -> Any:
    """A model that takes the first of its inputs through, each of the given type."""
    values = [helper.make_value_info(f"input_{i}", kind) for i, kind in enumerate(kinds)]
    output = helper.make_value_info("out", kinds[0])
    graph = helper.make_graph([helper.make_node("Identity", ["input_0"], ["out"])], "g", values, [output])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


_TENSOR = helper.make_tensor_type_proto(TensorProto.FLOAT, [1, 4])


@pytest.mark.parametrize(
    "kind",
    [
        helper.make_sequence_type_proto(_TENSOR),
        helper.make_optional_type_proto(_TENSOR),
        helper.make_map_type_proto(TensorProto.INT64, _TENSOR),
        helper.make_sparse_tensor_type_proto(TensorProto.FLOAT, [1, 4]),
        helper.make_tensor_type_proto(TensorProto.STRING, [1, 4]),
        helper.make_tensor_type_proto(TensorProto.COMPLEX64, [1, 4]),
        helper.make_tensor_type_proto(TensorProto.FLOAT8E4M3FN, [1, 4]),
    ],
)
def test_inputs_of_other_kinds(tmp_path: Path, kind: Any) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(inputs_of(kind).SerializeToString())
    assert refused(path, tmp_path).code in ("C004", "C007")


def grown(tmp_path: Path, grow: Callable[[Any, str], str]) -> Path:
    """logits of rows that `grow` has made more of."""
    b = onnx_graphs.Builder()
    x = grow(b, b.op("Gather", b.weight(11, 8), "input_ids"))
    logits = b.op("MatMul", b.op("ReduceMean", x, axes=[1], keepdims=0), b.weight(8, 3))
    path: Path = b.save(tmp_path / "m.onnx", {"logits": logits}, {"input_ids": TensorProto.INT64})
    return path


def endless(b: Any, x: str) -> str:
    """A loop of 2^60 turns over a value that does not depend on the text."""
    values = [
        helper.make_tensor_value_info("turn", TensorProto.INT64, []),
        *(helper.make_tensor_value_info(name, TensorProto.BOOL, []) for name in ("go", "go_on")),
        *(helper.make_tensor_value_info(name, TensorProto.FLOAT, [8]) for name in ("row", "next_row")),
    ]
    nodes = [helper.make_node("Identity", ["go"], ["go_on"]), helper.make_node("Identity", ["row"], ["next_row"])]
    body = helper.make_graph(nodes, "body", [values[0], values[1], values[3]], [values[2], values[4]])
    return str(b.op("Add", x, b.op("Loop", b.const(2**60, np.int64), b.const(True, bool), b.weight(8), body=body)))


@pytest.mark.parametrize(
    ("grow", "code"),
    [
        (lambda b, x: b.op("Add", x, b.op("ConstantOfShape", b.ints(2**40, 8))), "C125"),
        (lambda b, x: b.op("Add", x, b.op("Expand", b.const(1.0), b.ints(10**6, 10**6, 8))), "C125"),
        (lambda b, x: b.op("Tile", x, b.ints(1, 2**34, 1)), "C125"),
        (lambda b, x: b.op("Pad", x, b.ints(0, 0, 0, 0, 2**38, 0)), "C125"),
        (lambda b, x: b.op("Mul", x, b.op("ReduceSum", b.op("Range", *map(b.const, (0.0, 1e13, 1.0))))), "C125"),
        (endless, "C009"),
    ],
    ids=["constant", "expand", "tile", "pad", "range", "loop"],
)
def test_more_than_any_memory_or_time(tmp_path: Path, grow: Callable[[Any, str], str], code: str) -> None:
    import resource
    import time

    limit, before = resource.getrlimit(resource.RLIMIT_DATA), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.monotonic()
    assert refused(grown(tmp_path, grow), tmp_path).code == code
    assert time.monotonic() - start < 60
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1 << 20  # KiB
    assert resource.getrlimit(resource.RLIMIT_DATA) == limit


def test_a_graph_of_gigabytes_that_the_machine_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound is not the machine's memory but ours: here made small, it stops 64 MB."""
    from potstill.compile import bounds

    path = grown(tmp_path, lambda b, x: b.op("Add", x, b.op("ReduceSum", b.op("ConstantOfShape", b.ints(2**24)))))
    compile_onnx(path, tmp_path / "m.still", scheme="fp32")
    (tmp_path / "m.still").unlink()
    monkeypatch.setattr(bounds, "_MEMORY", 32 << 20)
    # Refused where it is run first, or at a longer text: what this process has kept of earlier memory decides.
    assert refused(path, tmp_path).code in {"C104", "C125"}


@pytest.mark.parametrize(
    ("dims", "kind", "raw", "codes"),
    [
        ([2**20, 2**20], TensorProto.FLOAT, None, {"C004"}),
        ([2**20, 2**20], TensorProto.FLOAT, b"\0" * 64, {"C003"}),
        ([2**62, 2**62], TensorProto.FLOAT, b"", {"C003", "C004"}),
        ([-1, 32], TensorProto.FLOAT, b"\0" * 256, {"C004", "C120"}),
        ([0, 32], TensorProto.FLOAT, b"", {"C125"}),
        ([0, 2**62, 2**62], TensorProto.FLOAT, b"", {"C004", "C120"}),
        ([61, 32], TensorProto.STRING, None, {"C004"}),
        ([61, 32], 99, b"\0" * 9999, {"C004", "C120"}),
        ([61, 32], TensorProto.UNDEFINED, b"\0" * 9999, {"C004"}),
        ([61, 32], TensorProto.COMPLEX64, b"\0" * 61 * 32 * 8, {"C125"}),
        ([61, 32], TensorProto.INT4, b"\0" * 61 * 16, {"C125"}),
        ([61, 32], TensorProto.FLOAT8E5M2, b"\0" * 61 * 32, {"C125"}),
    ],
)
def test_odd_weights(
    plain: Path, tmp_path: Path, dims: list[int], kind: int, raw: bytes | None, codes: set[str]
) -> None:
    def spoil(model: Any) -> None:
        table = next(t for t in model.graph.initializer if tuple(t.dims) == (onnx_graphs.VOCABULARY, onnx_graphs.WIDTH))
        table.ClearField("raw_data")
        table.ClearField("dims")
        table.dims.extend(dims)
        table.data_type = kind
        if raw is not None:
            table.raw_data = raw

    assert refused(changed(plain, tmp_path, spoil), tmp_path).code in codes


@pytest.mark.parametrize(
    "location",
    ["none.bin", "../m.data", "/etc/hostname", "/dev/zero", "folder", "pipe", "", "a\0b", "a" * 5000, "\x1b[31m\nred"],
)
def test_weights_in_odd_places(plain: Path, tmp_path: Path, location: str) -> None:
    import os

    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")  # reading it would wait for ever

    def move(model: Any) -> None:
        tensor = model.graph.initializer[0]
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value=location)

    error = refused(changed(plain, tmp_path, move), tmp_path)
    assert error.code == "C003" and str(error).isprintable()


def test_names_that_a_terminal_would_obey(plain: Path, tmp_path: Path) -> None:
    def rename(model: Any) -> None:
        node = next(n for n in model.graph.node if n.op_type == "Erf")
        node.op_type, node.name = "Sin", "\x1b]0;owned\x07\n\u202eerror[C000]: all is well"

    error = refused(changed(plain, tmp_path, rename), tmp_path)
    assert error.code == "C006" and str(error).isprintable() and r"\x1b]0;owned\x07\n\u202e" in str(error)


def test_a_path_that_no_system_takes(tmp_path: Path) -> None:
    for path, code in ((tmp_path / ("a" * 5000), "I121"), (Path("nul\0.onnx"), "I121"), (tmp_path, "C001")):
        error = refused(path, tmp_path)
        assert error.code == code and error.exit_code == 2
