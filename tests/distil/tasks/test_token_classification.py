"""One label a word: metrics by hand, which piece carries a label, teacher and student end to end."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

import bert
import lettered
from longer import longer
from potstill.data.tagging import entities, looks_like_tags
from potstill.distil.distillation import distil
from potstill.distil.teacher.cache import Keeping, teacher_outputs
from potstill.distil.teacher.finetune import finetune
from potstill.distil.train.encoded import encode_splits
from potstill.distil.train.trainer import DistillationTrainer
from potstill.errors import TrainError
from potstill.models.classifier import labels_words, load_classifier, load_encoder
from potstill.models.evaluation import Outputs, outputs, predictions
from potstill.models.heads import Truth, task_named
from potstill.models.rows import TokenDataset
from potstill.models.tags import Tags
from potstill.models.tokens import Collator
from potstill.models.words import AtFirstPieces, answered, encode_words
from potstill.runtime.rows import TokenRows
from potstill.work.progress import QuietProgress

TASK = task_named("token-classification")
BIO = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]


def test_entities_by_hand() -> None:
    assert entities(["B-PER", "I-PER", "O", "B-LOC"]) == {("PER", 0, 2), ("LOC", 3, 4)}
    assert entities(["B-PER", "B-PER", "I-PER"]) == {("PER", 0, 1), ("PER", 1, 3)}
    # An I- that goes on nothing of its type begins an entity, as conlleval and seqeval count by default.
    assert entities(["I-PER", "I-PER", "I-LOC", "O", "I-LOC"]) == {("PER", 0, 2), ("LOC", 2, 3), ("LOC", 4, 5)}
    assert entities(["B-LOC", "I-PER"]) == {("LOC", 0, 1), ("PER", 1, 2)}
    assert entities(["O", "O"]) == set() and entities([]) == set()
    # The type may hold a hyphen.
    assert entities(["B-a-b", "I-a-b"]) == {("a-b", 0, 2)}


def test_tags_that_spell_entities() -> None:
    assert looks_like_tags(BIO) and looks_like_tags(["O", "B-X"])
    assert (
        not looks_like_tags(["O"])
        and not looks_like_tags(["O", "COMMA", "CAP"])
        and not looks_like_tags(["O", "B-", "I-X"])
    )
    assert TASK.with_labels(["O", "COMMA"]).metric == "word_accuracy"
    assert TASK.with_labels(BIO).metric == "entity_f1"


def test_entities_of_other_schemes_are_scored_as_such() -> None:
    names = ["O", "B-X", "I-X", "E-X", "S-X"]
    task = TASK.with_labels(names)
    assert task.metric == "entity_f1"
    truth = Tags([np.array([4, 4, 0, 1, 2, 3])])  # two entities of a word side by side, one of three words

    def scores(tags: list[int]) -> dict[str, float]:
        logits = np.eye(len(names), dtype=np.float32)[tags]
        return task.metrics(Outputs(logits, logits[:, :0]), Truth(truth))

    assert scores([4, 4, 0, 1, 2, 3])["entity_f1"] == 1.0
    assert scores([1, 2, 0, 1, 2, 3]) == pytest.approx(
        {"entity_f1": 2 * 1 / 5, "entity_precision": 1 / 2, "entity_recall": 1 / 3, "word_accuracy": 4 / 6}
    )
    iob1 = TASK.with_labels(["O", "I-X", "B-X"])
    logits = np.eye(3, dtype=np.float32)[[1, 1, 2, 0, 1]]
    found = iob1.metrics(Outputs(logits, logits[:, :0]), Truth(Tags([np.array([1, 1, 1, 0, 1])])))
    assert found["entity_precision"] == pytest.approx(1 / 3) and found["entity_recall"] == pytest.approx(1 / 2)


def logits_of(tags: list[int | None], labels: int = 5) -> np.ndarray:
    """Logits with the largest at each tag; NaN where there is none."""
    found = np.zeros((len(tags), labels), np.float32)
    for row, tag in enumerate(tags):
        found[row] = np.nan if tag is None else 0.0
        if tag is not None:
            found[row, tag] = 2.0
    return found


def test_metrics_by_hand() -> None:
    task = TASK.with_labels(BIO)
    truth = Truth(Tags([np.array([1, 2, 0, 3]), np.array([3, 4])]))
    logits = logits_of([1, 2, 0, 3, 3, 0])
    found = task.metrics(Outputs(logits, logits[:, :0]), truth)
    # Given PER 0-2, LOC 3-4, LOC 0-1; wanted PER 0-2, LOC 3-4, LOC 0-2: two are right.
    assert found == pytest.approx(
        {"entity_f1": 4 / 6, "entity_precision": 2 / 3, "entity_recall": 2 / 3, "word_accuracy": 5 / 6}
    )
    # An entity never reaches into the next row; a word that was cut off is wrong and no part of an entity.
    cut = logits_of([1, 2, 0, 3, 4, None])
    assert task.metrics(Outputs(cut, cut[:, :0]), truth)["word_accuracy"] == pytest.approx(4 / 6)
    assert task.metrics(Outputs(cut, cut[:, :0]), truth)["entity_recall"] == pytest.approx(2 / 3)
    nothing = Truth(Tags([np.array([0, 0])]))
    assert task.score(Outputs(logits_of([0, 0]), logits[:, :0]), nothing) == 1.0
    assert task.score(Outputs(logits_of([0, 1]), logits[:, :0]), nothing) == 0.0
    assert TASK.metrics(Outputs(logits, logits[:, :0]), truth) == {"word_accuracy": pytest.approx(5 / 6)}
    assert task.agreement(Outputs(logits, logits), Outputs(cut, cut)) == pytest.approx(4 / 6)
    assert task.right(Outputs(logits, logits), truth).tolist() == [True] * 5 + [False]


def test_the_first_piece_of_a_word_carries_its_label() -> None:
    tokenizer = lettered.tokenizer()
    names = tokenizer.convert_ids_to_tokens
    # "brightness" is bright ##ness, "bade" is bad ##e; a control character alone is read as unknown.
    ids, words = encode_words(tokenizer, [["brightness", "film", "bade"], ["\u200b", "film"]], 16)
    assert names(ids[0]) == ["[CLS]", "bright", "##ness", "film", "bad", "##e", "[SEP]"]
    assert words[0].tolist() == [1, 3, 4]
    assert names(ids[1]) == ["[CLS]", "[UNK]", "film", "[SEP]"] and words[1].tolist() == [1, 2]
    data = TokenDataset(TokenRows(ids, words=words), Tags([np.array([2, 0, 1]), np.array([1, 1])]))
    assert data[0]["labels"].tolist() == [-100, 2, -100, 0, 1, -100, -100]
    batch = Collator(1, per_token=True)([data[0], data[1]])
    assert batch["labels"].tolist()[1] == [-100, 1, 1, -100, -100, -100, -100]
    # A word whose first piece stays is answered, one without is not.
    ids, words = encode_words(tokenizer, [["brightness", "film", "bade"]], 5)
    assert names(ids[0]) == ["[CLS]", "bright", "##ness", "film", "[SEP]"] and words[0].tolist() == [1, 3, -1]
    assert encode_words(tokenizer, [["bade", "brightness"]], 5)[1][0].tolist() == [1, 3]
    cut = TokenDataset(TokenRows(ids, words=words), Tags([np.array([2, 0, 1])]))
    assert cut[0]["labels"].tolist() == [-100, 2, -100, 0, -100]


def test_losses_see_words_alone() -> None:
    logits = torch.arange(24.0).reshape(2, 4, 3)
    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]])
    labels = torch.tensor([[-100, 2, -100, -100], [-100, -100, -100, -100]])
    found, tags, _ = answered(logits, labels, None, mask)
    # A row of tags gives its words, a row without tags all its tokens.
    assert found.tolist() == [logits[0, 1].tolist(), *logits[1, :3].tolist()]
    assert tags is not None and tags.tolist() == [2, -100, -100, -100]
    taught = torch.full((2, 4, 3), float("nan"))
    taught[0, 1], taught[1, 1] = 1.0, 2.0
    found, tags, known = answered(logits, labels, taught, mask)
    assert found.tolist() == [logits[0, 1].tolist(), logits[1, 1].tolist()]
    assert tags is not None and tags.tolist() == [2, -100]
    assert known is not None and known.tolist() == [[1.0] * 3, [2.0] * 3]


def test_teacher_logits_come_from_the_cache_word_by_word(tmp_path: Path) -> None:
    teacher = load_encoder(lettered.teacher(tmp_path) / ".." / "encoder", labels=BIO, pooling="none").eval()
    tokenizer = lettered.tokenizer()
    rows = [text.split() for text in lettered.texts(7, seed=2)]
    ids, words = encode_words(tokenizer, rows, 8)
    assert any((row < 0).any() for row in words)
    keeping, read = Keeping(tmp_path, shard_rows=3), TokenRows(ids, words=words, pad_id=1)
    taught = teacher_outputs(teacher, "w", read, keeping, precision="fp32")
    whole = outputs(teacher, read).logits
    flat = np.concatenate([np.asarray(taught.logits[row]) for row in range(len(rows))])
    assert np.array_equal(flat, whole, equal_nan=True) and len(whole) == sum(map(len, rows))
    # Other words of the same tokens are another key.
    fewer = TokenRows(ids, words=[row[:1] for row in words], pad_id=1)
    assert teacher_outputs(teacher, "w", fewer, keeping, precision="fp32").folder != taught.folder
    column = AtFirstPieces(taught.logits, words, [len(row) for row in ids])
    for row in range(len(rows)):
        assert column[row].shape == (len(ids[row]), 5)
        kept = words[row][words[row] >= 0]
        assert np.flatnonzero(~np.isnan(column[row][:, 0])).tolist() == kept.tolist()


FILLERS, GOOD, BAD = lettered.WORDS[6:11], lettered.WORDS[:3], lettered.WORDS[3:6]


def tagging(count: int, seed: int) -> tuple[list[list[str]], list[list[int]]]:
    """Rows of nine words: an entity is a good word with the bad words behind it."""
    source = random.Random(seed)
    rows, tags = [], []
    for _ in range(count):
        words: list[str] = []
        ids: list[int] = []
        while len(words) < 9:
            if source.randrange(3):
                words.append(source.choice(FILLERS))
                ids.append(0)
            else:
                more = source.randrange(2)
                words += [source.choice(GOOD), *source.choices(BAD, k=more)]
                ids += [1, *([2] * more)]
        rows.append(words)
        tags.append(ids)
    return rows, tags


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random encoder whose states still tell a token from its neighbours, and the tokenizer that spells."""
    folder = tmp_path_factory.mktemp("words")
    bert.encoder(folder, lettered.VOCABULARY, layers=2, initializer_range=0.1)
    lettered.tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture
