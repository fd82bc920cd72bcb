"""The public runtime on a tiny model: results, limits, threads, buffers."""

from __future__ import annotations

import concurrent.futures
import math
import os
import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import potstill
from potstill import _core
from potstill.errors import CpuError, FormatError, InputError, SystemFailure
from tiny_still import LABELS, MAX_TOKENS, VOCABULARY, WIDTH, write_model

IDS = [[2, 4, 5, 3], [2, 3], [2, *range(4, 14), 3], [7]]


def bits(matrix: object) -> bytes:
    return bytes(memoryview(matrix).cast("B"))  # type: ignore[arg-type]


def many(count: int) -> list[list[int]]:
    engine = random.Random(5)
    return [[engine.randrange(1, VOCABULARY) for _ in range(engine.randint(1, MAX_TOKENS))] for _ in range(count)]


def test_classify_gives_labels_and_probabilities(still: Path) -> None:
    model = potstill.load(still)
    texts = ["a b c", "Z?", "hello"]
    predictions = model.classify(texts)
    rows = model.logits(texts).tolist()
    assert len(predictions) == 3
    for prediction, row in zip(predictions, rows, strict=True):
        assert tuple(prediction.scores) == LABELS
        assert math.isclose(sum(prediction.scores.values()), 1, rel_tol=1e-12)
        assert prediction.label == LABELS[row.index(max(row))]
        assert prediction.score == max(prediction.scores.values())
        assert math.isclose(
            math.log(prediction.scores["good"] / prediction.scores["bad"]), row[2] - row[0], abs_tol=1e-9
        )
    assert model.classify([]) == []


def test_tokenize_follows_the_vocabulary(still: Path) -> None:
    model = potstill.load(still)
    assert model.tokenize(["a b", "B\u00e1", "\u4e2d"]) == [[2, 4, 5, 3], [2, 5, 30, 3], [2, 1, 3]]
    assert model.tokenize(["a \ud800"]) == model.tokenize(["a ?"])  # a lone surrogate is no text


def test_info(still: Path) -> None:
    info = potstill.load(still, threads=2).info
    assert info["labels"] == list(LABELS)
    assert (info["name"], info["scheme"], info["license"]) == ("tiny", "int8", "CC0-1.0")
    assert (info["max_tokens"], info["vocabulary"], info["hidden"]) == (MAX_TOKENS, VOCABULARY, WIDTH)
    assert info["bytes"] == still.stat().st_size
    assert info["provenance"] == {"recipe": "abc"}
    assert info["threads"] == 2
    assert info["isa"] in _core.kernel_sets()
    assert 0 < info["arena_bytes"] < 2 << 20


def test_results_are_buffers_of_float32(still: Path) -> None:
    model = potstill.load(still)
    logits, embedding = model.logits_from_ids(IDS), model.embed(["a b"])
    view = memoryview(logits)
    assert (view.format, view.shape, view.c_contiguous) == ("f", (4, 3), True)
    assert memoryview(embedding).shape == (1, WIDTH)
    assert logits.shape == (4, 3) and len(logits) == 4
    assert view.tolist() == logits.tolist()
    numpy = pytest.importorskip("numpy", reason="numpy is an optional consumer of the buffer protocol")
    array = numpy.asarray(logits)
    assert array.dtype == numpy.float32 and array.shape == (4, 3)
    assert memoryview(model.logits_from_ids([])).shape == (0, 3)


def test_numpy_ids_are_accepted(still: Path) -> None:
    numpy = pytest.importorskip("numpy", reason="numpy is an optional source of ids")
    model = potstill.load(still)
    wanted = bits(model.logits_from_ids([[2, 4, 3], [2, 5, 3]]))
    assert bits(model.logits_from_ids(numpy.array([[2, 4, 3], [2, 5, 3]], numpy.int64))) == wanted
    assert bits(model.logits_from_ids((numpy.array([2, 4, 3], numpy.int32), (2, 5, 3)))) == wanted


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_same_bits_for_any_threads_and_batch(still: Path, threads: int) -> None:
    batch = many(80)
    wanted = bits(potstill.load(still, threads=1).logits_from_ids(batch))
    model = potstill.load(still, threads=threads)
    assert bits(model.logits_from_ids(batch)) == wanted
    assert b"".join(bits(model.logits_from_ids([ids])) for ids in batch) == wanted


