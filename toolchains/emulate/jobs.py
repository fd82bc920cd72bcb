"""Emulated boards with their wheels installed, and what sessions run on all of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from potstill import boards
from potstill.work.atomic import atomic_folder
from toolchains import PROJECT, environment
from toolchains.digests import digest
from toolchains.emulate import same_bits
from toolchains.emulate.emulator import Emulator
from toolchains.roots import sysroot
from toolchains.wheels.jobs import finished, host_wheel

WORK = PROJECT / ".cache" / "emulate"
RANDOM_MODEL = PROJECT / "toolchains" / "emulate" / "random_model.py"
TOKENS = PROJECT / "toolchains" / "emulate" / "tokens.py"
TOKENIZERS = PROJECT / "toolchains" / "tokenizers"


def make_board(session: Any, name: str, packages: Sequence[str] = ()) -> Emulator:
    """One emulated board with the cross-built wheel, and pure Python `packages`, installed."""
    board = boards.board(name)
    emulator = Emulator(board, sysroot.root_of(board, session.log))
    extras = [environment.site(session, packages, board.system)] if packages else []
    emulator.install(finished(board), extras)
    return emulator


def same_bits_on_boards(
    session: Any, model: Path, out: Path, emulators: Sequence[Emulator], texts: Sequence[str] = same_bits.SENTENCES
) -> dict[str, Any]:
    """Compare the host's logits with the boards' and write `out`; see `same_bits.compare`."""
    wheels = [host_wheel(), *sorted({finished(emulator.board) for emulator in emulators})]
    python = str(Path(session.bin) / "python")
    return same_bits.compare(model, texts, emulators, out, python=python, wheels=wheels, say=session.log)


def random_models(session: Any) -> list[Path]:
    """A random model in every scheme, int8 first, made once a wheel (3 seconds)."""
    made = WORK / digest(host_wheel(), RANDOM_MODEL)[:12]
    if not made.is_dir():
        with atomic_folder(made) as out:
            session.run("python", "-m", "toolchains.emulate.random_model", str(out))
    return int8_first(made)


def token_files(session: Any) -> Path:
    """The folder of `toolchains.emulate.tokens`, made once a wheel (10 seconds)."""
    made = WORK / f"tokens-{digest(host_wheel(), TOKENS, *sorted(TOKENIZERS.glob('*.py')))[:12]}"
    if not made.is_dir():
        with atomic_folder(made) as out:
            session.run("python", "-m", "toolchains.emulate.tokens", str(out))
    return made


def int8_first(folder: Path) -> list[Path]:
    """The .still files of a folder, ``model.int8.still`` first."""
    return sorted(folder.glob("*.still"), key=lambda path: (path.name != "model.int8.still", path.name))
