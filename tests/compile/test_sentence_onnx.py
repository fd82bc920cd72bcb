"""An ONNX beside a sentence-transformers folder: its pooling and normalisation are followed, contradictions refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from test_sentence_folder import DENSE, folder, mean, write

from onnx_graphs import POSITIONS, encoder
from potstill.compile import compile_onnx
from potstill.compile.import_onnx import import_onnx
from potstill.compile.ops import Normalize, Pool
from potstill.compile.sentence import sentence_beside
from potstill.errors import CompileError
from potstill.runtime.backends import open_backend
from potstill.runtime.rows import TokenRows

CLS = ("Pooling", {"pooling_mode": "cls"})
UNIT = ("Normalize", None)


def beside(tmp_path: Path, *modules: tuple[str, Any], onnx: dict[str, Any] | None = None, **general: Any) -> Path:
    """`onnx/model.onnx` in a folder with these modules."""
    root = folder(tmp_path, *modules, **general)
    (root / "onnx").mkdir()
    return encoder(root / "onnx" / "model.onnx", **(onnx or {"head": "tokens"}))


@pytest.mark.parametrize("modules", [(CLS, UNIT), (mean(), UNIT), (CLS,)], ids=["cls unit", "mean unit", "cls"])
def test_states_become_the_folders_vectors(tmp_path: Path, modules: tuple[tuple[str, Any], ...]) -> None:
    onnx = beside(tmp_path, *modules)
    report = compile_onnx(onnx, tmp_path / "m.still", scheme="fp32")
    assert max(row["relative"] for row in report.differences) < 5e-6
    assert "sentence-transformers" in " ".join(report.notes)
    core = open_backend("native", tmp_path / "m.still", 1)
    unit = UNIT in modules
    assert core.info["normalized"] is unit
    ids = [3, 5, 9, 40]
    feed = {"input_ids": np.array([ids]), "attention_mask": np.ones((1, 4), np.int64)}
    states = onnxruntime.InferenceSession(str(onnx)).run(None, feed)[0][0]
    wanted = states[0] if CLS in modules else states.mean(axis=0)
    wanted = wanted / np.linalg.norm(wanted) if unit else wanted
    np.testing.assert_allclose(np.asarray(core.run(TokenRows([ids])).embedding)[0], wanted, rtol=1e-5, atol=1e-5)


def test_the_longest_text_is_the_folders(tmp_path: Path) -> None:
    onnx = beside(tmp_path, mean())
    write(tmp_path / "sentence_bert_config.json", {"max_seq_length": POSITIONS - 4})
    imported = import_onnx(onnx, sentence=sentence_beside(onnx, None))
    assert imported.graph.max_tokens == POSITIONS - 4


def test_the_users_pooling_wins_and_is_told(tmp_path: Path) -> None:
    onnx = beside(tmp_path, CLS, UNIT)
    imported = import_onnx(onnx, pooling="mean", sentence=sentence_beside(onnx, None))
    normalize = imported.graph.embedding
    assert isinstance(normalize, Normalize) and isinstance(normalize.x, Pool) and normalize.x.kind == "mean"
    assert "--pooling mean" in imported.graph.notes[-1] and "cls" in imported.graph.notes[-1]


def test_a_classifier_is_not_touched(tmp_path: Path) -> None:
    onnx = beside(tmp_path, CLS, UNIT, onnx={"names": ("logits",)})
    imported = import_onnx(onnx, sentence=sentence_beside(onnx, None))
    assert imported.sentence is None and imported.graph.logits is not None


@pytest.mark.parametrize(
    ("modules", "general", "code"),
    [
        ((("Pooling", {"pooling_mode": "max"}),), {}, "C162"),
        ((("Pooling", {"pooling_mode": ["cls", "mean"]}),), {}, "C162"),
        ((mean(), ("Dense", DENSE)), {}, "C162"),
        ((mean(),), {"prompts": {"q": "query: "}, "default_prompt_name": "q"}, "C164"),
    ],
)
def test_what_cannot_be_adopted_is_refused(
    tmp_path: Path, modules: tuple[tuple[str, Any], ...], general: dict[str, Any], code: str
) -> None:
    onnx = beside(tmp_path, *modules, **general)
    with pytest.raises(CompileError) as error:
        compile_onnx(onnx, tmp_path / "m.still")
    assert error.value.code == code
    assert not (tmp_path / "m.still").exists()


def test_a_finished_vector_must_be_the_folders(tmp_path: Path) -> None:
    whole = {"head": "normalized", "vector": "sentence_embedding"}
    onnx = beside(tmp_path, mean(), UNIT, onnx=whole)
    imported = import_onnx(onnx, sentence=sentence_beside(onnx, None))
    assert isinstance(imported.graph.embedding, Normalize) and imported.pooling is None
    for number, modules in enumerate([(mean(),), (CLS, UNIT), (mean(), ("Dense", DENSE), UNIT)]):
        other = beside(tmp_path / str(number), *modules, onnx=whole)
        with pytest.raises(CompileError) as error:
            import_onnx(other, sentence=sentence_beside(other, None))
        assert error.value.code == "C163"
        assert import_onnx(other, output="sentence_embedding", sentence=sentence_beside(other, None))


def test_the_folder_is_found_by_the_tokenizer(tmp_path: Path) -> None:
    onnx = encoder(tmp_path / "elsewhere.onnx", head="tokens")
    root = folder(tmp_path / "model", CLS, encoder="0_Transformer")
    (root / "0_Transformer").mkdir()
    for place in (root, root / "0_Transformer"):
        found = sentence_beside(onnx, place)
        assert found is not None and found.pooling == "cls"
    assert sentence_beside(onnx, None) is None and sentence_beside(onnx, tmp_path) is None
