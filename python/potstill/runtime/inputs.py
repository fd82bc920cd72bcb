"""Reads what callers give to the public functions, once and at the edge: what cannot be answered is an `InputError`.

An iterable is whatever Python iterates in an order of its own: lists, generators, dict views, numpy arrays, pandas and
polars Series, columns of pyarrow and datasets. They are told by what they do, so that none of them is imported. Errors
of a caller's own iterator pass through.
"""

from __future__ import annotations

from potstill.errors import InputError
from potstill.paths import read_path
from potstill.runtime.backends import word_ranges

TYPE_CHECKING = False  # see potstill/__init__.py
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    # Where a word begins in its text and where it ends; None: it was given as a word.
    Place = tuple[int | None, int | None]

# Ids are 32-bit in the core.
_IDS = 1 << 31
MAX_THREADS = 256  # cpp/src/parallel/threads.h
_LIST = 'give a list: ["..."]'


def read_texts(given: Any) -> tuple[list[str], list[str] | None]:
    """The texts and None, or of pairs all first and all second ones.

    Raises:
        InputError: it is no iterable of str, nor one of pairs of str, or has no order.
    """
    texts: list[str] = []
    first: list[str] = []
    second: list[str] = []
    for index, text in enumerate(items(given)):
        parts = None if isinstance(text, str) else _parts(text)
        if parts is not None and len(parts) == 2 and all(isinstance(part, str) for part in parts):
            first.append(parts[0])
            second.append(parts[1])
        elif isinstance(text, str):
            texts.append(text)
        else:
            raise _not_text(text, index, "a str", "give a list of str, or of pairs of str")
        if texts and first:
            raise InputError("I007", "single texts and pairs in one call", f"text {index}", "give one kind a call")
    return (first, second) if first else (texts, None)


def read_words(given: Any, units: str) -> tuple[list[list[str]], list[list[Place]]]:
    """The words of each text, and where they stand in it.

    Args:
        given: the texts.
        units: of the model, as `word_ranges` takes it.

    Raises:
        InputError: it is no iterable of str and of lists of str, or has no order; a str, and no rule finds the model's
            words.
    """
    words: list[list[str]] = []
    places: list[list[Place]] = []
    for index, text in enumerate(items(given)):
        if isinstance(text, str):
            ranges = word_ranges(text, units)
            words.append([text[start:end] for start, end in ranges])
            places.append(list(ranges))
            continue
        parts = _parts(text)
        if parts is None or not all(isinstance(word, str) for word in parts):
            raise _not_text(text, index, "a str or a list of str", "give texts, or lists of their words")
        words.append(parts)
        places.append([(None, None)] * len(parts))
    return words, places


def read_strings(given: Any, name: str, next_step: str) -> list[str]:
    """The strings of an argument that takes several.

    Raises:
        InputError: it is no iterable of str, or has no order.
    """
    found = list(items(given, name, next_step))
    for index, text in enumerate(found):
        if not isinstance(text, str):
            raise InputError("I007", f"a {kind_of(text)} where a str is needed", f"{name}, item {index}", next_step)
    return found


def read_numbers(given: Any, what: str = "token ids") -> list[list[int]]:
    """Sequences of whole numbers from 0 on; arrays and tensors of whole numbers are taken, truth values are not.

    Args:
        given: the sequences.
        what: the numbers' name, for messages.

    Raises:
        InputError: a number below 0 or over 31 bits; anything else than sequences of
            whole numbers.
    """
    rows = []
    for index, row in enumerate(items(given, what, f"give a list of lists of {what}")):
        where = f"sequence {index} of {what}"
        if isinstance(row, (str, bytes, bytearray)) or not _is_iterable(row):
            raise InputError(
                "I007", f"a {kind_of(row)} where a sequence is needed", where, "give whole numbers in lists"
            )
        numbers = items(row, where, "give whole numbers in lists")
        rows.append([n if type(n) is int and 0 <= n < _IDS else _whole(n, what, where) for n in numbers])
    return rows


def read_flag(value: Any, name: str) -> bool:
    """True or False, numpy's too.

    Raises:
        InputError: it is neither.
    """
    if isinstance(value, bool):
        return value
    if type(value).__module__ == "numpy" and type(value).__name__ in ("bool", "bool_"):
        return bool(value)
    raise InputError("I120", f"{_shown(value)} is neither True nor False", name, f"write {name}=True or {name}=False")


def read_probability(value: Any, name: str) -> float:
    """A number from 0 to 1.

    Raises:
        InputError: it is none.
    """
    number = -1.0
    if hasattr(value, "__float__") and not isinstance(value, (bool, str, bytes)) and _is_real_scalar(value):
        try:
            number = float(value)
        except (TypeError, ValueError, OverflowError):
            number = -1.0
    if not 0.0 <= number <= 1.0:
        raise InputError("I013", f"{_shown(value)} is no probability", name, "give a number from 0 to 1")
    return number


def read_threads(value: Any, name: str = "threads") -> int | None:
    """A thread count, or None.

    Raises:
        InputError: it is neither.
    """
    if value is None:
        return None
    count = whole_number(value)
    if count is None or not 1 <= count <= MAX_THREADS:
        step = f"give a whole number from 1 to {MAX_THREADS}, or None"
        raise InputError("I004", f"{_shown(value)} is no thread count", name, step)
    return count


