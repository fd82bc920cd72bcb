"""Which wheels there are: from boards.toml, from a user's own boards, on hosts of other machine types."""

from __future__ import annotations

from pathlib import Path

import pytest
from toolchains.goals import board_goal, host_goal

from potstill import boards
from potstill.errors import PotstillError
from toolchains import goals, tools
from toolchains.wheels import build as wheels
from toolchains.wheels import jobs as wheel_jobs

OWN_BOARD = """
[systems.noble]
python = "{python}"
glibc = "{glibc}"
packages = ["libpython3-dev"]

[boards.testers-own]
title = "Another board"
core = "cortex-a76"
clock_mhz = 2000
cores = 4
ram_mb = 4096
systems = {systems}
memory = {{ read_gb_s_one = 9.0, read_gb_s_all = 10.0, last_cache_kb = 3072, source = "a guess" }}
chip = {{ implementer = 0x41, architecture = 8, variant = 4, part = 0xd0b, revision = 0 }}
[boards.testers-own.aarch64]
qemu_cpu = "cortex-a76"
page_size = 4096
features = "fp asimd"
"""


def _own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **changed: str) -> None:
    file = tmp_path / "own.toml"
    values = {"python": "3.12", "glibc": "2.39", "systems": '["noble"]', **changed}
    file.write_text(OWN_BOARD.format(**values), encoding="utf-8")
    monkeypatch.setenv("POTSTILL_BOARDS", str(file))


@pytest.fixture(autouse=True)
def no_own_boards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tester's own boards are ignored."""
    monkeypatch.delenv("POTSTILL_BOARDS", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))


BUILT_IN = {"aarch64-cp311", "aarch64-cp313", "armv7l-cp311", "armv7l-cp313"}


def test_wheels_of_the_built_in_boards() -> None:
    assert set(wheel_jobs.known_goals()) == {"host", *BUILT_IN}
    assert {board_goal(board).name for board in boards.load_boards().values()} == BUILT_IN


def test_own_board_with_a_known_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _own(tmp_path, monkeypatch, systems='["bookworm"]')
    assert board_goal(boards.board("testers-own")).folder == board_goal(boards.board("pi4")).folder
    assert set(wheel_jobs.known_goals()) == {"host", *BUILT_IN}


def test_own_board_with_a_system_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _own(tmp_path, monkeypatch)
    assert set(wheel_jobs.known_goals()) == {"host", *BUILT_IN, "aarch64-cp312"}
    needed = ["wheels(host)", "wheels(aarch64-cp311)", "wheels(aarch64-cp312)"]
    assert wheel_jobs.wheel_sessions(default=["testers-own", "pi4", "pi5"]) == needed


def test_oldest_glibc_is_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two systems with one Python share a wheel; it must run on the older."""
    _own(tmp_path, monkeypatch, python="3.13", glibc="2.31")
    goal = wheel_jobs.known_goals()["aarch64-cp313"]
    assert goal.glibc == "2.31" and goal.board is not None and goal.board.name == "testers-own"
    assert goals.goal_of(Path("potstill-0.1.0-cp313-cp313-manylinux_2_34_aarch64.whl")).glibc == "2.31"


def test_broken_own_file_leaves_the_sessions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """nox -l still lists the built-in ones; the session itself names the mistake."""
    monkeypatch.setenv("POTSTILL_BOARDS", str(tmp_path / "absent.toml"))
    assert set(wheel_jobs.known_goals()) == {"host", *BUILT_IN}
    with pytest.raises(PotstillError, match=r"error\[B003\].*absent.toml"):
        wheel_jobs.tools_of("aarch64-cp311")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["nox", "-s", "emulate"], None),
        (["nox", "-s", "emulate", "--", "--boards", "pi4,pi5"], ["pi4", "pi5"]),
        (["nox", "-s", "bench", "--", "--board=pi3", "m.still"], ["pi3"]),
        (["nox", "-s", "bench", "--", "--board"], []),
    ],
)
def test_asked_boards(words: list[str], expected: list[str] | None) -> None:
    assert wheel_jobs.asked_boards(words) == expected


def test_wheels_of_a_session() -> None:
    """All boards by default; those named need only their own; listing sessions with an unknown board does not fail,
    the session will."""
    every = wheel_jobs.wheel_sessions(["nox", "-s", "emulate"])
    assert every == ["wheels(host)", *(f"wheels({name})" for name in sorted(BUILT_IN))]
    words = ["nox", "--", "--boards", "pi4,pi5"]
    assert wheel_jobs.wheel_sessions(words, default=["pi2"]) == ["wheels(host)", "wheels(aarch64-cp311)"]
    assert wheel_jobs.wheel_sessions(["--boards=pi2-trixie,pi3-32-trixie"]) == ["wheels(host)", "wheels(armv7l-cp313)"]
    assert wheel_jobs.wheel_sessions(["--board", "nonesuch"]) == ["wheels(host)"]


def _python(monkeypatch: pytest.MonkeyPatch, machine: str, minor: int, bits: int = 64) -> None:
    monkeypatch.setattr(goals.platform, "machine", lambda: machine)
    monkeypatch.setattr(goals.sys, "version_info", (3, minor, 0))
    monkeypatch.setattr(goals.sys, "maxsize", 2 ** (bits - 1) - 1)
    monkeypatch.setattr(goals.platform, "libc_ver", lambda: ("glibc", "2.39"))


def test_x86_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own wheel needs no root and no toolchain file."""
    _python(monkeypatch, "x86_64", 11)
    goal = host_goal()
    assert (goal.name, goal.board, goal.tag, goal.glibc) == ("host", None, "cp311", "2.39")
    assert set(wheels.build_environment(goal, None)) == {"SOURCE_DATE_EPOCH"}
    assert wheel_jobs.tools_of("host") == tools.NATIVE
    assert not goals.native(boards.board("pi4").target)


