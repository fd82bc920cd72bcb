"""The session ``emulate``."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from potstill import boards
from potstill.errors import BuildError, PotstillError
from toolchains import PROJECT, tools
from toolchains.digests import digest
from toolchains.emulate import same_bits
from toolchains.emulate.chroot import HOME, Chroot
from toolchains.emulate.emulator import BOARDS as BOARD_ROOTS
from toolchains.emulate.emulator import Emulator
from toolchains.emulate.jobs import WORK, make_board, random_models, same_bits_on_boards, token_files
from toolchains.roots import sysroot
from toolchains.sessions import cpp
from toolchains.wheels.jobs import finished

MODEL = PROJECT / "build" / "sentiment" / "model.still"
NOTE = "emulated: times mean nothing"
PARTS = ("bits", "pytest", "job", "pip", "situations", "ctest")
# A model of the user's own, or the pipeline's, is 20 times the work of a random one: by default only these compare it.
MODEL_BOARDS = ("pi4", "pi5")
# What may be missing on the package mirror rather than here: a root, and with it a wheel.
_ABSENT = ("B005", "B006", "B009")


def _chosen(options: Mapping[str, str], name: str, default: Sequence[str], known: Sequence[str]) -> list[str]:
    """A comma list among the options. BuildError: a word that is not known."""
    words = options.get(name, ",".join(default)).split(",")
    for word in words:
        if word not in known:
            raise BuildError("B016", f"unknown {name[:-1]} {word!r}", f"--{name}", f"use some of {','.join(known)}")
    return words


def _available(session: Any, names: Sequence[str], *, asked: bool) -> tuple[list[Emulator], dict[str, str]]:
    """The boards that can be emulated here, and why the others cannot; a board that was asked for must be there."""
    made: list[Emulator] = []
    absent: dict[str, str] = {}
    systems: dict[tuple[str, str], str] = {}  # an archive that failed is not asked once a board
    for name in names:
        board = boards.board(name)
        system = (board.target.name, board.system.name)
        try:
            if system in systems:
                absent[name] = systems[system]
                continue
            made.append(make_board(session, name, ["pytest"]))
        except PotstillError as error:
            if asked or error.code not in _ABSENT:
                raise
            absent[name] = systems[system] = str(error)
    if not made:
        raise BuildError("B030", "no board can be emulated here", ", ".join(names), next(iter(absent.values())))
    return made, absent


def _each(emulators: Sequence[Emulator], work: Callable[[Emulator], None]) -> None:
    """`work` for each board, as many at a time as there are cores; all are tried before the first failure is raised."""
    failures: list[PotstillError] = []

    def one(emulator: Emulator) -> None:
        try:
            work(emulator)
        except PotstillError as error:
            failures.append(error)

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        list(pool.map(one, emulators))
    if failures:
        raise failures[0]


def emulate(session: Any, options: Mapping[str, str], pytest_arguments: Sequence[str]) -> None:
    """The session ``emulate``.

    Args:
        options: ``boards`` (comma list, default all of boards.toml), ``model`` (a .still file; default the
            pipeline's, if there is one), ``parts`` (comma list of `PARTS`, default all).
        pytest_arguments: for the tests on the boards.

    Raises:
        BuildError: a program failed; bits differ; wrong arguments. A board of the default list
            whose system cannot be fetched is named and left out.
    """
    asked = "boards" in options
    names = _chosen(options, "boards", list(boards.load_boards()), sorted(boards.load_boards()))
    parts = _chosen(options, "parts", PARTS, PARTS)
    own = Path(options["model"]).resolve() if "model" in options else MODEL
    if "model" in options and not own.is_file():
        raise BuildError("B017", "no such model", str(own), "run nox -s pipeline first, or leave --model out")
    # All at the start: a package missed later would fail after minutes of work.
    needed = {tool for name in names for tool in tools.for_board(boards.board(name).target)}
    tools.bootstrap(sorted(needed | set(tools.CPP_TESTS if "ctest" in parts else ())), session.log)
    session.log(NOTE)
    emulators, absent = _available(session, names, asked=asked)
    names = [emulator.board.name for emulator in emulators]
    models = random_models(session)
    expected = WORK / "same_bits-random-int8.json"
    if {"bits", "pytest"} & set(parts):  # on the board, pytest compares with what the host computed here
        same_bits_on_boards(session, models[0], expected, emulators, same_bits.MORE_SENTENCES)
    if "bits" in parts:
        for model in models:
            _equal_bits(session, model, WORK / f"same_bits-random-{model.stem.split('.')[1]}.json", emulators)
        if own.is_file():
            chosen = [emulator for emulator in emulators if asked or emulator.board.name in MODEL_BOARDS]
            _equal_bits(
                session, own, WORK / f"same_bits-{own.stem}-{digest(str(own))[:8]}.json", chosen or emulators[:1]
            )
    if "pytest" in parts:
        token_files(session)  # before boards run side by side
        _each(emulators, lambda emulator: _pytest_on(session, emulator, models[0], expected, pytest_arguments))
    if "job" in parts:
        _each(emulators, lambda emulator: _job_on(session, emulator, own if own.is_file() else models[0]))
    with ThreadPoolExecutor(1) as beside:  # each of the two keeps one core busy
        pip = beside.submit(_pip, session, emulators[0].board, models[0]) if "pip" in parts else None
        if "situations" in parts:
            _situations(session, names, models[0])
    if pip is not None:
        pip.result()
    if "ctest" in parts:
        cpp.test_boards(session, [emulator.board for emulator in emulators])
    for name, reason in absent.items():
        session.warn(f"{name} was left out: {reason}")
    session.log(f"{len(names)} boards: {', '.join(names)} ({NOTE})")


def _equal_bits(session: Any, model: Path, out: Path, emulators: Sequence[Emulator]) -> None:
    """The model's logits are the same bytes here and on the boards."""
    result = same_bits_on_boards(session, model, out, emulators, same_bits.MORE_SENTENCES)
    combinations = sum(len(run["combinations"]) for run in [result["host"], *result["runs"]])
    session.log(
        f"{model.name}: equal bytes of {len(result['logits'])} texts in {combinations} combinations of kernels, "
        f"threads and batches here and on {len(emulators)} boards"
    )


def _captured(session: Any, emulator: Emulator, command: Sequence[str], variables: Mapping[str, str]) -> str:
    """What a program of the board prints; boards run side by side, so it is shown only when it failed."""
    name = emulator.board.name
    return emulator.run(command, variables, 900, show=lambda text: session.warn(f"{name}, emulated:\n{text}"))


def _pytest_on(session: Any, emulator: Emulator, model: Path, expected: Path, arguments: Sequence[str]) -> None:
    """tests/emulated by the board's own Python; pytest was unpacked into its site folder by the host."""
    tokens = token_files(session)
    variables = {"POTSTILL_MODEL": str(model), "POTSTILL_EXPECTED": str(expected), "POTSTILL_TOKENS": str(tokens)}
    folder = str(PROJECT / "tests" / "emulated")
    # Only this folder's conftest: the one above it is for the libraries of the build host.
    run = emulator.python("-m", "pytest", "-q", "-p", "no:cacheprovider", "--confcutdir", folder, folder, *arguments)
    lines = _captured(session, emulator, run, variables).strip().splitlines()
    session.log(f"{emulator.board.name}, emulated as {emulator.board.qemu_cpu}: pytest: {lines[-1].strip('= ')}")


def _job_on(session: Any, emulator: Emulator, model: Path) -> None:
    """The main job."""
    command = emulator.python("-m", "potstill.cli", "run", str(model), *same_bits.SENTENCES)
    answers = _captured(session, emulator, command, {}).split("\n")
    labels = ", ".join(line.partition("\t")[0] for line in answers if line)
    session.log(f"{emulator.board.name}, emulated: potstill run {model.name}: {labels}")


def _pip(session: Any, board: boards.Board, model: Path) -> None:
    """What an owner types, once: a virtual environment on the board, the wheel from a file, the command."""
    packages = [*board.system.packages, "python3-venv"]
    root = sysroot.make_root(board.target.debian, board.system.name, packages, say=session.log)
    emulator = Emulator(board, root, BOARD_ROOTS / "pip")
    machine = Chroot(emulator)
    if machine.unavailable:
        session.warn(f"pip on the emulated {board.title} was left out: {machine.unavailable}")
        return
    home = emulator.root / HOME.lstrip("/")
    shutil.rmtree(home)
    home.mkdir()
    wheel = finished(board)
    shutil.copy(wheel, home)
    shutil.copy(model, home / "model.still")
    for command in (
        ["/usr/bin/python3", "-m", "venv", "v"],
        ["v/bin/pip", "install", "--no-index", f"./{wheel.name}"],
        ["v/bin/potstill", "run", "model.still", same_bits.SENTENCES[0]],
    ):
        printed = machine.run(command).stdout.strip().splitlines()
        session.log(f"{board.name}, emulated: $ {' '.join(command[:4])}  {printed[-1] if printed else ''}")


def _situations(session: Any, names: Sequence[str], model: Path) -> None:
    """tests/situations on this host: what must end in a clear message on a board."""
    folder = PROJECT / "tests" / "situations"
    variables = {"POTSTILL_EMULATED": ",".join(names), "POTSTILL_MODEL": str(model)}
    command = ["python", "-m", "pytest", "-q", "-p", "no:cacheprovider", "--confcutdir", str(folder), str(folder)]
    session.run(*command, env=variables)