def test_same_bits_for_every_kernel_set(still: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = many(40)
    found = {}
    for name in _core.kernel_sets():
        monkeypatch.setenv("POTSTILL_ISA", name)
        model = potstill.load(still)
        assert model.info["isa"] == name
        found[name] = bits(model.logits_from_ids(batch))
    assert "reference" in found
    assert len(set(found.values())) == 1


def test_many_python_threads_at_once(still: Path) -> None:
    model = potstill.load(still, threads=2)
    batch = many(60)
    wanted = bits(model.logits_from_ids(batch))
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        assert {bits(result) for result in pool.map(model.logits_from_ids, [batch] * 24)} == {wanted}


def test_the_lock_of_python_is_free_while_the_core_works(still: Path) -> None:
    model = potstill.load(still, threads=1)
    batch = many(400)
    seen, stop = [0], threading.Event()

    def count() -> None:
        while not stop.is_set():
            seen[0] += 1
            time.sleep(0.0001)

    before = sys.getswitchinterval()
    other = threading.Thread(target=count, daemon=True)
    other.start()
    sys.setswitchinterval(1000)  # from here on this thread gives the lock away only where C++ code does
    try:
        for _ in range(1000):
            start = seen[0]
            model.logits_from_ids(batch)
            if seen[0] > start:
                break
        else:
            pytest.fail("the other thread never ran")
    finally:
        sys.setswitchinterval(before)
        stop.set()
        other.join()


def test_a_forked_child_answers(still: Path) -> None:
    code = (
        "import os, sys, warnings, potstill\n"
        "warnings.simplefilter('ignore')\n"
        "m = potstill.load(sys.argv[1], threads=2)\n"
        "batch = [[i % 40 for i in range(12)]] * 400\n"
        "want = bytes(memoryview(m.logits_from_ids(batch)).cast('B'))\n"
        "pid = os.fork()\n"
        "if pid == 0:\n"
        "    os._exit(0 if bytes(memoryview(m.logits_from_ids(batch)).cast('B')) == want else 1)\n"
        "sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))\n"
    )
    assert subprocess.run([sys.executable, "-c", code, str(still)], timeout=60, env=os.environ).returncode == 0


@pytest.mark.parametrize(
    ("ids", "code"),
    [
        ([[]], "I001"),
        ([[2] * (MAX_TOKENS + 1)], "I002"),
        ([[VOCABULARY]], "I003"),
        ([[-1]], "I003"),
        ([[2**70]], "I003"),
    ],
)
def test_bad_ids(still: Path, ids: list[list[int]], code: str) -> None:
    model = potstill.load(still)
    with pytest.raises(InputError) as caught:
        model.logits_from_ids([[2, 3], *ids])
    assert caught.value.code == code
    assert "sequence 1" in str(caught.value)
    assert str(caught.value).startswith(f"error[{code}]: ")


def test_ids_must_be_integers(still: Path) -> None:
    model = potstill.load(still)
    with pytest.raises(InputError, match="I007"):
        model.logits_from_ids([[1.5]])  # type: ignore[list-item]
    with pytest.raises(InputError, match="I007"):
        model.logits_from_ids(5)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["", " ", "\n\t", "\u3000", "\x00\x01"])
def test_empty_text(still: Path, text: str) -> None:
    for call in (potstill.load(still).classify, potstill.load(still).embed):
        with pytest.raises(InputError) as caught:
            call(["a", text])
        assert caught.value.code == "I001"
        assert "text 1" in caught.value.where


