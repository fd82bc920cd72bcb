"""Token types from any exporter's ONNX, in numpy and in the core; pairs tokenized as Hugging Face does."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

import bert
from onnx_graphs import POSITIONS, VOCABULARY, encoder
from potstill.compile import compile_onnx
from potstill.compile.evaluate import Evaluator
from potstill.errors import CompileError
from potstill.runtime.backends.native import NativeBackend
from potstill.runtime.rows import TokenRows
from potstill.still.reader import read_still

IDS = [3, 9, 5, 11, 2, 8]


def onnx_logits(path: Path, types: list[int]) -> np.ndarray:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    values = {"input_ids": [IDS], "attention_mask": [[1] * len(IDS)], "token_type_ids": [types]}
    feed = {name: np.asarray(value) for name, value in values.items()}
    outputs = [o.name for o in session.get_outputs()]
    return dict(zip(outputs, session.run(None, feed), strict=True))["logits"][0]


@pytest.fixture(scope="module")
def typed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return encoder(tmp_path_factory.mktemp("typed") / "typed.onnx", types="input")


@pytest.mark.parametrize("scheme", ["fp32", "int8"])
def test_types_of_a_foreign_onnx(typed: Path, tmp_path: Path, scheme: str) -> None:
    out = tmp_path / "pairs.still"
    compile_onnx(typed, out, scheme=scheme, pairs=True)
    packed = read_still(out)
    table = packed.values(packed.header.ops[0].body.typeT)
    assert table.shape[0] == 2 and not table[0].any() and table[1].any()
    core, evaluator = NativeBackend(out, 1), Evaluator(packed, exact=scheme != "fp32")
    for types in ([0] * 6, [1] * 6, [0, 0, 1, 1, 1, 1]):
        found = np.asarray(core.run(TokenRows([IDS], [types])).logits)[0]
        np.testing.assert_allclose(evaluator.run(IDS, types).logits, found, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(found, onnx_logits(typed, types), atol=1e-4 if scheme == "fp32" else 0.2)
    single = tmp_path / "single.still"
    compile_onnx(typed, single, scheme=scheme)
    assert read_still(single).header.ops[0].body.typeT == -1
    plain = np.asarray(NativeBackend(single, 1).run(TokenRows([IDS])).logits)
    assert np.array_equal(plain, np.asarray(core.run(TokenRows([IDS])).logits)), (
        "type 0 is what a model of single texts has"
    )


def test_an_onnx_without_token_types_is_refused(tmp_path: Path) -> None:
    plain = encoder(tmp_path / "plain.onnx")
    with pytest.raises(CompileError, match="C061"):
        compile_onnx(plain, tmp_path / "out.still", pairs=True)


def test_pairs_have_the_ids_and_types_of_hugging_face(tmp_path: Path, typed: Path) -> None:
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    pieces = [*bert.SPECIAL, *letters]
    pieces = (pieces + [f"##{letter}" for letter in letters])[:VOCABULARY]
    tokenizer = bert.tokenizer(pieces, POSITIONS)
    tokenizer.save_pretrained(tmp_path / "tokenizer")
    out = tmp_path / "pairs.still"
    compile_onnx(typed, out, tokenizer=tmp_path / "tokenizer", pairs=True)
    core, rng = NativeBackend(out, 1), random.Random(1)
    limit = core.card.max_tokens
    texts = [[" ".join(rng.choices(letters[:8], k=rng.randint(1, limit))) for _ in range(200)] for _ in range(2)]
    wanted = tokenizer(*texts, truncation="longest_first", max_length=limit, return_token_type_ids=True)
    rows = core.encode(*texts, True)
    assert rows.ids == wanted["input_ids"]
    assert rows.types == wanted["token_type_ids"]
