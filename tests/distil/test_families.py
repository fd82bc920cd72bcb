"""Teachers of every family: their answers are transformers' own, they are trained, and they teach a BERT."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

import families
from families import FAMILIES, write
from longer import longer
from potstill.data.splits import Splits
from potstill.distil.distillation import distil
from potstill.distil.students.inherited import core_activation
from potstill.distil.students.job import Job, make_student
from potstill.distil.teacher.batching import check_batching
from potstill.distil.teacher.finetune import finetune
from potstill.distil.teacher.sentence import sentence_model, teacher_vectors
from potstill.errors import TrainError
from potstill.models.classifier import load_classifier, load_encoder
from potstill.models.evaluation import accuracy, outputs
from potstill.models.tokens import encode, load_tokenizer
from potstill.recipe.schema import Recipe, Student
from potstill.runtime.rows import TokenRows
from potstill.work.progress import QuietProgress

TEXTS = [*families.sentences(6, seed=1), "good"]
MOST = 32
FORWARD = ("gpt2", "llama", "qwen2", "qwen3", "gemma")
BERT_LAYERS = ("bert", "roberta", "xlm-r", "camembert", "distilbert", "electra")
LABELS = ["bad", "good"]


def rows_of(folder: Path, texts: list[str]) -> TokenRows:
    tokenizer = load_tokenizer(folder)
    return TokenRows(encode(tokenizer, texts, MOST), pad_id=tokenizer.pad_token_id)


@pytest.mark.parametrize("name", FAMILIES)
def test_its_own_head_answers_as_in_transformers(name: str, tmp_path: Path) -> None:
    """Texts one at a time there, so that nothing is padded; here in one batch."""
    write(name, tmp_path, head=True)
    found = outputs(load_classifier(tmp_path), rows_of(tmp_path, TEXTS))
    theirs = transformers.AutoModelForSequenceClassification.from_pretrained(tmp_path).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path)
    with torch.no_grad():
        wanted = [theirs(torch.tensor([tokenizer(text)["input_ids"]])).logits[0].numpy() for text in TEXTS]
    np.testing.assert_allclose(found.logits, wanted, atol=2e-5)
    assert np.ptp(np.asarray(wanted), axis=0).min() > 1e-2, "answers differ from text to text"


@pytest.mark.parametrize("name", FAMILIES)
def test_its_vectors_are_pooled_states(name: str, tmp_path: Path) -> None:
    """Of a decoder the last token's, of others the mean; of T5 the encoder's."""
    write(name, tmp_path)
    model = load_encoder(tmp_path, labels=[], pooling="auto")
    found = outputs(model, rows_of(tmp_path, TEXTS)).pooled
    kind = transformers.AutoModelForTextEncoding if name in ("t5", "mt5") else transformers.AutoModel
    theirs = kind.from_pretrained(tmp_path).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path)
    for text, vector in zip(TEXTS, found, strict=True):
        with torch.no_grad():
            states = theirs(input_ids=torch.tensor([tokenizer(text)["input_ids"]])).last_hidden_state[0]
        wanted = states[-1] if name in FORWARD else states.mean(0)
        np.testing.assert_allclose(vector, wanted.numpy(), atol=1e-5)
    model.save_pretrained(tmp_path / "ours")
    again = outputs(load_classifier(tmp_path / "ours"), rows_of(tmp_path, TEXTS)).pooled
    np.testing.assert_array_equal(again, found)


def dataset(count: int, seed: int) -> Any:
    from datasets import Dataset

    return Dataset.from_dict({"text": families.sentences(count, seed), "label": [row % 2 for row in range(count)]})


def splits() -> Splits:
    return Splits(dataset(96, 1), dataset(24, 2), dataset(24, 3), None, LABELS, "families", "families")


def recipe(folder: Path, tuned: str = "auto", **data: Any) -> Recipe:
    training = {"epochs": 2, "learning_rate": 2e-3, "precision": "fp32", "batch_size": 16}
    sizes = {"layers": 1, "hidden": 16, "heads": 4, "intermediate": 32}
    return Recipe.model_validate(
        {
            "name": "families",
            "teacher": {"model": str(folder), "finetune": tuned, **training},
            "data": {"source": "unused.csv", "max_tokens": MOST, **data},
            "student": sizes,
            "distil": training,
        }
    )


def cross_entropy(folder: Path) -> float:
    """Of the training texts; a guess has log 2."""
    data = splits().train
    logits = torch.from_numpy(outputs(load_classifier(folder), rows_of(folder, data["text"])).logits)
    return float(torch.nn.functional.cross_entropy(logits, torch.tensor(data["label"])))


@pytest.mark.parametrize("name", ["xlm-r", "t5", "llama", *longer(*sorted(set(FAMILIES) - {"xlm-r", "t5", "llama"}))])
def test_it_is_trained_and_teaches_a_student(name: str, tmp_path: Path) -> None:
    """Under a new head; what is saved answers as what was trained, to the student and to whoever measures it."""
    asked = recipe(write(name, tmp_path / "given"))
    where = {"cache": tmp_path / "cache", "progress": QuietProgress()}
    taught = finetune(asked, splits(), tmp_path / "teacher", work=tmp_path / "teacher.work", **where)
    assert taught["fine_tuned"] and cross_entropy(tmp_path / "teacher") < np.log(2)
    assert accuracy(tmp_path / "teacher", splits().test, MOST) == pytest.approx(taught["test_accuracy"])
    made = distil(asked, splits(), tmp_path / "teacher", tmp_path / "student", work=tmp_path / "student.work", **where)
    assert made["teacher_test_accuracy"] == pytest.approx(taught["test_accuracy"])
    assert made["vocabulary"]["size"] == len(load_tokenizer(tmp_path / "given"))
    backbone = load_classifier(tmp_path / "student").config.backbone
    assert backbone["model_type"] == "bert" and core_activation(backbone["hidden_act"])


@pytest.mark.parametrize("name", ["roberta", *longer("distilbert", "t5", "gpt2")])
def test_pairs_of_a_teacher_without_token_types(name: str, tmp_path: Path) -> None:
    """It has what its tokenizer puts between them, if anything; its student has types of its own."""
    asked = recipe(write(name, tmp_path / "given"), text_pair="pair")
    given = splits()
    for part in ("train", "validation", "test"):
        found = getattr(given, part)
        setattr(given, part, found.add_column("text_pair", found["text"][::-1]))
    where = {"cache": tmp_path / "cache", "progress": QuietProgress()}
    taught = finetune(asked, given, tmp_path / "teacher", work=tmp_path / "teacher.work", **where)
    assert accuracy(tmp_path / "teacher", given.test, MOST) == pytest.approx(taught["test_accuracy"])
    distil(asked, given, tmp_path / "teacher", tmp_path / "student", work=tmp_path / "student.work", **where)
    assert load_classifier(tmp_path / "student").config.backbone["type_vocab_size"] == 2


@pytest.mark.parametrize("name", FORWARD)
def test_a_decoders_own_head_is_trained_on_padded_batches(name: str, tmp_path: Path) -> None:
    """transformers finds the last token by the padding id, and is told which pads."""
    asked = recipe(write(name, tmp_path / "given", head=True), "always")
    where = {"cache": tmp_path / "cache", "progress": QuietProgress()}
    taught = finetune(asked, splits(), tmp_path / "teacher", work=tmp_path / "work", **where)
    assert taught["fine_tuned"] and cross_entropy(tmp_path / "teacher") < np.log(2)
    config = transformers.AutoConfig.from_pretrained(tmp_path / "teacher")
    assert config.pad_token_id == load_tokenizer(tmp_path / "teacher").pad_token_id
    theirs = transformers.AutoModelForSequenceClassification.from_pretrained(tmp_path / "teacher").eval()
    rows = rows_of(tmp_path / "teacher", TEXTS)
    found = outputs(load_classifier(tmp_path / "teacher"), rows).logits
    with torch.no_grad():
        wanted = theirs(**{key: torch.from_numpy(array) for key, array in rows.padded().items()}).logits
    np.testing.assert_allclose(found, wanted.numpy(), atol=2e-5)


@pytest.mark.parametrize(("name", "pooling"), [("qwen3", "lasttoken"), ("t5", "mean"), ("mpnet", "mean")])
def test_its_sentence_transformers_folder(name: str, pooling: str, tmp_path: Path) -> None:
    """Qwen3's embedding models take the last token's vector; others their mean."""
    write(name, tmp_path)
    modules = [("Transformer", ""), ("Pooling", "1_Pooling"), ("Normalize", "2_Normalize")]
    listed = [{"idx": i, "name": str(i), "path": path, "type": f"st.{kind}"} for i, (kind, path) in enumerate(modules)]
    (tmp_path / "1_Pooling").mkdir()
    (tmp_path / "modules.json").write_text(json.dumps(listed))
    (tmp_path / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode": pooling}))
    general = {"prompts": {"query": "Instruct: find\nQuery: ", "document": ""}, "default_prompt_name": None}
    (tmp_path / "config_sentence_transformers.json").write_text(json.dumps(general))
    said = sentence_model(tmp_path)
    vectors = teacher_vectors(tmp_path, said, "auto", labelled=False, max_tokens=MOST)
    assert vectors.pooling == pooling and "prompts (query)" in vectors.notes[0]
    found = outputs(
        load_encoder(vectors.source, labels=[], pooling=vectors.pooling, sentence=vectors.sentence),
        rows_of(tmp_path, TEXTS),
    ).pooled
    plain = outputs(load_encoder(tmp_path, labels=[], pooling=pooling), rows_of(tmp_path, TEXTS)).pooled
    np.testing.assert_allclose(found, plain / np.linalg.norm(plain, axis=1, keepdims=True), atol=1e-6)


@pytest.mark.parametrize("name", ["roberta", "t5", "llama"])
def test_its_own_head_is_taken_as_it_is(name: str, tmp_path: Path) -> None:
    """Its labels have names: no answer needs to tell which is which."""
    asked = recipe(write(name, tmp_path / "given", head=True, labels=("Good", "Bad")), "never")
    where = {"cache": tmp_path / "cache", "progress": QuietProgress()}
    taught = finetune(asked, splits(), tmp_path / "teacher", work=tmp_path / "work", **where)
    assert not taught["fine_tuned"]
    found, given = (
        outputs(load_classifier(tmp_path / folder), rows_of(tmp_path / folder, TEXTS)).logits
        for folder in ("teacher", "given")
    )
    np.testing.assert_allclose(found, given[:, ::-1], atol=1e-5)


def student_of(name: str, folder: Path, texts: list[str], **settings: Any) -> tuple[Any, TokenRows, Any]:
    """A student made of a random teacher, the rows, and the teacher."""
    write(name, folder)
    teacher = load_encoder(folder, labels=LABELS, pooling="mean").eval()
    rows = rows_of(folder, texts)
    given = {"layers": 2, "hidden": 32, "heads": 4, "intermediate": 64, "activation": None, **settings}
    return make_student(Job(Student(**given), teacher, LABELS, rows, longest=MOST)), rows, teacher


@pytest.mark.parametrize("init", ["copy", "pca", "prune"])
@pytest.mark.parametrize("name", BERT_LAYERS)
def test_at_the_teachers_sizes_the_student_is_the_teacher(name: str, init: str, tmp_path: Path) -> None:
    """Where the layers are BERT's under whatever names; pairs, too, of teachers without token types."""
    job, rows, teacher = student_of(name, tmp_path, families.sentences(40, seed=5), init=init)
    for types in (None, [np.arange(len(row)) // 3 % 2 for row in rows.ids]):
        if types is not None and name in ("bert", "electra"):
            continue  # these have types of their own, which the sample above does not show
        given = TokenRows(rows.ids, types, pad_id=rows.pad_id)
        ours, theirs = outputs(job.student, given).pooled, outputs(teacher, given).pooled
        np.testing.assert_allclose(ours, theirs, atol=1e-3)


@pytest.mark.parametrize("name", sorted(set(FAMILIES) - set(BERT_LAYERS)))
def test_of_other_layers_the_token_table_alone_is_taken(name: str, tmp_path: Path) -> None:
    """Tokens that are alike in the teacher's table are in the student's; a wider student has columns of zeros."""
    job, rows, teacher = student_of(name, tmp_path, families.sentences(40, seed=5), init="pca")
    ours = job.student.backbone.embeddings.word_embeddings.weight.detach().numpy()
    theirs = teacher.backbone.get_input_embeddings().weight.detach().numpy()
    counts = np.ones(len(theirs))
    np.add.at(counts, np.concatenate(rows.ids), 1)
    theirs = theirs - counts @ theirs / counts.sum()
    ratio = np.linalg.norm(ours, axis=1) / np.linalg.norm(theirs, axis=1)
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-4)
    unit = [table / np.linalg.norm(table, axis=1, keepdims=True) for table in (ours, theirs)]
    np.testing.assert_allclose(unit[0] @ unit[0].T, unit[1] @ unit[1].T, atol=1e-4)
    assert 0.01 < np.sqrt((counts @ ours**2 / counts.sum()).mean()) < 0.03
    for other in ("copy", "prune"):
        with pytest.raises(TrainError) as error:
            student_of(name, tmp_path / other, TEXTS, init=other)
        assert error.value.code == "T042"


@pytest.mark.parametrize("name", ["gpt2", "llama", "t5", "xlm-r"])
def test_a_static_student_starts_from_any_teacher(name: str, tmp_path: Path) -> None:
    """A token between what stands around every text: nothing, or one token before or behind it."""
    job, rows, teacher = student_of(name, tmp_path, families.sentences(60, seed=5), architecture="static", hidden=16)
    table = job.student.backbone.embeddings.word_embeddings.weight
    zeros = {int(row) for row in torch.nonzero(table.abs().sum(1) == 0)[:, 0]}
    around = {"gpt2": set(), "llama": {rows.ids[0][0]}, "t5": {rows.ids[0][-1]}}
    assert zeros == {int(i) for i in around.get(name, {rows.ids[0][0], rows.ids[0][-1]})} | {rows.pad_id}
    assert outputs(job.student, rows).logits.std() > 0
    assert teacher.config.num_labels == 2


def test_a_head_that_reads_padding_is_refused(tmp_path: Path) -> None:
    sizes = {"vocab_size": 40, "d_model": 24, "n_layer": 2, "n_head": 4, "d_inner": 48, "initializer_range": 0.2}
    model = transformers.XLNetForSequenceClassification(transformers.XLNetConfig(**sizes))
    rows = TokenRows([np.array([5, 6], np.int32), np.array([7, 8, 9, 10, 11], np.int32)])
    with pytest.raises(TrainError) as error:
        check_batching(model, rows, "xlnet")
    assert error.value.code == "T016"
    transformers.XLNetModel(transformers.XLNetConfig(**sizes)).save_pretrained(tmp_path)
    check_batching(load_encoder(tmp_path, labels=LABELS), rows, "xlnet")


def test_weights_that_are_not_there_are_not_made_up(tmp_path: Path) -> None:
    write("roberta", tmp_path)
    path = tmp_path / "config.json"
    path.write_text(path.read_text().replace("RobertaModel", "RobertaForSequenceClassification"))
    with pytest.raises(TrainError, match="classifier") as error:
        load_classifier(tmp_path)
    assert error.value.code == "T015"
    path.write_text(path.read_text().replace('"num_hidden_layers": 2', '"num_hidden_layers": 3'))
    with pytest.raises(TrainError, match=r"layer\.2") as error:
        load_encoder(tmp_path, labels=LABELS)
    assert error.value.code == "T015"


def test_a_tokenizer_pads_with_a_token_that_ends_no_text(tmp_path: Path) -> None:
    from tokenizers import processors

    tokenizer = families.llama_bpe.__wrapped__()
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="$A </s>", special_tokens=[("</s>", 1)]
    )
    tokenizer.save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "gpt2"}')
    assert load_tokenizer(tmp_path).pad_token == "<s>"
    families.gpt_bpe().save_pretrained(tmp_path)
    assert load_tokenizer(tmp_path).pad_token == "<|endoftext|>"
    bare = families.gpt_bpe.__wrapped__()
    bare.bos_token = bare.eos_token = None
    bare.save_pretrained(tmp_path)
    with pytest.raises(TrainError) as error:
        load_tokenizer(tmp_path)
    assert error.value.code == "T006"
