"""Who computes something else is put out."""

from __future__ import annotations

import math
from typing import Any

import pytest

from potstill.bench.engine import Peer
from potstill.bench.race import Contender
from potstill.compare.agreement import agreement, check


def contender(engine: str, precision: str, logits: Any) -> Contender:
    made = Contender(Peer(engine, precision, "onnx", "onnxruntime"))
    made.logits = {"case": logits} if logits else {}
    return made


def test_agreement() -> None:
    found = agreement({"a": [[1.0, 2.0], [3.0, 0.0]], "b": [[9.0, 9.0]]}, {"a": [[2.0, 1.0], [4.0, 0.0]]})
    assert found["label_agreement"] == 0.5
    assert found["max_abs_difference"] == 1.0
    assert found["relative_difference"] == pytest.approx(math.sqrt(3 / 21))
    nan = agreement({"a": [[math.nan, 2.0]]}, {"a": [[2.0, 1.0]]})
    assert math.isnan(nan["max_abs_difference"])
    assert math.isnan(nan["relative_difference"])


def test_who_differs_is_dropped() -> None:
    right = [[1.0, -1.0], [-2.0, 2.0]]
    everyone = [
        contender("PyTorch", "fp32", [[1.1, -1.0], [-2.0, 2.0]]),
        contender("onnxruntime", "fp32", right),
        contender("LiteRT", "int8", [[1.1, -1.0], [-2.0, 2.0]]),
        contender("OpenVINO", "int8", [[-1.0, 1.0], [2.0, -2.0]]),
        contender("CTranslate2", "fp32", [[math.nan, -1.0], [-2.0, 2.0]]),
        contender("ExecuTorch", "fp32", None),
    ]
    check(everyone)
    assert [bool(entry.reason) for entry in everyone] == [True, False, False, True, True, False]
    assert "not those of onnxruntime fp32" in everyone[0].reason
    assert everyone[2].facts["label_agreement"] == 1.0
    assert everyone[2].facts["reference"] == "onnxruntime fp32"
    assert everyone[5].facts == {}


def test_the_reference_without_onnxruntime() -> None:
    everyone = [contender("LiteRT", "int8", [[1.0, 0.0]]), contender("Potstill", "fp32", [[1.0, 0.1]])]
    check(everyone)
    assert everyone[0].facts["reference"] == "Potstill fp32"
    alone = [contender("Potstill", "int8", [[1.0, 0.0]])]
    check(alone)
    assert alone[0].facts["reference"] == "Potstill int8"
