"""Graphs that do more with token ids or with the length than most: each is right on every text it accepts, or refused
with its cause. The texts are swept over ids, places, counts and lengths up to the limit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

import text_graphs as t
from onnx_graphs import VOCABULARY
from potstill.compile import CompileReport, compile_onnx
from potstill.compile.ids import Piece
from potstill.compile.import_onnx import import_onnx
from potstill.errors import CompileError, InputError
from potstill.runtime.backends.native import NativeBackend
from potstill.runtime.rows import TokenRows

PAD, UNK, EOS, SEP, MASK = range(5)


def texts(limit: int) -> Iterator[list[int]]:
    """Plain ids with each special one at the start, in the middle, at the end and several times, at several lengths."""
    random = np.random.default_rng(1)
    for length in sorted({1, 2, 3, 7, 8, limit // 2, limit - 1, limit}):
        plain = random.integers(5, VOCABULARY, length).tolist()
        yield plain
        yield sorted(plain)
        yield sorted(plain, reverse=True)
        for special in (PAD, UNK, EOS, SEP, MASK, VOCABULARY - 1):
            for places in (
                (0,),
                (length // 2,),
                (length - 1,),
                (0, length - 1),
                (length // 3, length // 2, length - 1),
            ):
                yield [special if i in places else value for i, value in enumerate(plain)]


def wrong(onnx: Path, report: CompileReport) -> list[list[int]]:
    """The texts that the core answers otherwise than onnxruntime; those with forbidden ids it must refuse."""
    session = onnxruntime.InferenceSession(onnx, providers=["CPUExecutionProvider"])
    core = NativeBackend(onnx.with_suffix(".still"), 1)
    found = []
    for ids in texts(report.max_tokens):
        if set(ids) & set(report.forbidden_ids):
            with pytest.raises(InputError):
                core.run(TokenRows([ids]))
            continue
        wanted = session.run(["logits"], {"input_ids": [ids], "attention_mask": [[1] * len(ids)]})[0]
        if not np.abs(np.asarray(core.run(TokenRows([ids])).logits) - wanted).max() <= 1e-3 * np.abs(wanted).max():
            found.append(ids)
    return found


def compiled(onnx: Path, **options: Any) -> CompileReport:
    return compile_onnx(onnx, onnx.with_suffix(".still"), scheme="fp32", **options)


# What the constant is for, and the ids that may then not occur.
UNDERSTOOD: dict[str, tuple[dict[str, Any], list[int]]] = {
    "positions count what is no padding": ({"positions": t.positions_without(UNK)}, [UNK]),
    "positions beside a computed table": ({"positions": t.positions_without(UNK), "table": t.cast_table}, [UNK]),
    "padding is masked by its id": ({"scores": t.scores_without(PAD)}, [PAD]),
    "the mean leaves padding out": ({"pool": t.mean_without(PAD)}, [PAD]),
    "a mask token": ({"types": t.mask_token(MASK)}, [MASK]),
    "a test by arithmetic": ({"types": t.by_arithmetic(EOS)}, [EOS]),
    "a bound": ({"types": t.below(2)}, [PAD, UNK]),
    "places end at a bound": ({"positions": t.last_position(20), "rows": 21}, []),
    "a slice that never cuts": ({"pool": t.first_tokens(99)}, []),
    "a window wider than any text": ({"scores": t.window(63)}, []),
    "a branch beyond the longest text": ({"head": t.branch_on_length(64)}, []),
}


@pytest.mark.parametrize("case", UNDERSTOOD)
def test_right_on_every_text(tmp_path: Path, case: str) -> None:
    options, forbidden = UNDERSTOOD[case]
    onnx = t.model(tmp_path / "m.onnx", **options)
    report = compiled(onnx, max_tokens=60)
    assert report.forbidden_ids == forbidden
    assert report.notes == [f"the id {i} marks padding and must not occur inside a sequence" for i in forbidden]
    assert wrong(onnx, report) == []


REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "pooling at EOS": ({"pool": t.pool_at(EOS)}, "C102", "pools at the id 2"),
    "the sum over EOS": ({"pool": t.pool_at_last(EOS)}, "C102", "pools at the id 2"),
    "the weighted sum over EOS": ({"pool": t.pool_by_weight(EOS)}, "C102", "pools at the id 2"),
    "NonZero": ({"pool": t.pool_where(EOS)}, "C102", "runs only on texts with the id 2"),
    "CLIP": ({"pool": t.pool_at_the_largest}, "C102", "pooling at the largest id"),
    "types from separators": ({"types": t.types_after(SEP)}, "C102", "counts the id 3"),
    "many ids": ({"types": t.below(30)}, "C102", "more with the token ids"),
    "parity": ({"types": t.parity}, "C102", "more with the token ids"),
    "the sum of ids": ({"types": t.sum_of_ids}, "C102", "more with the token ids"),
    "one-hot": ({"types": t.one_hot}, "C102", "more with the token ids"),
    "several ids at once": ({"types": t.several(EOS, SEP)}, "C102", "more with the token ids"),
    "different ids": ({"head": t.doubled_if(t.different_ids(5))}, "C102", "the size of what Unique gives"),
    "how many of an id": ({"head": t.doubled_if(t.without_id(9))}, "C102", "the size of what NonZero gives"),
    "neighbours": ({"types": t.repeats}, "C102", "more with the token ids"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_uses_of_ids_that_are_refused(tmp_path: Path, case: str) -> None:
    options, code, cause = REFUSED[case]
    with pytest.raises(CompileError, match=code) as caught:
        compiled(t.model(tmp_path / "m.onnx", **options))
    assert cause in caught.value.what and caught.value.next_step
    assert not (tmp_path / "m.still").exists()


# The constant is an id that texts contain: what is right without a tokenizer is of no use with one.
@pytest.mark.parametrize(
    ("options", "cause"),
    [
        ({"types": t.mask_token(MASK)}, "treats the id 4 ('[MASK]') as a special case"),
        ({"pool": t.mean_without(SEP)}, "treats the id 3 ('[SEP]') as a special case"),
        ({"types": t.types_after(SEP)}, "counts the id 3 ('[SEP]')"),
        ({"pool": t.pool_at(SEP)}, "pools at the id 3 ('[SEP]')"),
        ({"positions": t.positions_without(UNK)}, "treats the id 1 ('[UNK]') as a special case"),
    ],
)
def test_ids_that_texts_contain(tmp_path: Path, options: dict[str, Any], cause: str) -> None:
    piece: Piece = {UNK: "[UNK]", SEP: "[SEP]", MASK: "[MASK]"}.get
    with pytest.raises(CompileError, match="C102") as caught:
        import_onnx(t.model(tmp_path / "m.onnx", **options), piece=piece)
    assert cause in caught.value.what
    # The padding of the same tokenizer is none of them.
    padded = t.model(tmp_path / "n.onnx", pool=t.mean_without(PAD))
    assert import_onnx(padded, piece=piece).graph.forbidden_ids == (PAD,)


def test_which_pieces_texts_contain() -> None:
    from potstill.compile.tokenizers import tables_from_json

    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "##ly", "[unused1]", "!", "é"]
    content = {
        "model": {
            "type": "WordPiece", "vocab": {piece: i for i, piece in enumerate(pieces)}, "unk_token": "[UNK]",
            "continuing_subword_prefix": "##", "max_input_chars_per_word": 100,
        },
        "normalizer": {
            "type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None,
            "lowercase": True,
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]},
        "added_tokens": [
            {"id": i, "content": pieces[i], "special": True, "single_word": False, "lstrip": False, "rstrip": False,
             "normalized": False} for i in range(5)
        ],
    }  # fmt: skip
    tables = tables_from_json(content, where="here", pad_token="[PAD]")
    assert [tables.piece_in_text(i) for i in range(11)] == [
        None, "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "##ly", None, "!", "é", None,
    ]  # fmt: skip


# Beyond which length a model is another one, and how far it is the one that was read.
LENGTHS: dict[str, tuple[dict[str, Any], int]] = {
    "window": ({"scores": t.window(40)}, 41),
    "slice": ({"pool": t.first_tokens(20)}, 20),
    "branch": ({"head": t.branch_on_length(20)}, 20),
    "one length": ({"head": t.branch_on_length(31, "Equal")}, 30),
    "capped scale": ({"scores": t.log_scale(40, capped=True)}, 40),
    "remainder": ({"head": t.doubled_if(t.remainder(100, 64))}, 27),
    "between fractions": ({"head": t.doubled_if(t.between(36.5, 38.5))}, 36),
    "stored scale": ({"head": t.scale_by_table(47)}, 46),
    "stored mask": ({"scores": t.stored_mask(22, 3)}, 22),
}


@pytest.mark.parametrize("case", LENGTHS)
def test_what_changes_with_the_length_is_refused_with_a_limit_that_works(tmp_path: Path, case: str) -> None:
    options, agrees = LENGTHS[case]
    onnx = t.model(tmp_path / "m.onnx", **options)
    with pytest.raises(CompileError, match="C104") as caught:
        compiled(onnx)
    assert f"--max-tokens {agrees};" in caught.value.next_step
    report = compiled(onnx, max_tokens=agrees)
    assert report.max_tokens == agrees and wrong(onnx, report) == []


@pytest.mark.parametrize("options", [{"scores": t.log_scale(512)}, {"head": t.branch_on_length(3, "Less")}])
def test_what_differs_for_short_texts_already(tmp_path: Path, options: dict[str, Any]) -> None:
    with pytest.raises(CompileError, match="C104") as caught:
        compiled(t.model(tmp_path / "m.onnx", **options))
    assert "onnxruntime" in caught.value.next_step


def test_a_wide_window_in_a_long_file(tmp_path: Path) -> None:
    onnx = t.model(tmp_path / "m.onnx", rows=420, scores=t.window(150))
    with pytest.raises(CompileError, match="C104"):
        compiled(onnx)
    assert compiled(onnx, max_tokens=151).differences[-1]["tokens"] == 151


def test_only_numbers_that_lengths_meet_are_lengths_to_check(tmp_path: Path) -> None:
    """Widths of heads and layers, of which a graph is full, cost no runs."""
    from onnx_graphs import encoder
    from potstill.compile.lengths import lengths_around

    plain = import_onnx(encoder(tmp_path / "m.onnx", qkv="interleaved"))
    assert lengths_around(plain.onnx, 24) == [1, 2, 3]
    window = import_onnx(t.model(tmp_path / "n.onnx", scores=t.window(40)))
    assert {39, 40, 41, 42} <= set(lengths_around(window.onnx, 64))


@pytest.mark.parametrize(
    "options", [{"types": t.mask_token(MASK)}, {"pool": t.mean_without(SEP)}, {"positions": t.positions_without(UNK)}]
)
def test_the_self_check_tries_the_ids_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]
) -> None:
    """Were a use of an id overlooked, texts with that id would show it."""
    monkeypatch.setattr("potstill.compile.import_onnx.forbidden_ids", lambda *_: ())
    with pytest.raises(CompileError, match="C102") as caught:
        compiled(t.model(tmp_path / "m.onnx", **options))
    assert "for texts with the id" in caught.value.what


def test_constants_of_a_plain_model_are_steady_at_every_length(tmp_path: Path) -> None:
    """No length more is compared for the models that most people have, masks and positions of RoBERTa among them."""
    from potstill.compile.steady import odd_lengths

    for options in ({}, {"positions": t.positions_without(UNK), "pool": t.mean_without(PAD)}):
        found = import_onnx(t.model(tmp_path / "m.onnx", **options))
        assert odd_lengths(found.onnx, found.outputs.values(), found.graph.max_tokens) == []
    table = import_onnx(t.model(tmp_path / "m.onnx", head=t.scale_by_table(47)))
    assert odd_lengths(table.onnx, table.outputs.values(), 64) == [46, 47]


@pytest.mark.parametrize(
    "options", [{"inner": t.noise}, {"inner": t.noise_like}, {"head": t.rarely}, {"inner": t.dropout(0.1)}]
)
def test_models_that_draw_random_numbers_are_refused(tmp_path: Path, options: dict[str, Any]) -> None:
    with pytest.raises(CompileError, match="C170") as caught:
        compiled(t.model(tmp_path / "m.onnx", **options))
    assert "eval()" in caught.value.next_step


@pytest.mark.parametrize("step", [t.dropout(0.0), t.dropout(0.5, training=False)])
def test_a_dropout_that_drops_nothing_is_none(tmp_path: Path, step: t.Step) -> None:
    onnx = t.model(tmp_path / "m.onnx", inner=step)
    assert wrong(onnx, compiled(onnx, max_tokens=9)) == []


def test_clipped_scores_are_no_scale(tmp_path: Path) -> None:
    """Clipped far beyond what random texts reach."""
    onnx = t.model(tmp_path / "m.onnx", scores=lambda b, x: b.op("Clip", x, b.const(-60.0), b.const(60.0)))
    with pytest.raises(CompileError, match="C012"):
        compiled(onnx)


@pytest.mark.parametrize("kind", ["Sigmoid", "LogSoftmax"])
def test_probabilities_are_no_logits(tmp_path: Path, kind: str) -> None:
    with pytest.raises(CompileError, match="C018"):
        compiled(t.model(tmp_path / "m.onnx", head=lambda b, x: b.op(kind, x)))


PAIRS: dict[str, tuple[dict[str, Any], str]] = {
    "one size of the second text": ({"head": t.doubled_if(t.of_types(23))}, "C171"),
    "a long second text": ({"head": t.doubled_if(t.more_in_the_second)}, "C171"),
    "attention within texts": ({"scores": t.within_segments}, "C171"),
    "one length of single texts": ({"head": t.doubled_if(t.single_of(37))}, "C104"),
}


@pytest.mark.parametrize("case", PAIRS)
def test_uses_of_token_types_that_are_refused(tmp_path: Path, case: str) -> None:
    options, code = PAIRS[case]
    onnx = t.model(tmp_path / "m.onnx", pairs=True, **options)
    with pytest.raises(CompileError, match=code) as caught:
        compiled(onnx, pairs=True)
    assert caught.value.next_step
    if code == "C171":
        assert "single texts" in caught.value.next_step
        assert compiled(onnx).forbidden_ids == []


@pytest.mark.parametrize("length", [7, 11])
def test_steady_constants_of_a_fixed_length(tmp_path: Path, length: int) -> None:
    from onnx_graphs import encoder

    onnx = encoder(tmp_path / "m.onnx", shape=[1, length])
    assert compiled(onnx, max_tokens=length).max_tokens == length


def test_an_id_at_one_place_of_a_fixed_length(tmp_path: Path) -> None:
    onnx = t.model(tmp_path / "m.onnx", types=t.id_at(11, 50, 12), fixed=12)
    with pytest.raises(CompileError, match="C102") as caught:
        compiled(onnx, max_tokens=12)
    assert "more with the token ids" in caught.value.what
