"""What both backends over other engines share: ragged batches, facts, refusals, texts read as the core reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import potstill
import tiny
from potstill.errors import InputError
from potstill.runtime.backends import Backend, open_backend
from potstill.runtime.backends.outside import BATCH_ROWS, Texts
from potstill.runtime.rows import TokenRows

ENGINES = {"onnxruntime": ("onnx", "onnxruntime "), "litert": ("tflite", "ai-edge-litert ")}


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def backend(base: Path, engine: str) -> Any:
    return open_backend(engine, tiny.build(base)[ENGINES[engine][0]], 1)


def test_ragged_batch_equals_pytorch(base: Path, backend: Any) -> None:
    # More rows than a group, so that sorting and cutting are undone.
    ids = tiny.ragged(9 if backend.batch_rows == 1 else BATCH_ROWS * 2 + 5)
    logits, pooled = tiny.torch_outputs(tiny.model(base, "mean"), ids)
    found = backend.run(TokenRows(ids))
    np.testing.assert_allclose(found.logits, logits, rtol=0, atol=2e-5)
    np.testing.assert_allclose(found.embedding, pooled, rtol=0, atol=2e-5)
    assert found.logits.dtype == np.float32


def test_facts(base: Path, engine: str, backend: Any) -> None:
    assert isinstance(backend, Backend)
    assert backend.card.labels == tuple(tiny.LABELS)
    assert backend.card.max_tokens == tiny.MAX_TOKENS
    key, name = ENGINES[engine]
    info = {"backend": engine, "threads": 1, "vocabulary": tiny.VOCABULARY, "task": "text-classification"}
    assert info.items() <= backend.info.items()
    assert backend.info["engine"].startswith(name)
    assert backend.info["bytes"] == tiny.build(base)[key].stat().st_size


def test_empty_batch(backend: Any) -> None:
    found = backend.run(TokenRows([]))
    assert found.logits.shape == (0, 3)
    assert found.embedding.shape == (0, 48)


@pytest.mark.parametrize(
    ("ids", "code"), [([[5], []], "I001"), ([[5] * 25], "I002"), ([[5, 160]], "I003"), ([[5, -1]], "I003")]
)
def test_bad_ids(backend: Any, ids: list[list[int]], code: str) -> None:
    with pytest.raises(InputError, match=code):
        backend.run(TokenRows(ids))


def test_refused_files(engine: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="I051"):
        open_backend(engine, tmp_path / "absent", 1)
    (tmp_path / "bad").write_bytes(b"rubbish, and more of it")
    with pytest.raises(InputError, match="I052"):
        open_backend(engine, tmp_path / "bad", 1)


def test_classify_as_our_core(base: Path, engine: str) -> None:
    # The build folder of the test holds model.still, whose tokenizer is taken, and no folder tokenizer/.
    files = tiny.build(base)
    model = potstill.load(files[ENGINES[engine][0]], threads=1, backend=engine)
    own = potstill.load(files["still_fp32"], threads=1)
    texts = ["the soup is hot", "a bowl of cold tea", "mild"]
    assert model.tokenize(texts) == own.tokenize(texts)
    for found, wanted in zip(model.classify(texts), own.classify(texts), strict=True):
        assert found.label == wanted.label
        assert found.score == pytest.approx(wanted.score, abs=1e-4)


@pytest.mark.parametrize("truncate", [False, True])
def test_words_are_read_as_the_core_reads_them(base: Path, truncate: bool) -> None:
    texts = Texts(tiny.model(base, "mean") / "tokenizer.json", tiny.MAX_TOKENS)
    core: Any = open_backend("native", tiny.build(base)["still"], 1)
    # Words of several pieces, one with none, and one that is a special token.
    given = [["the", "soup", "\x01", "hot."], ["[SEP]", "very"], ["cold"] * (40 if truncate else 22)]
    found, wanted = texts.encode_words(given, truncate), core.encode_words(given, truncate)
    assert (found.ids, found.words) == (wanted.ids, wanted.words)
    for wrong, code in (([[]], "I001"), ([["cold"] * 40], "I002")):
        with pytest.raises(InputError, match=code):
            texts.encode_words(wrong, False)
