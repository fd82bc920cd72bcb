"""Whatever is given to the public functions: a right answer, or a numbered error that says what to give."""

from __future__ import annotations

import array
import collections
import decimal
import enum
import fractions
import io
import os
import subprocess
import sys
import types
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

import potstill
from potstill.errors import InputError, PotstillError
from tiny_still import write_model

np = pytest.importorskip("numpy", reason="numpy is an optional source of texts and ids")

TEXTS = ["a b", "c", "hello d"]
PAIRS = [("a b", "c"), ("d", "e f"), ("g", "h")]
IDS = [[2, 4, 5, 3], [2, 7, 3]]


class Word(enum.StrEnum):
    """Texts as an enumeration gives them."""

    FIRST, SECOND, THIRD = TEXTS


class OldStyle:
    """Iterated by its numbers, without `__iter__`."""

    def __getitem__(self, index: int) -> str:
        return TEXTS[index]


def generated(items: Iterable[Any]) -> Iterator[Any]:
    yield from items


def pandas_series(items: list[str]) -> Any:
    pandas = pytest.importorskip("pandas", reason="pandas is an optional source of texts")
    return pandas.Series(items, index=[7, 3, 5])


def pyarrow_column(items: list[str]) -> Any:
    return pytest.importorskip("pyarrow", reason="pyarrow is an optional source of texts").chunked_array([items])


def dataset_column(items: list[str]) -> Any:
    datasets = pytest.importorskip("datasets", reason="datasets is an optional source of texts")
    return datasets.Dataset.from_dict({"text": items})["text"]


ITERABLES: dict[str, Callable[[list[Any]], Any]] = {
    "tuple": tuple,
    "generator": generated,
    "map": lambda items: map(items.__getitem__, range(len(items))),
    "iterator": iter,
    "keys": lambda items: dict.fromkeys(items).keys(),
    "values": lambda items: dict(enumerate(items)).values(),
    "deque": collections.deque,
    "object array": lambda items: _object_array(items),
}
OF_TEXTS: dict[str, Callable[[list[str]], Any]] = {
    **ITERABLES,
    "array": np.array,
    "numpy strings": lambda items: [np.str_(item) for item in items],
    "Series": pandas_series,
    "column of arrow": pyarrow_column,
    "column of datasets": dataset_column,
    "old style": lambda _: OldStyle(),
    "enumeration": lambda _: Word,
    "StringIO": lambda items: io.StringIO("\n".join(items)),
}


def _object_array(items: list[Any]) -> Any:
    made = np.empty(len(items), dtype=object)
    made[:] = items
    return made


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, potstill.Model]:
    folder = tmp_path_factory.mktemp("models")
    kinds: dict[str, dict[str, Any]] = {
        "texts": {}, "pairs": {"pairs": True}, "words": {"per_token": True},
        "score": {"labels": (), "outputs": 1, "score": "raw"},
    }  # fmt: skip
    return {name: potstill.load(write_model(folder / f"{name}.still", **kind)) for name, kind in kinds.items()}


@pytest.mark.parametrize("make", OF_TEXTS.values(), ids=OF_TEXTS)
def test_texts_from_any_iterable(models: dict[str, potstill.Model], make: Callable[[list[str]], Any]) -> None:
    model, tagger = models["texts"], models["words"]
    assert model.classify(make(TEXTS)) == model.classify(TEXTS)
    assert models["score"].score(make(TEXTS)) == models["score"].score(TEXTS)
    assert model.tokenize(make(TEXTS)) == model.tokenize(TEXTS)
    assert model.embed(make(TEXTS)).tolist() == model.embed(TEXTS).tolist()
    assert model.logits(make(TEXTS)).tolist() == model.logits(TEXTS).tolist()
    assert [[t.label for t in text] for text in tagger.tag(make(TEXTS))] == [
        [t.label for t in text] for text in tagger.tag(TEXTS)
    ]


@pytest.mark.parametrize("make", ITERABLES.values(), ids=ITERABLES)
def test_pairs_from_any_iterable(models: dict[str, potstill.Model], make: Callable[[list[Any]], Any]) -> None:
    model = models["pairs"]
    assert model.classify(make(PAIRS)) == model.classify(PAIRS)
    assert model.classify(dict(PAIRS).items()) == model.classify(PAIRS)
    assert model.classify(np.array(PAIRS)) == model.classify(PAIRS)
    assert model.classify(list(map(list, PAIRS))) == model.classify(PAIRS)


