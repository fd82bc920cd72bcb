# /// script
# requires-python = ">=3.11"
# dependencies = ["nox>=2026.10"]
# ///
"""The only door: ``nox -s SESSION``. Every session installs what it needs, Debian packages included, and only once.

Environments are kept; a session that finds nothing changed starts its work within a second.
"""

from __future__ import annotations

import sys
from pathlib import Path

import nox

sys.path.insert(0, str(Path(__file__).resolve().parent))

from toolchains import environment, tools
from toolchains.cycles import bench as cycles
from toolchains.cycles import counts
from toolchains.emulate import jobs as board_jobs
from toolchains.packages import build as package
from toolchains.sessions import cpp, emulation
from toolchains.wheels import jobs as wheel_jobs
from toolchains.wheels import sdist

nox.options.default_venv_backend = "virtualenv"  # not uv: it ignores pip's settings and would fetch CUDA's PyTorch
nox.options.reuse_venv = "yes"
nox.options.sessions = ["lint", "tests"]
nox.options.stop_on_first_error = True

PIPELINE_BOARDS = MODELLED_BOARDS = ("pi4", "pi5")
EVERYTHING = ("build", "tflite", "onnxruntime", "bench")
WHEELS = wheel_jobs.known_goals()  # from boards.toml: machine types and Pythons


@nox.session(requires=wheel_jobs.wheel_sessions(default=PIPELINE_BOARDS))
@environment.friendly
def pipeline(session: nox.Session) -> None:
    """Recipe to answer: train, distil, export, compile, verify, run on an emulated Pi 4 and Pi 5, report.

    ``nox -s pipeline -- [RECIPE] [--set key=value ...] [--out DIR]``; the recipe defaults to sentiment.
    """
    environment.install(session, *EVERYTHING, wheel=wheel_jobs.host_wheel())
    arguments, out = environment.build_arguments(session.posargs)
    session.run("potstill", *arguments, "--no-table")
    emulators = [board_jobs.make_board(session, name) for name in PIPELINE_BOARDS]
    board_jobs.same_bits_on_boards(session, out / "model.still", out / "emulated.json", emulators)
    session.run("potstill", "report", str(out))


@nox.session(requires=["wheels(host)"])
@environment.friendly
def tests(session: nox.Session) -> None:
    """Python tests against the built wheel, on all cores.

    ``-- fast``: in a minute, what needs no training and no second process. Other arguments go to pytest.
    """
    environment.install(session, *EVERYTHING, "test", wheel=wheel_jobs.host_wheel())
    session.run("python", "-m", "pytest", *environment.pytest_arguments(session.posargs))


@nox.session(requires=["wheels(host)"])
@environment.friendly
def builds(session: nox.Session) -> None:
    """Whole builds and longer training: each task, kind of student, family of teachers; budgets, kills, processes.

    Arguments go to pytest: ``-- -k budget``.
    """
    environment.install(session, *EVERYTHING, "test", wheel=wheel_jobs.host_wheel())
    session.run("python", "-m", "pytest", "--builds", *environment.workers(), *session.posargs)


@nox.session(requires=["wheels(host)"])
@environment.friendly
def conformance(session: nox.Session) -> None:
    """Every node test of the installed onnx through the compiler: right or refused by a numbered error."""
    environment.install(session, "conformance", wheel=wheel_jobs.host_wheel())
    session.run("python", "-m", "toolchains.sessions.conformance")


@nox.session(requires=["wheels(host)"])
@environment.friendly
def tokenizers(session: nox.Session) -> None:
    """Tokenizers in 20 forms of the hub beside Hugging Face's library: every id and place equal, and how fast."""
    environment.install(session, "conformance", wheel=wheel_jobs.host_wheel())
    session.run("python", "-m", "toolchains.sessions.tokenizers")


