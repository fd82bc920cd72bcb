"""Each engine gives the logits of the model, one by one and in a batch; engines that are absent here are skipped."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import tiny
from potstill.bench.engine import Peer
from potstill.compare import exports
from potstill.compare.peers import COMPARED, PEERS
from potstill.errors import InputError

# Package that must be there beside those the tests install, by module.
_NEEDS = {"ctranslate2": "ctranslate2", "openvino": "openvino", "executorch": "executorch"}
CHECKED = [*COMPARED, *(peer for peer in PEERS if peer.engine == "Potstill")]


@pytest.fixture(scope="module")
def source(base: Path, tmp_path_factory: pytest.TempPathFactory) -> exports.Source:
    folder = tmp_path_factory.mktemp("peers")
    return exports.find(tiny.build(base)["still"], (8,), folder, tiny.model(base, "mean"))


# The engines' own modules warn of all sorts of things; in a benchmark their process is not ours.
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("peer", CHECKED, ids=lambda peer: peer.name)
def test_logits(peer: Peer, base: Path, source: exports.Source) -> None:
    package = _NEEDS.get(peer.module.rpartition(".")[2])
    if package is not None and find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
    if peer.export == "openvino_int8" and find_spec("nncf") is None:
        pytest.skip("nncf is not installed")
    # The tiny build has these files already.
    path = tiny.build(base)[peer.export] if peer.export.startswith("tflite") else exports.make(source, peer.export)
    try:
        runner = peer.open(path, 1)
    except InputError as error:
        # OpenVINO in bf16 needs a CPU that has it.
        assert error.code == "I065"
        pytest.skip(error.what)
    batch = tiny.ragged(5)
    wanted, _ = tiny.torch_outputs(tiny.model(base, "mean"), batch)
    together = np.asarray(runner.prepare(batch)())
    alone = np.concatenate([np.asarray(runner.prepare([ids])()) for ids in batch])
    allowed = 1e-4 if peer.precision == "fp32" else 0.25 * np.abs(wanted).max()
    assert np.abs(together - wanted).max() < allowed
    assert np.abs(alone - wanted).max() < allowed
    assert peer.version().split()[0]
    tokens = runner.padded(5)
    assert tokens == {"LiteRT": 8, "LiteRT, padded": tiny.MAX_TOKENS}.get(peer.engine, 5)


def test_ctranslate2_gets_its_best_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from potstill.compare.peers.ctranslate2 import environment

    for name in ("CT2_USE_MKL", "CT2_FORCE_CPU_ISA"):
        monkeypatch.delenv(name, raising=False)
    wide, narrow = tmp_path / "wide", tmp_path / "narrow"
    wide.write_text("flags\t: avx2 avx512f avx512bw avx512cd avx512dq avx512vl\n", encoding="utf-8")
    narrow.write_text("flags\t: avx2 avx512f\n", encoding="utf-8")
    assert environment("float32", "x86_64", wide) == {"CT2_USE_MKL": "1", "CT2_FORCE_CPU_ISA": "AVX512"}
    assert environment("int8", "x86_64", wide) == {"CT2_FORCE_CPU_ISA": "AVX512"}
    assert environment("float32", "x86_64", narrow) == {"CT2_USE_MKL": "1"}
    assert environment("float32", "aarch64", wide) == {}
    assert environment("int8", "x86_64", tmp_path / "absent") == {}
    monkeypatch.setenv("CT2_USE_MKL", "0")
    assert environment("float32", "x86_64", narrow) == {"CT2_USE_MKL": "0"}