def test_long_text(still: Path) -> None:
    model = potstill.load(still)
    text = " ".join("abcdefghijklmnop")
    with pytest.raises(InputError) as caught:
        model.classify([text])
    assert caught.value.code == "I002"
    (ids,) = model.tokenize([text], truncate=True)
    assert len(ids) == MAX_TOKENS and ids[-1] == 3
    assert bits(model.logits([text], truncate=True)) == bits(model.logits_from_ids([ids]))


def test_texts_must_be_a_list_of_str(still: Path) -> None:
    model = potstill.load(still)
    for texts in ("a b", b"a", ["a", 5], ["a", None]):
        with pytest.raises(InputError) as caught:
            model.classify(texts)  # type: ignore[arg-type]
        assert caught.value.code == "I007"


def test_model_without_tokenizer_or_head(tmp_path: Path) -> None:
    plain = potstill.load(write_model(tmp_path / "plain.still", tokenizer=False))
    assert memoryview(plain.logits_from_ids([[2, 3]])).shape == (1, 3)
    encoder = potstill.load(write_model(tmp_path / "encoder.still", head=False))
    assert memoryview(encoder.embed(["a"])).shape == (1, WIDTH)
    for model, code in ((plain, "I005"), (encoder, "I008")):
        with pytest.raises(InputError) as caught:
            model.classify(["a"])
        assert caught.value.code == code


def test_damaged_files(still: Path, tmp_path: Path) -> None:
    good = still.read_bytes()
    bad = tmp_path / "bad.still"
    for size in range(0, len(good), max(64, len(good) // 64 // 64 * 64)):
        bad.write_bytes(good[:size])
        with pytest.raises(FormatError):
            potstill.load(bad)
    for place in random.Random(3).sample(range(len(good)), 100):
        bad.write_bytes(good[:place] + bytes([good[place] ^ 0x10]) + good[place + 1 :])
        with pytest.raises(FormatError) as caught:
            potstill.load(bad)
        assert str(bad) in caught.value.where
    assert _core.Model.from_bytes(good).info()["name"] == "tiny"
    with pytest.raises(FormatError):
        _core.Model.from_bytes(good[:-1])


def test_file_errors(tmp_path: Path) -> None:
    for path in (tmp_path / "none.still", tmp_path):
        with pytest.raises(FormatError) as caught:
            potstill.load(path)
        assert caught.value.code == "F001"


def test_bad_settings(still: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for threads in (0, -1, 100000):
        with pytest.raises(InputError) as caught:
            potstill.load(still, threads=threads)
        assert caught.value.code == "I004"
    monkeypatch.setenv("POTSTILL_NUM_THREADS", "lots")
    with pytest.raises(InputError):
        potstill.load(still)
    monkeypatch.setenv("POTSTILL_NUM_THREADS", "3")
    assert potstill.load(still).info["threads"] == 3
    monkeypatch.setenv("POTSTILL_ISA", "mmx")
    with pytest.raises(CpuError) as cpu:
        potstill.load(still)
    assert cpu.value.code == "K001"


def test_unknown_backend(still: Path) -> None:
    with pytest.raises(InputError) as caught:
        potstill.load(still, backend="abacus")
    assert caught.value.code == "I006"
    assert "native" in caught.value.next_step


def test_native_is_a_backend(still: Path) -> None:
    from potstill.runtime.backends import Backend, open_backend

    assert isinstance(open_backend("native", still, 1), Backend)


def test_import_is_light() -> None:
    code = "import sys, potstill; print(sorted({m.split('.')[0] for m in sys.modules} & {'numpy', 'torch'}))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_errors_are_catchable_by_base(still: Path) -> None:
    assert issubclass(FormatError, potstill.PotstillError) and issubclass(SystemFailure, potstill.PotstillError)
    with pytest.raises(AttributeError):
        _ = potstill.nothing