def test_words_as_parts(models: dict[str, potstill.Model]) -> None:
    words = [["a", "b"], ["c"]]
    wanted = models["words"].tag(words)
    for given in ([tuple(row) for row in words], (np.array(row) for row in words), [_object_array(r) for r in words]):
        assert models["words"].tag(given) == wanted


def test_ids_from_arrays_tensors_and_iterators(models: dict[str, potstill.Model]) -> None:
    torch = pytest.importorskip("torch", reason="torch is an optional source of ids")
    model, rows = models["texts"], [[2, 4, 3], [2, 5, 3]]
    wanted = model.logits_from_ids(rows).tolist()
    for dtype in (np.int8, np.uint8, np.int32, np.int64, np.uint64):
        assert model.logits_from_ids(np.array(rows, dtype)).tolist() == wanted
        assert model.logits_from_ids([np.array(row, dtype) for row in rows]).tolist() == wanted
        assert model.logits_from_ids([[dtype(i) for i in row] for row in rows]).tolist() == wanted
    given: list[Any] = [
        torch.tensor(rows), [torch.tensor(row) for row in rows], [[torch.tensor(i) for i in row] for row in rows],
        (iter(row) for row in rows), map(tuple, rows), dict(enumerate(rows)).values(), _object_array(rows),
        [array.array("q", row) for row in rows], (range(2, 5), range(2, 5)),
    ]  # fmt: skip
    for ids in given[:-1]:
        assert model.logits_from_ids(ids).tolist() == wanted
    assert model.logits_from_ids(given[-1]).tolist() == model.logits_from_ids([[2, 3, 4]] * 2).tolist()
    types = torch.zeros((2, 3), dtype=torch.int64)
    assert model.logits_from_ids(rows, types).tolist() == wanted


@pytest.mark.parametrize("text", ["a \ud800 b", "\udcff", "a\0b", "\U0010ffff", "a" * 3000, "\ufeffa", "\u202ea"])
def test_odd_texts(models: dict[str, potstill.Model], text: str) -> None:
    for call in (models["texts"].classify, models["words"].tag):
        try:
            assert len(call([text], truncate=True)) == 1  # type: ignore[operator]
        except PotstillError as error:
            assert error.code == "I001" and str(error).encode("utf-8")


class Mine(Exception):
    """An error of a caller's own iterator."""


