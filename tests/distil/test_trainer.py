"""`DistillationTrainer`: the article's call, its loss, its errors, resuming, several processes."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F
from transformers import BertConfig, BertForSequenceClassification, TrainingArguments

from potstill.distil import DistillationTrainer
from potstill.errors import TrainError
from potstill.models.classifier import load_classifier
from potstill.models.evaluation import outputs
from potstill.models.rows import TokenDataset
from potstill.models.tokens import Collator
from potstill.runtime.rows import TokenRows
from warm_process import WarmProcess

VOCABULARY = 21


def bert(hidden: int = 16, layers: int = 1, labels: int = 2, seed: int = 0, vocabulary: int = VOCABULARY) -> Any:
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=vocabulary,
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=4,
        intermediate_size=32,
        max_position_embeddings=32,
        num_labels=labels,
    )
    return BertForSequenceClassification(config)


def rows(count: int = 24, labelled: bool = True) -> list[dict[str, Any]]:
    random = np.random.default_rng(0)
    found = []
    for index in range(count):
        ids = [2, *random.integers(5, VOCABULARY, random.integers(2, 9)).tolist(), 3]
        row: dict[str, Any] = {"input_ids": ids, "attention_mask": [1] * len(ids)}
        if labelled:
            row["labels"] = index % 2
        found.append(row)
    return found


def quiet(folder: Path, **changes: Any) -> dict[str, Any]:
    return {
        "output_dir": str(folder),
        "use_cpu": True,
        "disable_tqdm": True,
        "dataloader_pin_memory": False,
        "save_strategy": "no",
        **changes,
    }


def test_the_articles_call_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from datasets import Dataset

    monkeypatch.chdir(tmp_path)
    student, teacher = bert(), bert(hidden=24, layers=2, seed=1)
    before = student.classifier.weight.clone()
    trainer = DistillationTrainer(
        student_model=student,
        teacher_model=teacher,
        temperature=2.0,
        alpha=0.5,
        train_dataset=Dataset.from_list(rows()),
        optim="adamw",
        learning_rate=5e-5,
        num_train_epochs=1,
        use_cpu=True,
        disable_tqdm=True,
        dataloader_pin_memory=False,
    )
    assert trainer.args.learning_rate == 5e-5
    assert trainer.args.optim.value.startswith("adamw")
    result = trainer.train()
    assert result.global_step == 3
    assert not student.classifier.weight.equal(before)
    student.save_pretrained(tmp_path / "saved")
    assert load_classifier(tmp_path / "saved").config.num_labels == 2


def batch_and_expected(
    student: Any, teacher: Any, alpha: float, temperature: float
) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    batch = Collator()(rows(6))
    given = {key: batch[key] for key in ("input_ids", "attention_mask")}
    ours, theirs = student(**given).logits, teacher(**given).logits
    soft = F.kl_div(F.log_softmax(ours / temperature, -1), F.softmax(theirs / temperature, -1), reduction="batchmean")
    return batch, alpha * F.cross_entropy(ours, batch["labels"]) + (1 - alpha) * temperature**2 * soft


def test_loss_is_the_articles(tmp_path: Path) -> None:
    student, teacher = bert().eval(), bert(hidden=24, seed=1).eval()
    trainer = DistillationTrainer(student, teacher, temperature=3.0, alpha=0.3, **quiet(tmp_path))
    batch, expected = batch_and_expected(student, teacher, 0.3, 3.0)
    torch.testing.assert_close(trainer.compute_loss(student, batch), expected)


def test_rows_without_labels_count_in_the_soft_loss_only(tmp_path: Path) -> None:
    student, teacher = bert().eval(), bert(hidden=24, seed=1).eval()
    trainer = DistillationTrainer(student, teacher, alpha=0.5, **quiet(tmp_path))
    batch = Collator()(rows(6))
    soft_only = {key: value for key, value in batch.items() if key != "labels"}
    unlabelled = {**batch, "labels": torch.full((6,), -100)}
    expected = trainer.compute_loss(student, soft_only)
    torch.testing.assert_close(trainer.compute_loss(student, unlabelled), expected)
    assert trainer.compute_loss(student, batch) > expected


def test_cached_outputs_give_the_loss_of_the_live_teacher(tmp_path: Path, tiny_teacher: Path) -> None:
    teacher, student = load_classifier(tiny_teacher), bert().eval()
    ids = [np.array(row["input_ids"]) for row in rows()]
    taught = outputs(teacher, TokenRows(ids))
    cached = TokenDataset(
        TokenRows(ids), [0, 1] * 12, {"teacher_logits": taught.logits, "teacher_pooled": taught.pooled}
    )
    live = TokenDataset(TokenRows(ids), [0, 1] * 12)
    values = []
    for dataset, model in ((cached, None), (live, teacher), (live, str(tiny_teacher))):
        trainer = DistillationTrainer(student, model, pooled_cosine=1.0, train_dataset=dataset, **quiet(tmp_path))
        batch = Collator()([dataset[row] for row in range(8)])
        values.append(trainer.compute_loss(student, batch))
    torch.testing.assert_close(values[1], values[0])
    torch.testing.assert_close(values[2], values[0])


def test_pooled_cosine_pulls_the_students_vector_to_the_teachers(tmp_path: Path, tiny_teacher: Path) -> None:
    teacher, student = load_classifier(tiny_teacher), bert(hidden=24)
    ids = [np.array(row["input_ids"]) for row in rows(64)]
    dataset = TokenDataset(TokenRows(ids))
    trainer = DistillationTrainer(
        student,
        teacher,
        alpha=0.0,
        pooled_cosine=5.0,
        train_dataset=dataset,
        **quiet(tmp_path, num_train_epochs=8, learning_rate=5e-3, logging_steps=1),
    )
    trainer.train()
    history = [entry["loss_pooled_cosine"] for entry in trainer.state.log_history if "loss_pooled_cosine" in entry]
    assert history[-1] < 0.6 * history[0]
    assert {"loss_soft", "loss_pooled_cosine"} <= set(trainer.state.log_history[0])


def test_teacher_is_frozen_in_eval_mode_and_not_saved(tmp_path: Path) -> None:
    student, teacher = bert(), bert(hidden=24, seed=1).train()
    before = {name: tensor.clone() for name, tensor in teacher.state_dict().items()}
    trainer = DistillationTrainer(
        student, teacher, train_dataset=rows(), **quiet(tmp_path, num_train_epochs=1, learning_rate=1e-2)
    )
    trainer.train()
    trainer.save_model(str(tmp_path / "saved"))
    assert not teacher.training and not any(parameter.requires_grad for parameter in teacher.parameters())
    assert all(tensor.equal(before[name]) for name, tensor in teacher.state_dict().items())
    assert (tmp_path / "saved" / "model.safetensors").stat().st_size < 4.2 * student.num_parameters() + 5000


def test_evaluation_without_a_teacher_uses_the_label_loss(tmp_path: Path, tiny_teacher: Path) -> None:
    student = bert()
    taught = np.zeros((24, 2), np.float32)
    ids = TokenRows([np.array(row["input_ids"]) for row in rows()])
    dataset = TokenDataset(ids, [0] * 24, {"teacher_logits": taught})
    trainer = DistillationTrainer(student, train_dataset=dataset, eval_dataset=rows(), **quiet(tmp_path))
    metrics = trainer.evaluate()
    batch = Collator()(rows())
    with torch.no_grad():
        logits = student.eval()(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
    assert metrics["eval_loss"] == pytest.approx(F.cross_entropy(logits, batch["labels"]).item(), rel=1e-4)


def test_gradient_accumulation_equals_a_larger_batch(tmp_path: Path) -> None:
    weights = []
    for batch, steps in ((8, 1), (2, 4)):
        student, teacher = bert(), bert(hidden=24, seed=1)
        student.config.hidden_dropout_prob = student.config.attention_probs_dropout_prob = 0.0
        student = BertForSequenceClassification(student.config)
        student.load_state_dict(bert().state_dict())
        trainer = DistillationTrainer(
            student,
            teacher,
            train_dataset=rows(16),
            group_lengths=False,
            **quiet(
                tmp_path,
                optim="sgd",
                learning_rate=0.1,
                num_train_epochs=1,
                per_device_train_batch_size=batch,
                gradient_accumulation_steps=steps,
                train_sampling_strategy="sequential",
                max_grad_norm=0.0,
            ),
        )
        trainer.train()
        weights.append(student.classifier.weight.detach().clone())
    torch.testing.assert_close(weights[0], weights[1], rtol=1e-4, atol=1e-6)


def train_steps(folder: Path, dataset: Any, stop: int | None = None, resume: bool = False) -> dict[str, torch.Tensor]:
    student, teacher = bert(seed=4), bert(hidden=24, seed=1)
    trainer = DistillationTrainer(
        student,
        teacher,
        train_dataset=dataset,
        **quiet(folder, num_train_epochs=3, learning_rate=1e-3, save_strategy="steps", save_steps=4, logging_steps=1),
    )
    if stop is not None:
        from transformers import TrainerCallback

        class Stop(TrainerCallback):
            def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
                if state.global_step == stop:
                    raise KeyboardInterrupt

        trainer.add_callback(Stop())
        with pytest.raises(KeyboardInterrupt):
            trainer.train()
    else:
        trainer.train(resume_from_checkpoint=resume)
    return {name: tensor.clone() for name, tensor in student.state_dict().items()}


def test_a_resumed_run_ends_in_the_same_bits(tmp_path: Path) -> None:
    # 24 rows, batch 8: steps 1-9; stopped in epoch 2 at step 5, resumed from the checkpoint of step 4 (mid-epoch).
    dataset = rows()
    whole = train_steps(tmp_path / "whole", dataset)
    broken = train_steps(tmp_path / "broken", dataset, stop=5)
    resumed = train_steps(tmp_path / "broken", dataset, resume=True)
    assert not all(whole[name].equal(broken[name]) for name in whole)
    assert all(whole[name].equal(resumed[name]) for name in whole)


@pytest.mark.parametrize(
    ("arguments", "code", "hint"),
    [
        ({"temperature": 0.0}, "T024", "above 0"),
        ({"alpha": 1.5}, "T025", "0 to 1"),
        ({"pooled_cosine": -1.0}, "T025", "0 or more"),
        ({"relations": float("nan")}, "T025", "distil.relations"),
        ({"learning_rat": 1e-3}, "T023", "learning_rate"),
        ({"teacher_model": bert(labels=3)}, "T026", "num_labels"),
        ({"teacher_model": bert(vocabulary=30)}, "T027", "tokenizer"),
        ({"student_model": None}, "T028", "student_model"),
        ({"teacher_model": "/nowhere/at/all"}, "T001", "folder"),
    ],
)
def test_errors(tmp_path: Path, arguments: dict[str, Any], code: str, hint: str) -> None:
    with pytest.raises(TrainError) as error:
        DistillationTrainer(**{"student_model": bert(), **quiet(tmp_path), **arguments})
    assert error.value.code == code
    assert hint in str(error.value)


def test_args_and_fields_do_not_mix(tmp_path: Path) -> None:
    args = TrainingArguments(**quiet(tmp_path, learning_rate=0.25, report_to="none"))
    assert DistillationTrainer(bert(), bert(seed=1), args=args).args.learning_rate == 0.25
    with pytest.raises(TrainError) as error:
        DistillationTrainer(bert(), bert(seed=1), args=args, learning_rate=1e-3)
    assert error.value.code == "T022"


def test_no_teacher_at_all_is_an_error_when_training(tmp_path: Path) -> None:
    trainer = DistillationTrainer(bert(), train_dataset=rows(), **quiet(tmp_path))
    with pytest.raises(TrainError) as error:
        trainer.train()
    assert error.value.code == "T021"


def test_unusual_temperature_warns(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="usual 1 to 4"):
        DistillationTrainer(bert(), bert(seed=1), temperature=9.0, **quiet(tmp_path))


TOKENS = {"embedding": 0.5, "hidden": 1.0, "attention": 0.5, "relations": 1.0}


def token_rows(teacher: Any, folder: Path, half: bool) -> TokenDataset:
    """Rows with every state and output of the teacher, from the cache."""
    from potstill.distil.teacher.cache import Keeping, teacher_outputs

    ids = [np.array(row["input_ids"], dtype=np.int32) for row in rows()]
    keeping = Keeping(folder, half=half, shard_rows=10)
    taught = teacher_outputs(teacher, "w", TokenRows(ids), keeping, precision="fp32", places=range(4))
    states = {f"teacher_state_{place}": column for place, column in taught.states.items()}
    return TokenDataset(
        TokenRows(ids), [0, 1] * 12, {"teacher_logits": taught.logits, "teacher_pooled": taught.pooled, **states}
    )


def token_curve(folder: Path, dataset: Any, teacher: Any, **changes: Any) -> list[dict[str, float]]:
    trainer = DistillationTrainer(
        bert(hidden=12, layers=2, seed=4),
        teacher,
        pooled_cosine=0.5,
        **TOKENS,
        train_dataset=dataset,
        **quiet(folder, num_train_epochs=4, learning_rate=2e-3, logging_steps=1, **changes),
    )
    trainer.train()
    return [entry for entry in trainer.state.log_history if "loss_hidden" in entry]


@pytest.mark.parametrize(("half", "tolerance"), [(False, 1e-4), (True, 5e-3)])
def test_the_cache_gives_the_loss_curve_of_the_live_teacher(
    tmp_path: Path, tiny_teacher: Path, half: bool, tolerance: float
) -> None:
    teacher = load_classifier(tiny_teacher)
    seen: list[int] = []
    teacher.register_forward_pre_hook(lambda _, given, named: seen.append(1), with_kwargs=True)
    cached = token_rows(teacher, tmp_path, half)
    passes = len(seen)
    from_cache = token_curve(tmp_path / "cached", cached, teacher)
    assert len(seen) == passes, "no forward pass of the teacher while training"
    live = token_curve(tmp_path / "live", TokenDataset(cached.rows, [0, 1] * 12), teacher)
    assert len(seen) > passes + 12
    names = {"loss", "loss_hard", "loss_soft", "loss_pooled_cosine", *(f"loss_{name}" for name in TOKENS)}
    assert names <= set(live[0]) and len(live) == 12
    for name in names:
        ours, theirs = ([entry[name] for entry in curve] for curve in (from_cache, live))
        # Logged figures are rounded to four places.
        np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=2e-4)
    assert live[-1]["loss_hidden"] < live[0]["loss_hidden"]


def test_learned_maps_move_and_stay_out_of_the_student(tmp_path: Path, tiny_teacher: Path) -> None:
    student = bert(hidden=12, layers=2, seed=4)
    trainer = DistillationTrainer(
        student,
        str(tiny_teacher),
        hidden=1.0,
        embedding=1.0,
        train_dataset=rows(),
        **quiet(tmp_path, num_train_epochs=1, learning_rate=1e-2, save_strategy="epoch"),
    )
    assert trainer.tokens is not None
    before = {name: weight.detach().clone() for name, weight in trainer.tokens.named_parameters()}
    trainer.train()
    after = dict(trainer.tokens.named_parameters())
    assert len(before) == 2 and not any(after[name].equal(before[name]) for name in before)
    assert not any("map" in name for name in student.state_dict())
    trainer.save_model(str(tmp_path / "saved"))
    assert [path.name for path in tmp_path.rglob("distil_maps.safetensors")] == ["distil_maps.safetensors"]
    assert (tmp_path / "checkpoint-3" / "distil_maps.safetensors").is_file()
    assert not (tmp_path / "saved" / "distil_maps.safetensors").exists()
    load_classifier(tmp_path / "saved")


def test_learned_maps_survive_a_resume_bit_for_bit(tmp_path: Path, tiny_teacher: Path) -> None:
    found = []
    for stop in (None, 5):
        folder = tmp_path / str(stop)
        for attempt in range(1 if stop is None else 2):
            trainer = DistillationTrainer(
                bert(hidden=12, layers=2, seed=4),
                str(tiny_teacher),
                **TOKENS,
                train_dataset=rows(),
                **quiet(folder, num_train_epochs=3, learning_rate=1e-3, save_strategy="steps", save_steps=4),
            )
            if stop is not None and attempt == 0:
                stop_at(trainer, stop)
                with pytest.raises(KeyboardInterrupt):
                    trainer.train()
            else:
                trainer.train(resume_from_checkpoint=attempt == 1)
        assert trainer.tokens is not None
        found.append({**trainer.model.state_dict(), **trainer.tokens.state_dict()})
    assert any("maps" in name for name in found[0])
    assert all(found[0][name].equal(found[1][name]) for name in found[0])


def stop_at(trainer: DistillationTrainer, step: int) -> None:
    from transformers import TrainerCallback

    class Stop(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            if state.global_step == step:
                raise KeyboardInterrupt

    trainer.add_callback(Stop())


def test_accumulated_steps_train_the_maps_as_one_larger_batch(tmp_path: Path, tiny_teacher: Path) -> None:
    weights = []
    for batch, steps in ((8, 1), (2, 4)):
        trainer = DistillationTrainer(
            bert(hidden=12, layers=2, seed=4),
            str(tiny_teacher),
            alpha=0.0,
            hidden=1.0,
            train_dataset=rows(16),
            group_lengths=False,
            **quiet(
                tmp_path,
                optim="sgd",
                learning_rate=0.1,
                num_train_epochs=1,
                per_device_train_batch_size=batch,
                gradient_accumulation_steps=steps,
                train_sampling_strategy="sequential",
            ),
        )
        trainer.model.config.hidden_dropout_prob = 0.0
        for module in trainer.model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
        trainer.train()
        assert trainer.tokens is not None
        weights.append(trainer.tokens.maps["hidden"].weight.detach().clone())
    torch.testing.assert_close(weights[0], weights[1], rtol=1e-4, atol=1e-6)


def test_token_losses_need_a_teacher_and_a_shape(tmp_path: Path, tiny_teacher: Path) -> None:
    with pytest.raises(TrainError) as error:
        DistillationTrainer(bert(), hidden=1.0, **quiet(tmp_path))
    assert error.value.code == "T094"
    from transformers import DistilBertConfig, DistilBertForSequenceClassification

    other = DistilBertForSequenceClassification(
        DistilBertConfig(vocab_size=VOCABULARY, dim=16, n_layers=1, n_heads=2, hidden_dim=16)
    )
    with pytest.raises(TrainError) as error:
        DistillationTrainer(other, str(tiny_teacher), relations=1.0, **quiet(tmp_path))
    assert error.value.code == "T090"


def test_a_teacher_may_be_shown_other_ids(tmp_path: Path, tiny_teacher: Path) -> None:
    """A student of another vocabulary: logits work with rows of any length, tokens need equal ones."""
    teacher, student = load_classifier(tiny_teacher), bert(vocabulary=30).eval()
    theirs = rows(8)
    same = [{**row, "teacher_input_ids": row["input_ids"], "input_ids": [29] * len(row["input_ids"])} for row in theirs]
    longer = [{**row, "input_ids": [28, 29] * 9, "attention_mask": [1] * 18} for row in same]
    for given in (same, longer):
        trainer = DistillationTrainer(student, teacher, alpha=0.0, train_dataset=given, **quiet(tmp_path))
        batch = Collator()(given)
        plain = Collator()(theirs)
        taught = teacher(plain["input_ids"], plain["attention_mask"]).logits
        ours = student(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
        soft = F.kl_div(F.log_softmax(ours / 2, -1), F.softmax(taught / 2, -1), reduction="batchmean")
        torch.testing.assert_close(trainer.compute_loss(student, batch), 4 * soft)
    trainer = DistillationTrainer(student, teacher, hidden=1.0, train_dataset=longer, **quiet(tmp_path))
    with pytest.raises(TrainError) as error:
        trainer.compute_loss(student, Collator()(longer))
    assert error.value.code == "T091"
    trainer = DistillationTrainer(student, teacher, hidden=1.0, train_dataset=same, **quiet(tmp_path))
    assert torch.isfinite(trainer.compute_loss(student, Collator()(same)))


def train_in_processes(folder: Path, batch: int) -> tuple[int, dict[str, torch.Tensor]]:
    """Two epochs of a student without dropout in this process or as one of several; steps, weights and maps."""
    student = bert()
    for module in student.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    trainer = DistillationTrainer(
        student,
        bert(hidden=24, seed=1),
        train_dataset=rows(),
        pooled_cosine=1.0,
        hidden=1.0,
        relations=1.0,
        **quiet(
            folder,
            num_train_epochs=2,
            learning_rate=0.05,
            optim="sgd",
            ddp_backend="gloo" if "WORLD_SIZE" in os.environ else None,
            per_device_train_batch_size=batch,
        ),
    )
    steps = trainer.train().global_step
    assert trainer.tokens is not None
    weights = {**trainer.model.state_dict(), **trainer.tokens.state_dict()}
    return steps, {name: tensor.detach().clone() for name, tensor in weights.items()}


RANK = """
import os, sys
from pathlib import Path
import torch
sys.path.insert(0, sys.argv[1])
from test_trainer import train_in_processes
out = Path(sys.argv[2])
torch.save(train_in_processes(out, 4), out / f"rank{os.environ['RANK']}.pt")
"""


def test_two_processes_take_the_steps_of_one(tmp_path: Path) -> None:
    """Two gloo processes, as torchrun starts them, end with the same student: that of one with twice the batch."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    started = []
    for rank in ("0", "1"):
        variables = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}
        variables |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
        words = [str(Path(__file__).parent), str(tmp_path)]
        started.append(WarmProcess(RANK, words, tmp_path / f"printed{rank}", variables))
    for process in started:
        _, errors = process.communicate(timeout=240)
        assert process.returncode == 0, errors[-3000:]
    (steps, first), (_, second) = (torch.load(tmp_path / f"rank{rank}.pt") for rank in range(2))
    alone_steps, alone = train_in_processes(tmp_path, 8)
    assert steps == alone_steps == 6
    assert all(first[name].equal(second[name]) for name in first)
    assert not first["classifier.weight"].equal(bert().classifier.weight)
    for name in ("classifier.weight", "maps.hidden.weight", "bert.encoder.layer.0.attention.self.query.weight"):
        torch.testing.assert_close(first[name], alone[name], rtol=1e-4, atol=1e-5)
