"""A compiled plain encoder, shared by the tests of this folder."""

from __future__ import annotations

import pytest

from onnx_graphs import Compiled, encoder
from potstill.compile import compile_onnx


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Compiled:
    """The plainest spelling, in both schemes."""
    folder = tmp_path_factory.mktemp("compiled")
    onnx = encoder(folder / "plain.onnx")
    paths = {scheme: folder / f"plain.{scheme}.still" for scheme in ("fp32", "int8")}
    reports = {
        scheme: compile_onnx(onnx, path, scheme=scheme, labels=["no", "yes", "maybe"], provenance={"recipe": "abc"})
        for scheme, path in paths.items()
    }
    return Compiled(onnx, paths["fp32"], paths["int8"], reports)