def test_aarch64_host_with_a_boards_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both wheels would have one file name: they are one, made for the boards' system, by the native compiler."""
    _python(monkeypatch, "aarch64", 11)
    assert host_goal() == wheel_jobs.known_goals()["aarch64-cp311"]
    assert goals.native(boards.board("pi4").target) and not goals.native(boards.board("pi4-32").target)
    assert "qemu-aarch64" not in wheel_jobs.tools_of("host")
    assert "aarch64-linux-gnu-g++" in wheel_jobs.tools_of("host")


def test_aarch64_host_with_another_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own wheel beside the boards', in a folder of its own."""
    _python(monkeypatch, "aarch64", 12)
    goal = host_goal()
    assert (goal.name, goal.board, goal.tag, goal.target.name) == ("host", None, "cp312", "aarch64")
    assert goal.objects not in {other.objects for name, other in wheel_jobs.known_goals().items() if name != "host"}


def test_32_bit_userland_on_a_64_bit_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    """uname says aarch64; the Python there needs the armv7l wheel."""
    _python(monkeypatch, "aarch64", 11, bits=32)
    assert host_goal().name == "armv7l-cp311"


def test_native_compiler_is_not_called_a_cross_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On aarch64 aarch64-linux-gnu-g++ comes with g++."""
    monkeypatch.setenv("PATH", str(tmp_path))
    wanted = ["aarch64-linux-gnu-g++", "arm-linux-gnueabihf-g++"]
    monkeypatch.setattr(tools.platform, "machine", lambda: "aarch64")
    assert tools.missing_packages(wanted) == ["g++", "g++-arm-linux-gnueabihf"]
    monkeypatch.setattr(tools.platform, "machine", lambda: "x86_64")
    assert tools.missing_packages(wanted) == ["g++-aarch64-linux-gnu", "g++-arm-linux-gnueabihf"]


@pytest.mark.parametrize(
    ("machine", "searched"), [("x86_64", ["--ldpaths", "/usr/aarch64-linux-gnu/lib"]), ("aarch64", [])]
)
def test_where_libraries_are_searched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, machine: str, searched: list[str]
) -> None:
    """auditwheel looks into the cross compiler's folder, which a native compiler does not have."""
    goal = board_goal(boards.board("pi4"))
    monkeypatch.setattr(goals.platform, "machine", lambda: machine)
    seen: list[tuple[str, ...]] = []

    def run(*command: str, env: dict[str, str]) -> None:
        seen.append(command)
        name = "potstill-0.1.0-cp311-cp311-{}.whl".format(("linux", "manylinux_2_34")[len(seen) - 1] + "_aarch64")
        folder = Path(command[command.index("-w") + 1])
        folder.mkdir(parents=True)
        (folder / name).touch()

    made = wheels.make(goal, tmp_path, run, tmp_path / "fresh", tmp_path / "objects")
    assert made.name == "potstill-0.1.0-cp311-cp311-manylinux_2_34_aarch64.whl"
    assert list(seen[1][2:-3]) == searched  # auditwheel repair ... -w FOLDER WHEEL


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("cp311-cp311-manylinux_2_34_aarch64", ("aarch64-cp311", "2.36")),
        ("cp313-cp313-manylinux_2_34_armv7l", ("armv7l-cp313", "2.41")),
        ("cp312-cp312-manylinux_2_34_aarch64", ("host", "2.41")),
        ("cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64", ("host", "9.99")),
        ("cp311-cp311-linux_aarch64", ("aarch64-cp311", "2.36")),
    ],
)
def test_goal_of_a_file(name: str, expected: tuple[str, str]) -> None:
    goal = goals.goal_of(Path(f"potstill-0.1.0-{name}.whl"))
    assert (goal.name, goal.glibc) == expected


@pytest.mark.parametrize(
    "name",
    ["potstill-0.1.0-cp311-cp311-macosx_14_0_arm64.whl", "numpy-2.0-cp311-cp311-linux_aarch64.whl", "potstill.zip"],
)
def test_strange_files(name: str) -> None:
    with pytest.raises(PotstillError, match=r"error\[B036\].*PLATFORM one of aarch64, armv7l, x86_64"):
        goals.goal_of(Path(name))