class Broken:
    """Iterates into an error of its own."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def __iter__(self) -> Iterator[str]:
        raise self.error


def failing(error: Exception) -> Iterator[str]:
    yield "a"
    raise error


@pytest.mark.parametrize("error", [TypeError("mine"), ValueError("mine"), KeyError("mine"), OSError("mine")], ids=repr)
def test_errors_of_the_callers_iterator_pass_through(models: dict[str, potstill.Model], error: Exception) -> None:
    model = models["texts"]
    for given in (failing(error), Broken(error), map(Broken(error).__class__.__iter__, [Broken(error)])):
        for call in (model.classify, model.embed, models["words"].tag, model.logits_from_ids):
            with pytest.raises(type(error), match="mine") as caught:
                call(given)  # type: ignore[operator]
            assert caught.value is error
            given = Broken(error)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        pytest.param({"a", "b"}, "a set has no order", id="set"),
        (frozenset(["a"]), "a set has no order"),
        ({"a": 1}, "a dict is no list"),
        (types.MappingProxyType({"a": 1}), "a mappingproxy is no list"),
        (collections.UserDict({"a": 1}), "a UserDict is no list"),
        ("one text", "a single string"),
        (np.str_("one text"), "a single string"),
        (b"bytes", "a bytes"),
        (np.array("one text"), "without dimensions"),
        ([b"bytes"], "a bytes where"),
        (np.array([b"x"]), "a bytes where"),
        (["a", None], "text 1"),
        (["a", ("b", "c")], "single texts and pairs"),
        ([("b", "c"), "a"], "single texts and pairs"),
        ([("a", "b", "c")], "a tuple where"),
        pytest.param([{"a", "b"}], "a set where", id="set within"),
        (["a", float("nan")], "a float where"),
    ],
    ids=repr,
)
def test_what_is_no_list_of_texts_is_told(models: dict[str, potstill.Model], given: Any, text: str) -> None:
    for call in (models["texts"].classify, models["texts"].tokenize, models["texts"].embed, models["texts"].logits):
        with pytest.raises(InputError, match=text) as caught:
            call(given)
        assert caught.value.code == "I007" and caught.value.next_step


def test_tables_are_refused(models: dict[str, potstill.Model]) -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is an optional source of texts")
    pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is an optional source of texts")
    for table in (pandas.DataFrame({"text": TEXTS}), pyarrow.table({"text": TEXTS})):
        with pytest.raises(InputError, match=r"is a table.*one of its columns"):
            models["texts"].classify(table)


WRONG: list[Any] = [
    None, True, False, 0, 1, -1, 7, 2**31, 2**63, 2**200, -(2**31), 10**5000, 1.0, -0.5, 2.0, float("nan"),
    float("inf"), 1j, "", "x", "yes", "2", "0.5", "\ud800", "\0", "a\0b", "x" * 10_000, b"", b"2", b"\xff",
    bytearray(b"x"), memoryview(b"xy"), [], [1], [[1]], ["x"], [None], [[]], [[None]], [[1.5]], [[True]], [[2**31]],
    [[-1]], [[2**70]], [["x"]], [[[1]]], [b"x"], (), ("x", "y"), {}, {"a": 1}, {1}, {"x"}, set(), frozenset("x"),
    range(3), object(), object, int, list[str], len, lambda: None, Ellipsis, NotImplemented, ValueError("x"), slice(1),
    np.float32(0.5), np.int64(2), np.bool_(True), np.str_("x"), np.bytes_(b"x"), np.array(0.5), np.array(3),
    np.array([0.5]), np.array([1, 2]), np.array([[1.5]]), np.array([[True]]), np.array([["x"]]), np.array([1 + 2j]),
    np.complex64(1), np.datetime64("2020-01-01"), np.zeros((1, 1, 1), int), np.array([[2**40]]), np.array([], str),
    decimal.Decimal("0.5"), decimal.Decimal("nan"), fractions.Fraction(1, 3), io.BytesIO(b"x"), io.StringIO("x"),
    Path("x"), types.SimpleNamespace(ndim=1), array.array("d", [1.0]), collections.Counter("x"), Broken(Mine()),
]  # fmt: skip


def attempt(call: Callable[..., object], *given: Any, **named: Any) -> None:
    """An answer or a numbered error that can be printed."""
    try:
        call(*given, **named)
    except PotstillError as error:
        assert error.code and error.next_step
        str(error).encode("utf-8")
    except Mine:
        pass


@pytest.mark.parametrize("value", WRONG, ids=range(len(WRONG)))
def test_any_argument_of_any_function(models: dict[str, potstill.Model], value: Any) -> None:
    model, pairs, tagger = models["texts"], models["pairs"], models["words"]
    score = models["score"].score
    calls = [model.classify, model.tokenize, model.embed, model.logits, model.logits_from_ids, pairs.classify, score]
    for call in calls:
        attempt(call, value)
        attempt(call, [value])
        attempt(call, [[value]])
        attempt(call, [(value, value)])
    for given in (value, [value], [[value]]):
        attempt(tagger.tag, given)
        attempt(model.logits_from_ids, IDS, given)
        attempt(pairs.logits_from_ids, IDS, given)
        attempt(model.logits_from_ids, IDS, attention_mask=given)
    for call in (model.classify, model.tokenize, model.embed, model.logits, pairs.logits, score):
        attempt(call, TEXTS, truncate=value)
    attempt(tagger.tag, TEXTS, truncate=value)
    attempt(model.classify, TEXTS, threshold=value)
    attempt(potstill.Model, value)


@pytest.mark.parametrize("value", WRONG, ids=range(len(WRONG)))
def test_any_argument_of_load(models: dict[str, potstill.Model], tmp_path: Path, value: Any) -> None:
    still = models["texts"].__reduce__()[1][0]
    attempt(potstill.load, value)
    attempt(potstill.load, still, threads=value)
    attempt(potstill.load, still, backend=value)
    attempt(potstill.load, still, mapped=value)
    attempt(potstill.load, tmp_path / "absent.onnx", threads=value, backend="onnxruntime")


@pytest.mark.parametrize("threads", ["2", True, 2.0, 0, -1, 257, 2**40, np.bool_(True), np.float64(2)], ids=repr)
def test_thread_counts(models: dict[str, potstill.Model], threads: Any) -> None:
    still = models["texts"].__reduce__()[1][0]
    with pytest.raises(InputError, match="I004"):
        potstill.load(still, threads=threads)
    assert potstill.load(still, threads=np.int64(2)).info["threads"] == 2  # type: ignore[arg-type]


def test_flags_and_thresholds(models: dict[str, potstill.Model]) -> None:
    model = models["texts"]
    assert model.tokenize(["a " * 50], truncate=np.True_)[0][-1] == 3  # type: ignore[arg-type]
    for flag in ("yes", 1, None, 128):
        with pytest.raises(InputError, match="I120"):
            model.tokenize(TEXTS, truncate=flag)  # type: ignore[arg-type]
    for threshold in (0, 1, 0.25, np.float32(0.5), fractions.Fraction(1, 3), decimal.Decimal("0.5")):
        model.classify(TEXTS, threshold=threshold)  # type: ignore[arg-type]
    for threshold in ("0.5", None, float("nan"), True, 1.5, np.array([0.5]), np.complex64(0.5)):
        with pytest.raises(InputError, match="I013"):
            model.classify(TEXTS, threshold=threshold)  # type: ignore[arg-type]


def test_ids_that_are_none_of_the_vocabulary(models: dict[str, potstill.Model]) -> None:
    for number in (-1, 40, 2**31 - 1, 2**31, 2**63, 2**64, 10**400):
        with pytest.raises(InputError, match="I003"):
            models["texts"].logits_from_ids([[2, number, 3]])
        with pytest.raises(InputError, match="I014"):
            models["pairs"].logits_from_ids([[2, 4, 3]], [[0, number, 0]])


def test_a_file_of_any_name(models: dict[str, potstill.Model], tmp_path: Path) -> None:
    content = Path(models["texts"].__reduce__()[1][0]).read_bytes()
    name = os.fsencode(tmp_path) + b"/\xff\xe9 caf\xc3\xa9.still"
    Path(os.fsdecode(name)).write_bytes(content)
    for path in (os.fsdecode(name), Path(os.fsdecode(name))):
        assert potstill.load(path).classify(TEXTS) == models["texts"].classify(TEXTS)
    with os.scandir(os.fsencode(tmp_path)) as entries:
        assert all(potstill.load(entry).labels for entry in entries)
    with pytest.raises(PotstillError) as caught:
        potstill.load(os.fsdecode(name + b"x"))
    assert caught.value.code == "F001" and str(caught.value).encode("utf-8")


@pytest.mark.parametrize("path", ["", "\0", "model.still\0", "\ud800", "absent\n.still"], ids=ascii)
def test_paths_that_are_none(path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_model(tmp_path / "model.still")
    for given in (path, path and Path(path)):
        with pytest.raises(PotstillError) as caught:
            potstill.load(given)
        assert caught.value.code in ("I121", "F001")
        str(caught.value).encode("utf-8")


@pytest.mark.parametrize("mode", ["wb", "w", "r"])
def test_file_objects_that_give_no_bytes(tmp_path: Path, mode: str) -> None:
    (tmp_path / "file").write_bytes(b"x")
    with (tmp_path / "file").open(mode) as file, pytest.raises(InputError, match="I102"):
        potstill.load(file)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="I102"):
        potstill.load(file)  # type: ignore[arg-type]
    view = memoryview(b"x")
    view.release()
    with pytest.raises(InputError, match="I102"):
        potstill.load(view)


def test_a_directory_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(PotstillError, match="F001"):
        potstill.load(tmp_path)


@pytest.mark.parametrize("name", ["POTSTILL_ISA", "POTSTILL_NUM_THREADS"])
@pytest.mark.parametrize("value", [b"\xff", b"caf\xe9", b"9" * 5000, "\u00b2".encode(), b"\x01"], ids=range(5))
def test_environment_variables_of_any_bytes(models: dict[str, potstill.Model], name: str, value: bytes) -> None:
    code = (
        "import sys, potstill\n"
        "for path, backend in ((sys.argv[1], 'native'), (sys.argv[1], 'onnxruntime')):\n"
        "    try:\n"
        "        potstill.load(path, backend=backend)\n"
        "    except potstill.PotstillError as error:\n"
        "        print(error)\n"
    )
    still = models["texts"].__reduce__()[1][0]
    environment = {**os.environb, name.encode(): value}
    command = [sys.executable, "-c", code, still]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert ("K001" if name == "POTSTILL_ISA" else "I004") in result.stdout


@pytest.mark.parametrize("value", WRONG, ids=range(len(WRONG)))
def test_any_argument_of_build(tmp_path: Path, value: Any) -> None:
    """None of them gets as far as a stage."""
    pytest.importorskip("pydantic", reason="the build extra is not installed")
    attempt(potstill.build, value, tmp_path)
    absent = tmp_path / "absent.toml"
    attempt(potstill.build, absent, value)
    attempt(potstill.build, absent, overrides=value)
    attempt(potstill.build, absent, overrides=[value])
    attempt(potstill.build, absent, quiet=value)
