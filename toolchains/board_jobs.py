"""The work of the nox sessions on emulated boards; wheel_jobs.py makes the wheels they install."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from toolchains import boards, cpp, environment, same_bits, sysroot, tools
from toolchains.emulate import Emulator
from toolchains.failures import PROJECT, build_error
from toolchains.wheel_jobs import asked_boards, finished, host_wheel, wheel_sessions

MODEL = PROJECT / "build" / "sentiment" / "model.still"
WORK = PROJECT / ".cache" / "emulate"
SMALL_MODEL = PROJECT / "toolchains" / "small_model.py"


def make_boards(session: Any, names: Sequence[str], packages: Sequence[str] = ()) -> list[Emulator]:
    """Emulated boards with the cross-built wheel, and pure Python `packages`, installed."""
    made = []
    for name in names:
        board = boards.board(name)
        emulator = Emulator(board, sysroot.root_of(board, session.log))
        extras = [environment.pure_packages(session, packages, board.system.python)] if packages else []
        emulator.install(finished(board), extras)
        made.append(emulator)
    return made


def same_bits_on_boards(
    session: Any, model: Path, out: Path, names: Sequence[str], texts: Sequence[str] = same_bits.SENTENCES
) -> dict[str, Any]:
    """Compare the host's logits with the boards' and write `out`; see `same_bits.compare`."""
    return same_bits.compare(
        model,
        texts,
        python=str(Path(session.bin) / "python"),
        wheels=[host_wheel(), *sorted({finished(boards.board(name)) for name in names})],
        emulators=lambda: make_boards(session, names),
        names=names,
        out=out,
        say=session.log,
    )


def _small_models(session: Any) -> list[Path]:
    """A random model of the common student's shape in every scheme, int8 first, made once a wheel. An environment that
    can compile models is borrowed from the sessions pipeline or tests when one is there, else set up here (2 minutes).
    """
    wheel = host_wheel()
    digest = hashlib.sha256(wheel.read_bytes() + SMALL_MODEL.read_bytes()).hexdigest()[:12]
    made = WORK / digest
    if (made / ".complete").is_file():
        return sorted(made.glob("*.still"), key=lambda path: (path.name != "model.int8.still", path.name))
    python = None
    for name in ("pipeline", "tests", "bench"):
        folder = Path(session.virtualenv.location).parent / name
        if environment.has_wheel(folder, wheel):
            python = str(folder / "bin" / "python")
    if python is None:
        environment.install(session, environment.requirements(["build"], ["emulate"]), torch=True)
        python = "python"
    made.mkdir(parents=True, exist_ok=True)
    session.run(python, "-m", "toolchains.small_model", str(made), external=True)
    (made / ".complete").touch()
    return _small_models(session)


PARTS = ("bits", "pytest", "job", "ctest")
# Every core, the newer system in 64 bits, and 32-bit systems; the other entries of boards.toml differ from these in
# clock and memory only. pi4-32-trixie runs when its packages can be had: name it.
BOARDS = ("pi3", "pi4", "pi5", "pi2", "pi4-32", "pi4-trixie", "pi5-trixie")


def emulate_wheels(words: Sequence[str]) -> list[str]:
    """The wheel sessions that ``nox -s emulate`` needs, from nox's command line."""
    names = asked_boards(words) or BOARDS
    return ["wheels(host)", *wheel_sessions(names)]


def _chosen(options: Mapping[str, str], name: str, default: Sequence[str], known: Sequence[str]) -> list[str]:
    """A comma list among the options; B016 for a word that is not known."""
    words = options.get(name, ",".join(default)).split(",")
    for word in words:
        if word not in known:
            raise build_error("B016", f"unknown {name[:-1]} {word!r}", f"--{name}", f"use some of {','.join(known)}")
    return words


def _models(session: Any, options: Mapping[str, str]) -> list[Path]:
    """The models to run: the one asked for, else the pipeline's, if there is one, and small ones of every scheme."""
    if "model" in options:
        asked = Path(options["model"]).resolve()
        if not asked.is_file():
            raise build_error("B017", "no such model", str(asked), "run nox -s pipeline first, or leave --model out")
        return [asked]
    return [*([MODEL] if MODEL.is_file() else []), *_small_models(session)]


def emulate(session: Any, options: Mapping[str, str], pytest_arguments: Sequence[str]) -> None:
    """The session ``emulate``: equal bits, pytest on the boards, the main job, the C++ tests.

    Args:
        options: ``boards`` (comma list, default `BOARDS`),
            ``model`` (a .still file; default the pipeline's, and random ones of the same shape in every scheme),
            ``parts`` (comma list of `PARTS`, default all).
    """
    names = _chosen(options, "boards", BOARDS, sorted(boards.load_boards()))
    parts = _chosen(options, "parts", PARTS, PARTS)
    models = _models(session, options)
    model = models[0]
    expected = WORK / ("same_bits-" + "-".join(names) + ".json")
    expected.parent.mkdir(parents=True, exist_ok=True)
    if "bits" in parts:
        for one in models:
            _bits(session, one, names)
    if "pytest" in parts:  # on the board it compares with what the host computed here
        same_bits_on_boards(session, model, expected, names, same_bits.MORE_SENTENCES)
    for emulator in make_boards(session, names, ["pytest"]) if {"pytest", "job"} & set(parts) else ():
        if "pytest" in parts:
            _pytest_on(session, emulator, model, expected, pytest_arguments)
        if "job" in parts:
            session.log(f"{emulator.board.title}, emulated: potstill run {model.name} (times mean nothing)")
            job = emulator.python("-m", "potstill.cli", "run", str(model), *same_bits.SENTENCES)
            environment.run_replacing(session, job, emulator.environment())
    if "ctest" in parts:
        tools.bootstrap(tools.CPP_TESTS, session.log)
        for board in {(b.target.name, b.qemu_cpu): b for b in map(boards.board, names)}.values():
            cpp.test(session, board, [])


def _bits(session: Any, model: Path, names: Sequence[str]) -> None:
    """Equal bytes of one model's logits here and on the boards."""
    place = hashlib.sha256(str(model).encode()).hexdigest()[:8]
    out = WORK / f"same_bits-{'-'.join(names)}-{model.stem}-{place}.json"
    result = same_bits_on_boards(session, model, out, names, same_bits.MORE_SENTENCES)
    combinations = sum(len(run["combinations"]) for run in [result["host"], *result["runs"]])
    cpus = ", ".join(run["cpu"] for run in result["runs"])
    session.log(f"{model.name}: equal bytes of {len(result['logits'])} texts in {combinations} combinations; {cpus}")


def _pytest_on(session: Any, emulator: Emulator, model: Path, expected: Path, arguments: Sequence[str]) -> None:
    """tests/emulated by the board's own Python; pytest was unpacked into its site folder by the host."""
    session.log(f"{emulator.board.title}, emulated: pytest")
    variables = {"POTSTILL_MODEL": str(model), "POTSTILL_EXPECTED": str(expected)}
    folder = str(PROJECT / "tests" / "emulated")
    # Only this folder's conftest: the one above it is for the libraries of the build host.
    run = emulator.python("-m", "pytest", "-q", "-p", "no:cacheprovider", "--confcutdir", folder, folder, *arguments)
    environment.run_replacing(session, run, emulator.environment(variables))
