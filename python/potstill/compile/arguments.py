"""What callers give to `compile_onnx`, read once and at the edge: a wrong type is told with the argument's name."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from potstill.card import UNITS
from potstill.errors import CompileError, InputError
from potstill.paths import read_path
from potstill.runtime.inputs import kind_of, read_flag, read_strings, whole_number
from potstill.still.schemes import Scheme, scheme_by_name
from potstill.work.atomic import check_replaceable


@dataclass(frozen=True)
class Asked:
    """What `compile_onnx` was asked for; its docstring says what each is. None: not said."""

    onnx: Path
    out: Path
    scheme: Scheme
    tokenizer: Path | None
    labels: list[str] | None
    name: str | None
    max_tokens: int | None
    provenance: dict[str, str]
    license: str | None
    output: str | None
    pooling: str | None
    multi_label: bool | None
    pairs: bool | None
    activation: str | None
    units: str | None
    lowercase: bool | None
    verify: bool


def read_arguments(onnx: object, out: object, **given: Any) -> Asked:
    """What a caller gave, as `compile_onnx` names it.

    Raises:
        InputError, CompileError: an argument has a type or value that it cannot have.
    """
    source = path_of(onnx, "onnx")
    return Asked(
        onnx=source,
        tokenizer=folder_of(given["tokenizer"], "tokenizer"),
        out=out_of(out, source),
        labels=labels_of(given["labels"]),
        max_tokens=limit_of(given["max_tokens"]),
        provenance=provenance_of(given["provenance"]),
        name=text_of(given["name"], "name"),
        license=text_of(given["license"], "license"),
        output=text_of(given["output"], "output"),
        pooling=text_of(given["pooling"], "pooling"),
        activation=text_of(given["activation"], "activation"),
        units=units_of(given["units"]),
        multi_label=choice_of(given["multi_label"], "multi_label"),
        pairs=choice_of(given["pairs"], "pairs"),
        lowercase=choice_of(given["lowercase"], "lowercase"),
        verify=read_flag(given["verify"], "verify"),
        scheme=scheme_of(given["scheme"], given["embedding"]),
    )


def path_of(given: Any, name: str) -> Path:
    """A path. InputError: it is none."""
    return Path(read_path(given, name))


def folder_of(given: Any, name: str) -> Path | None:
    """A path, or None. InputError: it is neither."""
    return None if given is None else path_of(given, name)


def text_of(given: Any, name: str) -> str | None:
    """A str, or None. InputError: it is neither, or is not to be written as UTF-8."""
    if given is None:
        return None
    if isinstance(given, str):
        return _encodable(given, name)
    raise InputError(
        "I140", f"a {kind_of(given)} where a str is needed", name, f"give {name} as a str, or leave it out"
    )


def units_of(given: Any) -> str | None:
    """What a tagger labels, or None. InputError: it is neither."""
    if given is None or (isinstance(given, str) and given in UNITS):
        return given
    raise InputError("I140", f"{kind_of(given)} {str(given)[:40]!r}", "units", f"give one of {', '.join(UNITS)}")


def choice_of(given: Any, name: str) -> bool | None:
    """True, False or None. InputError: it is none of them."""
    return None if given is None else read_flag(given, name)


def labels_of(given: Any) -> list[str] | None:
    """Labels in the order of the logits, or None. InputError: they are no strings in an order; no UTF-8."""
    if given is None:
        return None
    return [_encodable(label, "labels") for label in read_strings(given, "labels", 'give a list: ["no", "yes"]')]


def _encodable(text: str, name: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InputError(
            "I140", "text that is not valid UTF-8", f"{name}: {text[:40]}", f"give {name} in UTF-8"
        ) from None
    return text


def out_of(given: Any, source: Path) -> Path:
    """The file to write. InputError: it is no path; no file; the one that is read."""
    out = path_of(given, "out")
    check_replaceable(out)
    if os.path.realpath(out) == os.path.realpath(source):
        raise InputError("I142", "the .still would overwrite its own ONNX", str(out), "name another file")
    return out


def limit_of(given: Any) -> int | None:
    """A whole number from 1 on, or None. CompileError: it is neither."""
    if given is None:
        return None
    limit = whole_number(given)
    if limit is None or limit < 1:
        shown = given if isinstance(given, int | float | str) else f"a {kind_of(given)}"
        raise CompileError(
            "C021", "max_tokens is a whole number of 1 or more", str(shown)[:40], "leave it out or give more"
        )
    return limit


def scheme_of(given: Any, embedding: Any) -> Scheme:
    """A scheme. InputError: it is no name; CompileError: there is none of that name."""
    if isinstance(given, Scheme):
        return given
    for value, name in ((given, "scheme"), (embedding, "embedding")):
        if not isinstance(value, str):
            raise InputError("I140", f"a {kind_of(value)} where a name is needed", name, f"give {name} as a str")
    return scheme_by_name(given, embedding=embedding)


def provenance_of(given: Any) -> dict[str, str]:
    """Names and texts. InputError: it is something else."""
    if given is None:
        return {}
    if not isinstance(given, Mapping) or not all(isinstance(part, str) for pair in given.items() for part in pair):
        raise InputError("I140", "a mapping of str to str is needed", "provenance", 'give a dict: {"recipe": "..."}')
    return {_encodable(key, "provenance"): _encodable(value, "provenance") for key, value in given.items()}
