"""What a board's wheel holds: enough to run models, nothing that makes them, and it says so."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

from tiny_still import write_model
from toolchains import PROJECT
from toolchains.audit import contents

PACKAGE = PROJECT / "python" / "potstill"


def test_the_boards_wheel_leaves_out_whole_folders_only() -> None:
    """No pattern, no exception, nothing that was renamed."""
    for folder in contents.left_out_folders():
        assert folder.startswith("potstill/") and folder.endswith("/")
        assert (PACKAGE.parent / folder).is_dir(), folder


def test_modules_of_files() -> None:
    names = ["__init__.py", "a/b.py", "a/__init__.py", "x.toml", "py.typed"]
    assert contents.modules(f"potstill/{name}" for name in names) == ["potstill", "potstill.a", "potstill.a.b"]


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package as a board's wheel has it, and this machine's core."""
    folder = tmp_path_factory.mktemp("board")
    kept = [path for path in PACKAGE.rglob("*") if path.is_file() and path.suffix not in (".pyc", ".so")]
    for path in kept:
        name = path.relative_to(PACKAGE.parent).as_posix()
        if not name.startswith(contents.left_out_folders()):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, folder / name)
    core = find_spec("potstill._core")
    assert core is not None and core.origin is not None
    shutil.copy(core.origin, folder / "potstill")
    for name in ("toolchains/boards.toml", "cpp/src/kernels/sets.def"):  # as the build installs them
        shutil.copy(PROJECT / name, folder / "potstill" / "boards")
    return folder


def test_everything_can_be_imported_alone(board: Path) -> None:
    names = [path.relative_to(board).as_posix() for path in (board / "potstill").rglob("*.py")]
    assert contents.import_problems(board, contents.modules(names)) == []


def test_a_module_that_needs_more_is_found(tmp_path: Path) -> None:
    (tmp_path / "potstill").mkdir()
    (tmp_path / "potstill" / "__init__.py").write_text("import json\n")
    (tmp_path / "potstill" / "heavy.py").write_text("import pytest\n")
    with zipfile.ZipFile(tmp_path / "w.whl", "w") as wheel:
        for name in contents.NEEDED:
            wheel.writestr(name, "import json\n")
        wheel.writestr("potstill/heavy.py", "import pytest\n")
        wheel.writestr("potstill/distil/distillation.py", "")
    with zipfile.ZipFile(tmp_path / "w.whl") as wheel:
        stray, alone = contents.problems_of(wheel, tmp_path / "out", board=True)
        assert stray == "potstill/distil/distillation.py and 0 more files are of no use on a board"
        assert alone.startswith("potstill.heavy cannot be imported alone (ModuleNotFoundError: No module named 'pyt")
        missing = contents.problems_of(wheel, tmp_path / "out", board=False)
    assert missing == [f"{name} is missing" for name in contents.NEEDED_TO_BUILD]
    assert not contents.makes_models(tmp_path / "w.whl")


def _potstill(board: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """The command in a process that sees the board's package and the standard library only."""
    code = "import sys; sys.path.insert(0, sys.argv.pop(1)); from potstill.cli import main; sys.exit(main())"
    command = [sys.executable, "-I", "-S", "-B", "-c", code, str(board), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={"HOME": str(board), **_PATH})


_PATH = {"PATH": os.environ.get("PATH", "")}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("board-model") / "tiny.still")


@pytest.mark.parametrize(
    "words",
    [
        ("run", "MODEL", "a b c"),
        ("inspect", "MODEL"),
        ("verify", "MODEL"),
        ("doctor", "MODEL", "--board", "pi4"),
        ("bench", "MODEL", "--board", "pi4", "--lengths", "8"),
        ("bench", "MODEL", "--lengths", "8", "--json"),
        ("bench", "MODEL", "--profile", "--lengths", "8"),
        ("explain", "F020"),
        ("explain", "C102"),
    ],
)
def test_commands_of_a_board(board: Path, model: Path, words: tuple[str, ...]) -> None:
    done = _potstill(board, *(str(model) if word == "MODEL" else word for word in words))
    assert done.stdout.strip() and "Traceback" not in done.stderr, done.stderr
    assert done.returncode == 0 or words[0] == "doctor", done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("build", "sentiment"), "error[S090]: the command build is not in this wheel, which only runs models; "),
        (("compile", "--help"), "error[S090]: the command compile is not in this wheel, which only runs models; "),
        (("bench", "x.still", "--peers"), "error[S090]: the comparison with other engines is not in this wheel, "),
        (("bench",), "error[I069]: a board's wheel makes no model of its own; potstill bench; name a .still file"),
    ],
)
def test_commands_of_a_build_machine(board: Path, words: tuple[str, ...], message: str) -> None:
    done = _potstill(board, *words)
    assert done.stderr.startswith(message) and done.returncode in (1, 2)
    assert done.stdout == ""


def test_help_lists_what_is_there(board: Path) -> None:
    shown = _potstill(board, "--help").stdout
    listed = [line.split()[0] for line in shown.splitlines() if line.startswith("    ") and line[4:5].strip()]
    assert listed == ["run", "inspect", "verify", "bench", "doctor", "explain"]
    assert "not in a board's wheel, to be run on the machine that builds:\n  build, search, " in shown


@pytest.mark.parametrize("subject", ["m.onnx", "sentiment"])
def test_doctor_of_what_a_board_cannot_read(board: Path, tmp_path: Path, subject: str) -> None:
    (tmp_path / "m.onnx").touch()
    done = _potstill(board, "doctor", str(tmp_path / subject) if subject.endswith(".onnx") else subject)
    assert "is not in this wheel, which only runs models: do it on the machine that builds" in done.stdout
    assert "pip install" not in done.stdout


def test_build_from_python(board: Path) -> None:
    """Importing everything public works; only the call fails."""
    code = "import sys; sys.path.insert(0, sys.argv[1]); from potstill import *; build('sentiment')"
    command = [sys.executable, "-I", "-S", "-B", "-c", code, str(board)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "error[S090]: potstill.build is not in this wheel, which only runs models; " in done.stderr
