"""Emulated boards with their wheels installed, and what sessions run on all of them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from potstill import boards
from toolchains import PROJECT, environment
from toolchains.emulate import same_bits
from toolchains.emulate.emulator import Emulator
from toolchains.roots import sysroot
from toolchains.wheels.jobs import finished, host_wheel

WORK = PROJECT / ".cache" / "emulate"
RANDOM_MODEL = PROJECT / "toolchains" / "emulate" / "random_model.py"


def make_board(session: Any, name: str, packages: Sequence[str] = ()) -> Emulator:
    """One emulated board with the cross-built wheel, and pure Python `packages`, installed."""
    board = boards.board(name)
    emulator = Emulator(board, sysroot.root_of(board, session.log))
    extras = [environment.site(session, packages, board.system)] if packages else []
    emulator.install(finished(board), extras)
    return emulator


def make_boards(session: Any, names: Sequence[str], packages: Sequence[str] = ()) -> list[Emulator]:
    """`make_board` for each of `names`."""
    return [make_board(session, name, packages) for name in names]


def same_bits_on_boards(
    session: Any,
    model: Path,
    out: Path,
    names: Sequence[str],
    texts: Sequence[str] = same_bits.SENTENCES,
    emulators: Sequence[Emulator] | None = None,
) -> dict[str, Any]:
    """Compare the host's logits with the boards' and write `out`; see `same_bits.compare`.

    Args:
        emulators: the boards called `names`, if they have been made.
    """
    return same_bits.compare(
        model,
        texts,
        python=str(Path(session.bin) / "python"),
        wheels=[host_wheel(), *sorted({finished(boards.board(name)) for name in names})],
        emulators=lambda: emulators or make_boards(session, names),
        names=names,
        out=out,
        say=session.log,
    )


def random_models(session: Any) -> list[Path]:
    """A random model in every scheme, int8 first, made once a wheel (3 seconds)."""
    digest = hashlib.sha256(host_wheel().read_bytes() + RANDOM_MODEL.read_bytes()).hexdigest()[:12]
    made = WORK / digest
    if not (made / ".complete").is_file():
        made.mkdir(parents=True, exist_ok=True)
        session.run("python", "-m", "toolchains.emulate.random_model", str(made))
        (made / ".complete").touch()
    return int8_first(made)


def int8_first(folder: Path) -> list[Path]:
    """The .still files of a folder, ``model.int8.still`` first."""
    return sorted(folder.glob("*.still"), key=lambda path: (path.name != "model.int8.still", path.name))