def read_source(given: Any) -> str | bytes | bytearray | memoryview:
    """A file's path, or the bytes of one in one piece; a file object is read from where it stands.

    Bytes of a path that are no UTF-8 are surrogates, as `os.fsdecode` has it.

    Raises:
        InputError: a file object that gives no bytes; as `read_path`.
    """
    if callable(getattr(given, "read", None)) and not isinstance(given, type):
        return _content(given)
    if isinstance(given, memoryview):
        return _in_one_piece(given)
    if isinstance(given, (bytes, bytearray)):
        return given
    return read_path(given)


def _content(file: Any) -> bytes | bytearray | memoryview:
    where, next_step = "the file object given to load", "open it with mode 'rb'"
    try:
        data = file.read()
    except Exception as error:  # closed, not open for reading, or what a damaged archive raises (EOFError, zlib.error)
        what = f"reading it fails ({str(error) or kind_of(error)})"
        raise InputError("I102", what, where, next_step) from error
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise InputError("I102", f"reading it gives {kind_of(data)}, not bytes", where, next_step)
    return _in_one_piece(data) if isinstance(data, memoryview) else data


def _in_one_piece(data: memoryview) -> bytes | memoryview:
    try:
        return data if data.c_contiguous else data.tobytes()
    except ValueError as error:  # it was released
        raise InputError("I102", f"reading it fails ({error})", "the memoryview given to load", "give bytes") from error


def items(given: Any, what: str = "texts", next_step: str = _LIST) -> Iterator[Any]:
    """What an iterable with an order gives, each item once."""
    if isinstance(given, str):
        raise InputError("I007", "a single string was given", what, next_step)
    if isinstance(given, (set, frozenset)):
        raise InputError("I007", "a set has no order, so answers could not be told apart", what, next_step)
    if isinstance(given, dict) or (hasattr(given, "keys") and hasattr(given, "items") and not hasattr(given, "ndim")):
        raise InputError("I007", f"a {kind_of(given)} is no list", what, "give its .values(), or its .keys()")
    if isinstance(given, (bytes, bytearray, memoryview)) or not _is_iterable(given):
        raise InputError("I007", f"a {kind_of(given)} was given", what, next_step)
    if hasattr(given, "columns"):
        raise InputError("I007", f"a {kind_of(given)} is a table", what, "give one of its columns")
    if hasattr(given, "ndim") and hasattr(given, "tolist"):
        listed = given.tolist()  # an array or tensor: Python's own numbers and texts
        if not isinstance(listed, list):
            raise InputError("I007", f"a {kind_of(given)} without dimensions was given", what, next_step)
        given = listed
    try:
        found = iter(given)
    except TypeError as error:
        if error.__traceback__ is not None and error.__traceback__.tb_next is not None:
            raise  # by the caller's own __iter__
        raise InputError("I007", f"a {kind_of(given)} was given", what, next_step) from None
    return map(_plain, found)


def _plain(item: Any) -> Any:
    """A scalar of pyarrow as Python's own; anything else as it is."""
    return item.as_py() if hasattr(item, "as_py") else item


def _is_iterable(given: Any) -> bool:
    kind = type(given)
    return getattr(kind, "__iter__", None) is not None or hasattr(kind, "__getitem__")


def _parts(item: Any) -> list[Any] | None:
    """The parts of a text that is given in parts: a list, a tuple or an array of one dimension."""
    if getattr(item, "ndim", None) == 1 and hasattr(item, "tolist"):
        item = item.tolist()
    return list(item) if isinstance(item, (list, tuple)) else None


def _is_real_scalar(value: Any) -> bool:
    """Of an array or tensor whether it is one number and neither complex nor a truth value; of anything else, yes."""
    kind = getattr(value, "dtype", None)
    return not getattr(value, "ndim", 0) and getattr(kind, "kind", "f") in "fiu" and str(kind) != "torch.bool"


def whole_number(value: Any) -> int | None:
    """A whole number; None for anything else, truth values among them."""
    kind = type(value)
    if isinstance(value, bool) or not hasattr(kind, "__index__") or not _is_real_scalar(value):
        return None
    try:
        return int(value.__index__())
    except TypeError:  # an array of several numbers has the method, and refuses
        return None


def _whole(number: Any, what: str, where: str) -> int:
    found = whole_number(number)
    if found is None:
        raise InputError("I007", f"{_shown(number)} is no whole number", where, "give whole numbers in lists")
    if not 0 <= found < _IDS:
        raise InputError(
            "I003" if what == "token ids" else "I014", f"{_shown(found)} is none of the model's {what}", where,
            "they start at 0",
        )  # fmt: skip
    return found


def _not_text(text: Any, index: int, wanted: str, next_step: str) -> InputError:
    return InputError("I007", f"a {kind_of(text)} where {wanted} is needed", f"text {index}", next_step)


def kind_of(value: Any) -> str:
    """Name of a value's type, for messages."""
    return type(value).__name__


def _shown(value: Any) -> str:
    """A value as it may stand in a message: short, and of a number or text only."""
    if isinstance(value, int) and not -(1 << 64) < value < 1 << 64:
        return "a number of more than 64 bits"
    if isinstance(value, (int, float, str)) or value is None:
        text = ascii(value)
        return text if len(text) <= 40 else f"{text[:40]}..."
    return f"a {kind_of(value)}"
