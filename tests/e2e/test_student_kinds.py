"""Each kind of student over a pruned vocabulary, through every format: PyTorch, ONNX, TFLite, `.still` on the core."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from potstill.bench.predict import model_of

core = pytest.importorskip("potstill._core", reason="the native module is not built")

LENGTH = 32
KINDS: dict[str, dict[str, Any]] = {
    "bert": {"architecture": "bert", "init": "prune"},
    "factorized": {"architecture": "factorized", "init": "pca", "embedding_size": 12},
    "static": {"architecture": "static", "init": "pca"},
    "static-mlp": {"architecture": "static", "init": "pca", "head_hidden": 24},
}
# Not among the texts that chose the vocabulary.
NEW = ["zebra quiz 42", "Great!!! film...", "\u4e2d\u6587 \U0001f600", "caf\u00e9 very good end", "weak " * 40]


class Made:
    """A student's folder and its exports, and what they should give."""

    def __init__(self, folder: Path, task: Any, kind: str) -> None:
        from potstill.compile import compile_onnx
        from potstill.distil.students.job import Job, make_student
        from potstill.distil.vocabulary.choice import choose_vocabulary
        from potstill.export.onnx import export_onnx
        from potstill.models.classifier import load_classifier, load_encoder
        from potstill.models.evaluation import outputs
        from potstill.models.tokens import encode, load_tokenizer
        from potstill.recipe.schema import Student
        from potstill.runtime.rows import TokenRows

        tokenizer = load_tokenizer(task.folder / "teacher")
        teacher = load_encoder(task.folder / "teacher", labels=["negative", "positive"], seed=1).eval()
        texts = task.sentences(150, seed=3)
        given = {"layers": 2, "hidden": 24, "heads": 2, "intermediate": 32, "vocabulary": "seen", **KINDS[kind]}
        settings = Student.model_construct(**given)
        # Few texts choose the vocabulary: other texts hold words that are cut anew.
        vocabulary = choose_vocabulary(settings, tokenizer, encode(tokenizer, texts[:5], LENGTH))
        rows = TokenRows(encode(vocabulary.tokenizer, texts, LENGTH), pad_id=vocabulary.pad_id)
        job = make_student(Job(settings, teacher, ["negative", "positive"], rows, kept=vocabulary.kept))
        # Far apart, so that a label is a matter of the text and not of the last bit. A random teacher teaches nothing:
        # the head that is fitted to it says nearly the same of all texts, and scaled up, it would show its noise.
        import torch

        torch.manual_seed(1)
        with torch.no_grad():
            head = job.student.classifier
            head.weight.normal_()
            logits = outputs(job.student, rows).logits
            head.bias -= torch.from_numpy(logits.mean(axis=0))
            head.weight *= 4.0 / float(logits.std())
            head.bias *= 4.0 / float(logits.std())
        self.folder, self.vocabulary = folder, vocabulary
        self.texts = [*NEW, *task.sentences(60, seed=8)]
        self.student = folder / "student"
        job.student.eval().save_pretrained(self.student)
        vocabulary.tokenizer.save_pretrained(self.student)
        self.rows = encode(vocabulary.tokenizer, self.texts, LENGTH)
        self.expected = outputs(load_classifier(self.student), TokenRows(self.rows, pad_id=vocabulary.pad_id))
        self.onnx = export_onnx(self.student, folder / "model.onnx", max_tokens=LENGTH)
        self.reports = {
            scheme: compile_onnx(
                self.onnx, folder / f"{scheme}.still", scheme=scheme, tokenizer=self.student, max_tokens=LENGTH
            )
            for scheme in ("fp32", "int8", "int4")
        }