def tagged() -> Any:
    from datasets import Dataset

    parts = {}
    for seed, (name, count) in enumerate((("train", 128), ("validation", 24), ("test", 32))):
        rows, tags = tagging(count, seed)
        parts[name] = Dataset.from_dict({"text": rows, "label": tags})
    more = Dataset.from_dict({"text": tagging(24, 9)[0]})
    return SimpleNamespace(**parts, unlabelled=more, labels=["O", "B-JOY", "I-JOY"], fingerprint="tags", units="given")


OWN = {"student__tokenizer": "own", "student__tokenizer_model": "bpe", "student__tokenizer_size": 300}


@pytest.mark.parametrize(
    "settings",
    [
        {**OWN, "distil__hidden": 0.1},
        *longer({}, {"student__vocabulary": "seen", "distil__hidden": 0.1}),
    ],
    ids=["own", "plain", "pruned"],
)
def test_teacher_and_student_learn_entities(
    tagged: Any, make_recipe: Callable[..., Any], encoder: Path, tmp_path: Path, settings: dict[str, Any]
) -> None:
    recipe = make_recipe(
        teacher__model=str(encoder),
        teacher__epochs=8,
        teacher__learning_rate=1e-2,
        teacher__early_stopping_patience=0,
        distil__epochs=4,
        distil__alpha=0.3,
        **settings,
    ).model_copy(update={"task": "token-classification"})
    places = {"cache": tmp_path / "cache", "progress": QuietProgress()}
    taught = finetune(recipe, tagged, tmp_path / "teacher", work=tmp_path / "teacher.work", **places)
    assert taught["fine_tuned"] and taught["metric"] == "entity_f1" and taught["test_accuracy"] > 0.85, taught
    assert set(taught["metrics"]) == {"entity_f1", "entity_precision", "entity_recall", "word_accuracy"}
    facts = distil(recipe, tagged, tmp_path / "teacher", tmp_path / "student", work=tmp_path / "work", **places)
    majority = np.mean(np.concatenate([*tagged.test["label"]]) == 0)
    assert facts["test_accuracy"] > 0.7 and facts["metrics"]["word_accuracy"] > majority + 0.1, facts
    assert 0.7 < facts["agreement"] <= 1.0 and facts["train_accuracy"] > 0.7
    student = load_classifier(tmp_path / "student")
    assert labels_words(student.config) and student.config.pooling == "none"
    found = predictions(tmp_path / "student", tagged.test, 16)
    assert found.logits.shape == (sum(map(len, tagged.test["text"])), 3)
    task = TASK.with_labels(tagged.labels)
    truth = Truth(task.label_array(tagged.test["label"], 3))
    assert task.score(found, truth) == pytest.approx(facts["test_accuracy"])