@nox.session(requires=["wheels(host)"])
@environment.friendly
def foreign(session: nox.Session) -> None:
    """Other people's quantized taggers from their own ONNX: tags, size and time beside onnxruntime's."""
    environment.install(session, "conformance", wheel=wheel_jobs.host_wheel())
    session.run("python", "-m", "toolchains.sessions.foreign")


@nox.session
@environment.friendly
def lint(session: nox.Session) -> None:
    """ruff, mypy --strict, clang-format, clang-tidy: everything an error, nothing of PyTorch needed."""
    tools.bootstrap(tools.CPP_TESTS, session.log)
    environment.install(session, "lint")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy", "--strict", "python", "toolchains", "noxfile.py", "tests/runtime/typed_use.py")
    session.run("clang-format", "--dry-run", "-Werror", *map(str, cpp.sources()))
    cpp.tidy(session)


@nox.session(name="cpp")
@environment.friendly
def cpp_session(session: nox.Session) -> None:
    """C++ tests by ctest, on this machine or, with ``-- --board pi4``, cross-built for an emulated board."""
    tools.bootstrap(tools.CPP_TESTS, session.log)
    cpp.test(session, session.posargs)


@nox.session(name="wheels")
@nox.parametrize("name", [nox.param(name, id=name) for name in WHEELS])
@environment.friendly
def wheels_session(session: nox.Session, name: str) -> None:
    """Build and audit a wheel into dist/: this machine's, and one for each machine type and Python of boards.toml."""
    tools.bootstrap(wheel_jobs.tools_of(name), session.log)
    environment.install(session, "wheel")
    if wheel_jobs.build_wheel(session, name) is None:
        session.skip(f"no wheel for {name}; the others are not affected")


@nox.session(name="audit")
@environment.friendly
def audit_session(session: nox.Session) -> None:
    """Audit the wheels in dist/, or ``-- FILE.whl ...``, against what their file names promise.

    Machine, Python, glibc floor, alignment, size, requirements, contents, and from the file alone that no instruction
    above the baseline is outside its kernel set. ``-- --reproducible``: build each again elsewhere, the same bytes.
    """
    environment.install(session, "wheel")
    wheel_jobs.audit(session, session.posargs)


@nox.session(name="sdist")
@environment.friendly
def sdist_session(session: nox.Session) -> None:
    """Source archive into dist/, its files checked against git's, and built as pip does on a Pi: isolated, natively."""
    tools.bootstrap(tools.NATIVE, session.log)
    environment.install(session, "wheel")
    sdist.session(session)


@nox.session(requires=wheel_jobs.wheel_sessions(sys.argv))
@environment.friendly
def emulate(session: nox.Session) -> None:
    """Every board of boards.toml under an emulator with its CPU and page size: times mean nothing, answers do.

    bits: equal logits here and there, every kernel set, 1, 2 and 4 threads, every scheme. pytest: the installed wheel's
    tests by the board's Python. job: potstill run. pip: once, a virtual environment and pip on the board itself.
    situations: what must end in a clear message. ctest: the C++ tests, once a CPU.
    ``-- --boards pi4,pi5-trixie`` for some boards only, ``--model FILE.still`` for a model of your own, and
    ``--parts bits,pytest,job,pip,situations,ctest`` for some of the work.
    """
    options, rest = environment.split_options(session.posargs, ["boards", "model", "parts"])
    environment.install(session, "emulate", wheel=wheel_jobs.host_wheel())
    emulation.emulate(session, options, rest)


@nox.session(name="package", requires=["wheels(host)"])
@environment.friendly
def package_session(session: nox.Session) -> None:
    """C and C++ library and potstill-run into dist/ (.tar.gz and .deb), audited and tried from the outside.

    Its examples are built by find_package and pkg-config, shared and static; their logits must be the wheel's.
    ``-- --board pi4`` (default; ``pi4-32`` for 32-bit, ``host`` for this machine, or several: ``pi4,pi4-32,host``) and
    ``--model FILE.still`` to run them on, by default a random one.
    """
    options, _ = environment.split_options(session.posargs, ["board", "model"])
    goals = package.goals_of(options.get("board", "pi4"))
    tools.bootstrap(package.tools_of(goals), session.log)
    environment.install(session, "emulate", "wheel", wheel=wheel_jobs.host_wheel())
    package.package(session, goals, options)


