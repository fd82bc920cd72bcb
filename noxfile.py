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

from toolchains.cycles import bench as cycles

from toolchains import boards, counts, cpp, environment, jobs, package, tools

nox.options.default_venv_backend = "virtualenv"  # not uv: it ignores pip's settings and would fetch CUDA's PyTorch
nox.options.reuse_venv = "yes"
nox.options.sessions = ["lint", "tests"]
nox.options.stop_on_first_error = True

EVERYTHING = ("build", "tflite", "onnxruntime", "bench")
TARGETS = {"host": tools.NATIVE, "aarch64": tools.AARCH64, "armv7l": tools.ARMV7L}


@nox.session(requires=["wheels(host)", "wheels(aarch64)"])
@environment.friendly
def pipeline(session: nox.Session) -> None:
    """Recipe to answer: train, distil, export, compile, verify, run on an emulated Pi 4 and Pi 5, report.

    ``nox -s pipeline -- [RECIPE] [--set key=value ...] [--out DIR]``; the recipe defaults to sentiment.
    """
    environment.install(session, environment.requirements(EVERYTHING), torch=True)
    environment.install_wheel(session, jobs.host_wheel())
    arguments, out = environment.build_arguments(session.posargs)
    session.run("potstill", *arguments, "--no-table")
    jobs.same_bits_on_boards(session, out / "model.still", out / "emulated.json", ("pi4", "pi5"))
    session.run("potstill", "report", str(out))


@nox.session(requires=["wheels(host)"])
@environment.friendly
def tests(session: nox.Session) -> None:
    """Python tests against the built wheel; arguments after -- go to pytest."""
    environment.install(session, environment.requirements(EVERYTHING, ["test"]), torch=True)
    environment.install_wheel(session, jobs.host_wheel())
    session.run("python", "-m", "pytest", *(session.posargs or ["-q"]))


@nox.session
@environment.friendly
def lint(session: nox.Session) -> None:
    """ruff, mypy --strict, clang-format, clang-tidy: everything an error, nothing of PyTorch needed."""
    tools.bootstrap(tools.CPP_TESTS, session.log)
    environment.install(session, environment.requirements(groups=["lint"]))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy", "--strict", "python", "toolchains", "noxfile.py")
    session.run("clang-format", "--dry-run", "-Werror", *map(str, cpp.sources()))
    cpp.tidy(session)


@nox.session(name="cpp")
@environment.friendly
def cpp_session(session: nox.Session) -> None:
    """C++ tests by ctest, on this machine or, with ``-- --board pi4``, cross-built for an emulated board."""
    options, rest = environment.split_options(session.posargs, ["board"])
    tools.bootstrap(tools.CPP_TESTS, session.log)
    cpp.test(session, boards.board(options["board"]) if "board" in options else None, rest)


@nox.session(name="wheels")
@nox.parametrize("target", [nox.param(name, id=name) for name in TARGETS])
@environment.friendly
def wheels_session(session: nox.Session, target: str) -> None:
    """Build and audit a wheel into dist/: for this machine, 64-bit and 32-bit Raspberry Pi OS."""
    tools.bootstrap(TARGETS[target], session.log)
    environment.install(session, environment.requirements(groups=["wheel"]))
    jobs.build_wheel(session, target)


@nox.session(name="package", requires=["wheels(host)"])
@environment.friendly
def package_session(session: nox.Session) -> None:
    """C and C++ library, headers and potstill-run as .tar.gz and .deb in dist/, tried from the outside.

    ``-- [--target aarch64,armv7l,host] [--board pi4|none] [--model FILE.still]``; default: aarch64 on a Pi 4.
    """
    options, _ = environment.split_options(session.posargs, ["target", "board", "model"])
    for target, _board in package.targets_of(options):
        tools.bootstrap(package.TOOLS[target], session.log)
    environment.install(session, ["pyelftools>=0.30", "flatbuffers>=24", "numpy>=1.26", "xxhash>=3.4"])
    environment.install_wheel(session, jobs.host_wheel())
    package.package(session, options)


@nox.session(requires=jobs.emulate_wheels(sys.argv))
@environment.friendly
def emulate(session: nox.Session) -> None:
    """Install the cross-built wheels into unpacked Raspberry Pi roots; compare bits, run tests and the main job.

    Bits: Pi 2 (32-bit), 3, 4 and 5, every kernel set, 1, 2 and 4 threads, every scheme; the rest as a Pi 4 and a Pi 5.
    ``-- --boards pi4`` for some boards only, ``--model FILE.still`` for a model of your own, and
    ``--parts bits,pytest,job,ctest`` for some of the work.
    """
    options, rest = environment.split_options(session.posargs, ["boards", "model", "parts"])
    environment.install(session, environment.requirements(groups=["emulate"]))
    environment.install_wheel(session, jobs.host_wheel())
    jobs.emulate(session, options, rest)


@nox.session(name="counts", venv_backend="none")
@environment.friendly
def counts_session(session: nox.Session) -> None:
    """Instructions of every kernel (neon, neon_dotprod, avx2) against cpp/bench/kernel_counts.json: 5 % more fails.

    ``-- --update`` rewrites that file after a wanted change.
    """
    tools.bootstrap(counts.TOOLS, session.log)
    counts.check(session, "--update" in session.posargs)


# Only a bench on an emulated board needs the cross-built wheel, and with it the cross compiler; kernels need none.
BENCH_WHEELS = [] if "--kernels" in sys.argv else ["wheels(host)"]
if any(word.startswith("--board") for word in sys.argv):
    BENCH_WHEELS.append("wheels(aarch64)")


@nox.session(requires=BENCH_WHEELS)
@environment.friendly
def bench(session: nox.Session) -> None:
    """Times of Potstill, PyTorch, onnxruntime and LiteRT here: ``-- [MODEL.still] [options of potstill bench]``.

    ``-- --board pi4,pi5 [MODEL.still ...] [--lengths 16,64] [--peers none] [--json FILE] [--top 10]``: instructions
    and modelled cycles on emulated boards instead. A model: it ranks, it does not promise milliseconds.
    ``-- --kernels [SET ...] [--benchmark_filter=REGEX]``: the kernels alone, in multiply-adds a second.
    """
    if any(word.startswith("--board") for word in session.posargs):
        cycles.bench(session, *environment.split_options(session.posargs, cycles.OPTIONS))
        return
    if "--kernels" in session.posargs:
        tools.bootstrap(tools.CPP_BENCH, session.log)
        cpp.bench_kernels(session, [word for word in session.posargs if word != "--kernels"])
        return
    environment.install(session, environment.requirements(EVERYTHING), torch=True)
    environment.install_wheel(session, jobs.host_wheel())
    default = ["build/sentiment/model.still", "--peers", "--only", "pytorch,onnxruntime,litert"]
    session.run("potstill", "bench", *(session.posargs or default))


@nox.session(requires=["wheels(host)"])
@environment.friendly
def peers(session: nox.Session) -> None:
    """Potstill and every engine that installs, in one run on the same weights: ``-- [MODEL.still] [options]``.

    Without a model: the common student (BERT 4 x 312, random weights), made once. ``-- --quick`` for a first look,
    ``-- --json FILE --png FILE`` to keep the figures, ``-- --help`` for the rest.
    """
    environment.install(session, environment.requirements(EVERYTHING), torch=True)
    environment.install_optional(session, environment.requirements(["peers"]))
    environment.install_wheel(session, jobs.host_wheel())
    session.run("potstill", "bench", "--peers", *session.posargs)