@pytest.fixture(scope="module", params=list(KINDS))
def made(request: pytest.FixtureRequest, tiny_task: Any, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A student of each kind."""
    return Made(tmp_path_factory.mktemp(request.param), tiny_task, request.param)


def test_the_core_cuts_texts_as_training_did(made: Made) -> None:
    import potstill

    model = potstill.load(made.folder / "int8.still", threads=1)
    assert model.info["vocabulary"] == made.vocabulary.size < made.vocabulary.teacher_size
    found = model.tokenize(made.texts, truncate=True)
    assert [list(row) for row in found] == [row.tolist() for row in made.rows]


def test_fp32_gives_the_logits_of_pytorch(made: Made) -> None:
    import potstill

    model = potstill.load(made.folder / "fp32.still", threads=1)
    found = np.asarray(model.logits(made.texts, truncate=True))
    scale = float(np.abs(made.expected.logits).max())
    np.testing.assert_allclose(found, made.expected.logits, atol=2e-5 * scale)
    assert (found.argmax(1) == made.expected.logits.argmax(1)).all()
    pooled = np.asarray(model.embed(made.texts, truncate=True))
    np.testing.assert_allclose(pooled, made.expected.pooled, atol=2e-5 * float(np.abs(made.expected.pooled).max()))


@pytest.mark.parametrize(("scheme", "error", "agree"), [("int8", 0.06, 0.95), ("int4", 0.5, 0.8)])
def test_integers_give_the_same_labels(made: Made, scheme: str, error: float, agree: float) -> None:
    """Of texts whose logits are apart by more than the rounding, int8 changes no label."""
    import potstill

    model = potstill.load(made.folder / f"{scheme}.still", threads=1)
    found, wanted = np.asarray(model.logits(made.texts, truncate=True)), made.expected.logits
    assert np.sqrt(((found - wanted) ** 2).mean()) < error * wanted.std()
    same = found.argmax(1) == wanted.argmax(1)
    assert same.mean() >= agree
    if scheme == "int8":
        clear = np.abs(wanted[:, 0] - wanted[:, 1]) > 0.12 * wanted.std()
        assert same[clear].all() and clear.sum() >= 10


def test_onnx_in_onnxruntime(made: Made) -> None:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(made.onnx), providers=["CPUExecutionProvider"])
    for row, wanted in zip(made.rows[:20], made.expected.logits, strict=False):
        ids = row[None].astype(np.int64)
        (found,) = session.run(["logits"], {"input_ids": ids, "attention_mask": np.ones_like(ids)})
        np.testing.assert_allclose(found[0], wanted, atol=1e-3)


def test_what_is_in_the_file(made: Made) -> None:
    """A factorized table stays two factors; a static student has one table and its head."""
    tensors = {tensor["name"]: tensor for tensor in made.reports["int8"].tensors}
    ops, size = made.reports["int8"].ops, made.vocabulary.size
    (word,) = [tensor for name, tensor in tensors.items() if name.endswith(".word")]
    model = model_of(made.folder / "int8.still", static=True)
    assert (model.hidden, model.table.width) == (24, word["shape"][1])
    kind = json.loads((made.student / "config.json").read_text(encoding="utf-8"))["backbone"]["model_type"]
    if kind == "potstill_factorized_bert":
        assert (word["shape"], word["dtype"]) == ([size, 12], "i8")
        shapes = [tensor["shape"] for tensor in tensors.values()]
        assert [24, 12] in shapes and [size, 24] not in shapes
    elif kind == "potstill_static":
        assert word["shape"] == [size, 24] and "Attention" not in ops and ops["Linear"] in (1, 2)
    else:
        assert word["shape"] == [size, 24] and ops["Attention"] == 2


# A conversion takes seconds; the other kinds' graphs are parts of these two.
@pytest.mark.builds
@pytest.mark.parametrize("made", ["factorized", "static-mlp"], indirect=True)
def test_tflite(made: Made) -> None:
    pytest.importorskip("litert_torch", reason="the extra tflite is not installed")
    from ai_edge_litert.interpreter import Interpreter

    from potstill.export.tflite import export_tflite, quantize_tflite_int8

    plain = export_tflite(made.student, made.folder / "model.tflite", length=LENGTH, short_lengths=())
    small = quantize_tflite_int8(plain, made.folder / "model.int8.tflite")
    for path, least in ((plain, 1.0), (small, 0.9)):
        runner = Interpreter(model_path=str(path), num_threads=1).get_signature_runner(f"tokens_{LENGTH}")
        same = []
        for row, wanted in zip(made.rows, made.expected.logits, strict=True):
            ids, mask = np.full((1, LENGTH), 7, np.int32), np.zeros((1, LENGTH), np.int32)
            ids[0, : len(row)], mask[0, : len(row)] = row, 1
            found = runner(input_ids=ids, attention_mask=mask)["logits"][0]
            same.append(found.argmax() == wanted.argmax())
            if path == plain:
                np.testing.assert_allclose(found, wanted, atol=1e-3)
        assert np.mean(same) >= least