@nox.session(name="counts", venv_backend="none")
@environment.friendly
def counts_session(session: nox.Session) -> None:
    """Instructions of every kernel (neon, neon_dotprod, avx2) against cpp/bench/kernel_counts.json: 5 % more fails.

    ``-- --update`` rewrites that file after a wanted change.
    """
    tools.bootstrap(counts.TOOLS, session.log)
    counts.check(session, "--update" in session.posargs)


@nox.session(requires=["wheels(host)"])
@environment.friendly
def bench(session: nox.Session) -> None:
    """Times of Potstill, PyTorch, onnxruntime and LiteRT here: ``-- [MODEL.still] [options of potstill bench]``."""
    environment.install(session, *EVERYTHING, wheel=wheel_jobs.host_wheel())
    default = ["build/sentiment/model.still", "--peers", "--only", "pytorch,onnxruntime,litert"]
    session.run("potstill", "bench", *(session.posargs or default))


@nox.session(requires=["wheels(host)"])
@environment.friendly
def peers(session: nox.Session) -> None:
    """Potstill and every engine that installs, in one run on the same weights: ``-- [MODEL.still] [options]``.

    Without a model: the common student (BERT 4 x 312, random weights), made once. ``-- --quick`` for a first look,
    ``-- --json FILE --png FILE`` to keep the figures, ``-- --help`` for the rest.
    """
    environment.install(session, *EVERYTHING, wheel=wheel_jobs.host_wheel())
    environment.install_optional(session, environment.requirements(["peers"]))
    session.run("potstill", "bench", "--peers", *session.posargs)


@nox.session(venv_backend="none")
@environment.friendly
def kernels(session: nox.Session) -> None:
    """The kernels alone, in multiply-adds a second: ``-- [SET ...] [--benchmark_filter=REGEX]``."""
    tools.bootstrap(tools.CPP_BENCH, session.log)
    cpp.bench_kernels(session, session.posargs)


@nox.session(name="cycles", requires=wheel_jobs.wheel_sessions(sys.argv, MODELLED_BOARDS))
@environment.friendly
def cycles_session(session: nox.Session) -> None:
    """Instructions and modelled cycles of Potstill and its peers on emulated boards. A model: it ranks, it does not
    promise milliseconds.

    ``-- [MODEL.still ...] [--board pi4,pi5] [--lengths 16,64] [--peers none] [--json FILE] [--top 10]``; without a
    model random weights of the common student's shape.
    """
    tools.bootstrap(tools.CYCLES, session.log)
    options, models = environment.split_options(session.posargs, cycles.OPTIONS)
    cycles.bench(session, {"board": ",".join(MODELLED_BOARDS), **options}, models)


@nox.session(requires=wheel_jobs.wheel_sessions(default=MODELLED_BOARDS))
@environment.friendly
def calibrate(session: nox.Session) -> None:
    """The tables behind ``potstill bench MODEL.still --board NAME``: random encoders of many shapes, counted, modelled,
    fitted.

    ``-- ours`` (10 minutes; ``-- ours --fit-only`` from the last counts) or ``-- peers`` (an hour) rewrites a table;
    ``-- check [MODEL.still ...]`` holds the model against measured time on this x86-64 machine.
    """
    environment.install(session, *EVERYTHING, "cycles", wheel=wheel_jobs.host_wheel())
    tools.bootstrap((*tools.CYCLES, *tools.NATIVE), session.log)
    session.run("python", "-m", "toolchains.cycles", *session.posargs)