def hub_model(folder: Path, encoder: Path, names: list[str]) -> Path:
    """A `BertForTokenClassification` with a random head, as from the hub."""
    import shutil

    from transformers import BertForTokenClassification

    torch.manual_seed(0)
    labels = dict(enumerate(names))
    BertForTokenClassification.from_pretrained(
        encoder, id2label=labels, label2id={name: index for index, name in labels.items()}
    ).save_pretrained(folder)
    for path in encoder.glob("tokenizer*"):
        shutil.copy(path, folder)
    return folder


def test_a_model_of_the_hub_is_taken_as_it_is(
    tagged: Any, make_recipe: Callable[..., Any], encoder: Path, tmp_path: Path
) -> None:
    source = hub_model(tmp_path / "hub", encoder, ["I-JOY", "O", "B-JOY"])
    recipe = make_recipe(
        teacher__model=str(source), distil__epochs=1, distil__learning_rate=1e-6, student__init="copy",
        student__hidden=24, student__intermediate=48,
    ).model_copy(update={"task": "token-classification"})  # fmt: skip
    places = {"cache": tmp_path / "cache", "progress": QuietProgress()}
    facts = finetune(recipe, tagged, tmp_path / "teacher", work=tmp_path / "w", **places)
    assert not facts["fine_tuned"]
    # Its outputs stand in the order of our labels.
    theirs, ours = (load_classifier(folder) for folder in (source, tmp_path / "teacher"))
    ids = torch.tensor([[2, 5, 6, 7, 3]])
    wanted = theirs(ids, torch.ones_like(ids)).logits[..., [1, 2, 0]]
    torch.testing.assert_close(ours(ids, torch.ones_like(ids)).logits, wanted)
    student = distil(recipe, tagged, tmp_path / "teacher", tmp_path / "student", work=tmp_path / "work", **places)
    # The same layers under a head fitted token by token.
    assert student["agreement"] > 0.8
    # A head on whole texts is none for words, and the other way round.
    load_encoder(encoder, labels=tagged.labels).save_pretrained(tmp_path / "texts")
    for path in encoder.glob("tokenizer*"):
        (tmp_path / "texts" / path.name).write_bytes(path.read_bytes())
    never = make_recipe(teacher__model=str(tmp_path / "texts"), teacher__finetune="never").model_copy(
        update={"task": "token-classification"}
    )
    with pytest.raises(TrainError, match="T013"):
        finetune(never, tagged, tmp_path / "none", work=tmp_path / "w2", **places)


def test_a_live_teacher_of_words(tagged: Any, encoder: Path, tmp_path: Path) -> None:
    """The trainer by itself, with a teacher that runs in the training step."""
    from potstill.models.tokens import load_tokenizer

    teacher = load_encoder(encoder, labels=tagged.labels, pooling="none", seed=1)
    student = load_encoder(encoder, labels=tagged.labels, pooling="none", seed=2)
    rows = encode_splits(load_tokenizer(encoder), tagged, 16, TASK)
    trainer = DistillationTrainer(
        student, teacher, output_dir=str(tmp_path), num_train_epochs=1, per_device_train_batch_size=16, use_cpu=True,
        train_dataset=rows.train, learning_rate=5e-3, logging_steps=1, disable_tqdm=True, save_strategy="no",
    )  # fmt: skip
    trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    assert np.isfinite(losses).all() and losses[-1] < losses[0]


def test_weights_follow_the_recipe() -> None:
    assert TASK.loss_weights(SimpleNamespace(alpha=0.25)) == {"hard": 0.25, "soft": 0.75}
