"""Reading boards.toml, and boards of the user's own, with every mistake named."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from potstill.boards.schema import Board, CpuInfo, Memory, System, Target
from potstill.errors import BuildError

_VERSION = re.compile(r"\d+\.\d+")
_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")


def builtin_file() -> Path:
    """boards.toml beside this module in a wheel, in toolchains/ of a source tree."""
    installed = Path(__file__).with_name("boards.toml")
    return installed if installed.is_file() else Path(__file__).parents[3] / "toolchains" / "boards.toml"


def user_files() -> list[Path]:
    """The user's own files: those of POTSTILL_BOARDS, separated as in PATH, else potstill/boards.toml in the
    configuration folder if it is there."""
    if named := os.environ.get("POTSTILL_BOARDS"):
        return [Path(part).expanduser() for part in named.split(os.pathsep) if part]
    home = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    usual = Path(home).expanduser() / "potstill" / "boards.toml"
    return [usual] if usual.is_file() else []


def _invalid(where: str, what: str, path: Path) -> BuildError:
    return BuildError("B003", what, f"{where} in {path}", "compare with the entries of toolchains/boards.toml")


_KINDS: dict[str, Any] = {"str": str, "int": int, "float": (float, int)}


def _value(value: Any, annotation: str, where: str, path: Path) -> Any:
    if annotation == "tuple[str, ...]":
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return tuple(value)
    elif isinstance(value, _KINDS[annotation]) and not isinstance(value, bool):
        return float(value) if annotation == "float" else value
    raise _invalid(where, f"{value!r} is not of type {annotation}", path)


def _make(kind: type[Any], where: str, table: object, path: Path, **given: Any) -> Any:
    """Build dataclass `kind` from a TOML table; every key must be known, present and of the annotated type."""
    if not isinstance(table, dict):
        raise _invalid(where, "a table is needed", path)
    wanted = {f.name: str(f.type) for f in fields(kind) if f.name not in given}
    if unknown := sorted(set(table) - set(wanted)):
        raise _invalid(where, f"unknown key {unknown[0]}", path)
    if missing := sorted(set(wanted) - set(table)):
        raise _invalid(where, f"key {missing[0]} is missing", path)
    values = {key: _value(table[key], annotation, f"{where}.{key}", path) for key, annotation in wanted.items()}
    return kind(**given, **values)


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        reason = f"it cannot be read ({error.strerror})"
        raise BuildError("B003", reason, str(path), "check the path in POTSTILL_BOARDS") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise _invalid("the syntax", str(error), path) from error


def _tables(data: Mapping[str, Any], kind: str, path: Path) -> dict[str, Any]:
    found = data.get(kind, {})
    if not isinstance(found, dict):
        raise _invalid(kind, "a table is needed", path)
    for name in found:
        if not _NAME.fullmatch(name) and kind == "boards":
            raise _invalid(f"boards.{name}", "a name has small letters, digits and hyphens", path)
    return found


def load_boards(*paths: Path) -> dict[str, Board]:
    """Read and check board files; by default the built-in one and `user_files`.

    Every hardware entry becomes one `Board` for each of its machine types and systems. A later file may use the
    targets and systems of earlier ones, and may add to them, but not redefine anything.

    Raises:
        BuildError: naming file, entry and key, for unknown or missing keys, wrong types, references to absent
            targets or systems, names taken, and numbers that cannot be.
    """
    targets: dict[str, Target] = {}
    systems: dict[str, System] = {}
    boards: dict[str, Board] = {}
    for path in paths or (builtin_file(), *user_files()):
        data = _read(path)
        if unknown := sorted(set(data) - {"targets", "systems", "boards"}):
            raise _invalid(unknown[0], "unknown section", path)
        for kind, made, known in (("targets", Target, targets), ("systems", System, systems)):
            for name, table in _tables(data, kind, path).items():
                if name in known:
                    raise _invalid(f"{kind}.{name}", "the name is taken", path)
                known[name] = _make(made, f"{kind}.{name}", table, path, name=name)
        for name, table in _tables(data, "boards", path).items():
            for variant in _variants(name, table, targets, systems, path):
                if variant.name in boards:
                    raise _invalid(f"boards.{name}", f"the name {variant.name} is taken", path)
                boards[variant.name] = variant
    return boards


def _variants(
    name: str, entry: object, targets: Mapping[str, Target], systems: Mapping[str, System], path: Path
) -> list[Board]:
    """The boards of one hardware entry: first machine type and first system have the plain name."""
    where = f"boards.{name}"
    if not isinstance(entry, dict):
        raise _invalid(where, "a table is needed", path)
    table = dict(entry)
    chosen = {key: table.pop(key) for key in list(table) if isinstance(table[key], dict) and key not in _SHARED}
    if absent := [key for key in chosen if key not in targets]:
        raise _invalid(where, f"no such target {absent[0]!r}", path)
    if not chosen:
        raise _invalid(where, f"a table [{where}.TARGET] is missing, TARGET one of {', '.join(targets)}", path)
    releases = _value(table.pop("systems", None), "tuple[str, ...]", f"{where}.systems", path)
    if absent := [release for release in releases if release not in systems]:
        raise _invalid(where, f"no such system {absent[0]!r}", path)
    if not releases:
        raise _invalid(where, "systems is empty", path)
    memory = _make(Memory, f"{where}.memory", table.pop("memory", None), path)
    chip = table.pop("chip", None)
    made = []
    for number, (target, own) in enumerate(chosen.items()):
        inside = f"{where}.{target}"
        own = dict(own)
        features = _value(own.pop("features", None), "str", f"{inside}.features", path)
        info = _make(CpuInfo, f"{where}.chip", chip, path, features=features)
        for release in releases:
            title = name + _suffix(targets, chosen, number) + (f"-{release}" if release != releases[0] else "")
            made.append(
                _make(
                    Board, inside, {**table, **own}, path, name=title, hardware=name, target=targets[target],
                    system=systems[release], memory=memory, cpuinfo=info,
                )
            )  # fmt: skip
            _check(made[-1], inside, path)
    return made


_SHARED = ("memory", "chip")


def _suffix(targets: Mapping[str, Target], chosen: Mapping[str, Any], number: int) -> str:
    return f"-{targets[list(chosen)[number]].bits}" if number else ""


def _check(board: Board, where: str, path: Path) -> None:
    """Refuse entries that parse but cannot be true."""
    if min(board.clock_mhz, board.cores, board.ram_mb) <= 0:
        raise _invalid(where, "clock_mhz, cores and ram_mb must be positive", path)
    if min(board.memory.read_gb_s_one, board.memory.read_gb_s_all, board.memory.last_cache_kb) <= 0:
        raise _invalid(where, "memory speeds and cache must be positive", path)
    if board.page_size < 4096 or board.page_size & (board.page_size - 1):
        raise _invalid(f"{where}.page_size", f"{board.page_size} is not a page size", path)
    if board.target.load_alignment < board.page_size:
        raise _invalid(f"{where}.page_size", "its target's load_alignment is smaller", path)
    for key in (board.system.python, board.system.glibc):
        if not _VERSION.fullmatch(key):
            raise _invalid(f"systems.{board.system.name}", f"{key!r} is not of the form 3.11", path)


def board(name: str, *paths: Path) -> Board:
    """The board called `name`.

    Raises:
        BuildError: for an unknown name; else as `load_boards`.
    """
    known = load_boards(*paths)
    if name not in known:
        next_step = f"use one of {', '.join(sorted(known))}, or add it to a file of your own (POTSTILL_BOARDS=FILE)"
        raise BuildError("B002", f"unknown board {name!r}", "boards.toml", next_step)
    return known[name]
