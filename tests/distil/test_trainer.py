"""`DistillationTrainer`: the article's call, its loss, its errors, resuming, several processes."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F
from transformers import BertConfig, BertForSequenceClassification, TrainingArguments

from potstill.distil import DistillationTrainer
from potstill.distil.evaluate import outputs
from potstill.distil.modeling import load_classifier
from potstill.distil.tokens import Collator, TokenDataset
from potstill.errors import TrainError

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
    taught = outputs(teacher, ids)
    cached = TokenDataset(ids, [0, 1] * 12, {"teacher_logits": taught.logits, "teacher_pooled": taught.pooled})
    live = TokenDataset(ids, [0, 1] * 12)
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
    dataset = TokenDataset(ids)
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
    dataset = TokenDataset([np.array(row["input_ids"]) for row in rows()], [0] * 24, {"teacher_logits": taught})
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


def test_two_processes(tmp_path: Path) -> None:
    """Two gloo processes under torchrun end with the same student, which has moved."""
    script = tmp_path / "job.py"
    script.write_text(
        textwrap.dedent(
            """
            import os, sys
            from pathlib import Path
            import torch
            sys.path.insert(0, sys.argv[1])
            from test_trainer import bert, quiet, rows
            from potstill.distil import DistillationTrainer
            out = Path(sys.argv[2])
            student = bert()
            trainer = DistillationTrainer(
                student, bert(hidden=24, seed=1), train_dataset=rows(), pooled_cosine=1.0,
                **quiet(out, num_train_epochs=1, learning_rate=1e-2, ddp_backend="gloo", per_device_train_batch_size=4),
            )
            steps = trainer.train().global_step
            weights = {name: tensor.detach() for name, tensor in trainer.model.state_dict().items()}
            torch.save((steps, weights), out / f"rank{os.environ['RANK']}.pt")
            """
        ),
        encoding="utf-8",
    )
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node=2", "--master_port=0"]
    command += [
        "--rdzv-backend=c10d",
        "--rdzv-endpoint=localhost:0",
        str(script),
        str(Path(__file__).parent),
        str(tmp_path),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    (steps, first), (_, second) = (torch.load(tmp_path / f"rank{rank}.pt") for rank in range(2))
    assert steps == 3
    assert all(first[name].equal(second[name]) for name in first)
    assert not first["classifier.weight"].equal(bert().classifier.weight)
