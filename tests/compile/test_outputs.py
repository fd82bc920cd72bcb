"""Which output of an ONNX is taken: said where one is left out, chosen by the user, refused where it is ambiguous."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest
from onnx import TensorProto

from onnx_graphs import WIDTH, Builder, attend, embed, linear, linear2, norm, pool
from potstill.cli import main
from potstill.compile import CompileReport, compile_onnx
from potstill.errors import CompileError


def model(path: Path, *outputs: str, shape: list[Any] | None = None) -> Path:
    """One layer of attention with any of the outputs: `tokens`, `pooled`, `pooler`, `head:N`, `tags`; NAME=KIND."""
    b = Builder()
    x = norm(b, embed(b, "input_ids", None, "slice"))
    x = norm(b, b.op("Add", linear(b, attend(b, x, "attention_mask"), WIDTH, WIDTH), x))
    pooled = pool(b, x, "attention_mask", "cls")
    made = {
        "tokens": x,
        "pooled": pooled,
        "pooler": b.op("Tanh", linear2(b, pooled, WIDTH, WIDTH)),
        "tags": linear(b, x, WIDTH, 5),
        "head:2": linear2(b, pooled, WIDTH, 2),
        "head:4": linear2(b, pooled, WIDTH, 4),
    }
    pairs = [item.split("=") for item in outputs]
    options: dict[str, Any] = {} if shape is None else {"shape": shape}
    inputs = {"input_ids": TensorProto.INT64, "attention_mask": TensorProto.INT64}
    options["ranks"] = {name: 3 for name, kind in pairs if kind in ("tokens", "tags")}
    return b.save(path, {name: made[kind] for name, kind in pairs}, inputs, **options)


def compiled(onnx: Path, **options: Any) -> CompileReport:
    return compile_onnx(onnx, onnx.with_suffix(".still"), scheme="fp32", **options)


def roles(report: CompileReport) -> set[str]:
    return {row["output"] for row in report.differences}


def test_what_is_left_out_is_said(tmp_path: Path) -> None:
    onnx = model(tmp_path / "m.onnx", "last_hidden_state=tokens", "pooler_output=pooler")
    report = compiled(onnx)
    assert roles(report) == {"embedding"} and report.ops["Linear"] == 3
    (note,) = report.notes
    assert "taken: the output 'pooler_output'; left out: 'last_hidden_state'" in note
    assert "--output last_hidden_state --pooling mean" in note
    other = compiled(onnx, output="last_hidden_state", pooling="mean")
    assert other.ops["Pool"] == 1 and other.ops["Linear"] == 2 and "left out: 'pooler_output'" in other.notes[0]


def test_nothing_to_say_of_logits_and_their_embedding(tmp_path: Path) -> None:
    assert compiled(model(tmp_path / "m.onnx", "logits=head:2", "embedding=pooled")).notes == []


@pytest.mark.parametrize(
    "outputs",
    [
        ("intent=head:2", "mood=head:4"),  # names that tell nothing, neither made from the other
        ("intent_logits=head:2", "mood_logits=head:4"),
        ("logits=head:2", "mood=head:4"),
        ("intent_logits=head:2", "slot_logits=tags"),
        ("slot_logits=tags", "sentence_embedding=pooled"),
        ("a_logits=tags", "b_logits=tags"),
        ("sentence_embedding=pooled", "pooler_output=pooler"),
        ("a=head:2", "b=pooled", "c=head:4"),
    ],
)
def test_two_candidates_are_refused_and_each_can_be_chosen(tmp_path: Path, outputs: tuple[str, ...]) -> None:
    onnx = model(tmp_path / "m.onnx", *outputs)
    with pytest.raises(CompileError, match="C017") as caught:
        compiled(onnx)
    for name in (item.split("=")[0] for item in outputs):
        assert f"--output {name}" in caught.value.next_step
        report = compiled(onnx, output=name)
        assert repr(name) in report.notes[0]


def test_a_single_name_that_tells_nothing_is_explained(tmp_path: Path) -> None:
    assert "taken as the logits" in compiled(model(tmp_path / "m.onnx", "y=head:2")).notes[0]
    assert "taken as the pooled vector" in compiled(model(tmp_path / "n.onnx", "y=pooler")).notes[0]


@pytest.mark.parametrize(
    ("outputs", "options", "code", "step"),
    [
        (("last_hidden_state=tokens",), {}, "C016", "--pooling mean"),
        (("y=tags",), {}, "C016", "--output y"),
        (("y=tags", "z=tokens"), {}, "C016", "--output y --pooling mean"),
        (("y=tags", "z=tokens"), {"pooling": "mean"}, "C017", "--output z --pooling mean"),
        (("last_hidden_state=tokens",), {"output": "last_hidden_state"}, "C016", "--pooling"),
        (("logits=head:2",), {"output": "logits", "pooling": "cls"}, "C016", "leave --pooling out"),
        (("logits=head:2",), {"pooling": "cls"}, "C016", "leave --pooling out"),
        (("logits=head:2",), {"output": "logit"}, "C100", "its outputs are: logits"),
    ],
)
def test_advice(tmp_path: Path, outputs: tuple[str, ...], options: dict[str, Any], code: str, step: str) -> None:
    with pytest.raises(CompileError, match=code) as caught:
        compiled(model(tmp_path / "m.onnx", *outputs), **options)
    assert step in caught.value.next_step


def test_a_tagger_whose_output_is_named_otherwise(tmp_path: Path) -> None:
    report = compiled(model(tmp_path / "m.onnx", "y=tags"), output="y")
    assert report.labels == [f"LABEL_{i}" for i in range(5)] and "Pool" not in report.ops


def test_a_fixed_length_needs_the_users_word(tmp_path: Path) -> None:
    onnx = model(tmp_path / "m.onnx", "logits=head:2", shape=[1, 6])
    for options in ({}, {"max_tokens": 7}):
        with pytest.raises(CompileError, match="C101") as caught:
            compiled(onnx, **options)
        assert "--max-tokens 6" in caught.value.next_step and "fixed to 6 tokens" in caught.value.what
    assert compiled(onnx, max_tokens=6).max_tokens == 6
    assert compiled(onnx, max_tokens=5).max_tokens == 5


def test_a_fixed_length_without_a_mask_reads_no_shorter_text(tmp_path: Path) -> None:
    b = Builder()
    x = norm(b, embed(b, "input_ids", None, "slice"))
    logits = linear2(b, pool(b, x, "", "plain_mean"), WIDTH, 2)
    b.save(tmp_path / "m.onnx", {"logits": logits}, {"input_ids": TensorProto.INT64}, shape=[1, 6])
    with pytest.raises(CompileError, match="C101") as caught:
        compiled(tmp_path / "m.onnx", max_tokens=6)
    assert "no attention mask" in caught.value.what


def test_the_command_has_the_choices_and_prints_the_notes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    onnx = model(tmp_path / "m.onnx", "last_hidden_state=tokens", "pooler_output=pooler")
    line = f"compile {onnx} -o {tmp_path / 'm.still'} --output last_hidden_state --pooling cls --max-tokens 9"
    assert main(shlex.split(line)) == 0
    assert "note: taken: the output 'last_hidden_state'" in capsys.readouterr().out
