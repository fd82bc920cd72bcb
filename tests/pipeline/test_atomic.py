"""Atomic writes: a final name is complete or absent, whatever happens in between."""

from __future__ import annotations

import errno
import json
import os
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from potstill.errors import SystemFailure
from potstill.work.atomic import atomic_folder, atomic_write, publish_file, write_json


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_write_replaces_on_success(tmp_path: Path) -> None:
    target = tmp_path / "new" / "a.txt"
    for text in ("one", "two"):
        with atomic_write(target) as temporary:
            assert temporary.parent == target.parent
            assert temporary.suffix == ".txt"
            temporary.write_text(text)
        assert target.read_text() == text
    assert names(target.parent) == ["a.txt"]
    assert stat.S_IMODE(target.stat().st_mode) == 0o666 & ~_umask()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@pytest.mark.parametrize("error", [ValueError("x"), KeyboardInterrupt(), SystemExit(3)])
def test_write_leaves_the_old_file_on_any_exception(tmp_path: Path, error: BaseException) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(type(error)), atomic_write(target) as temporary:
        temporary.write_text("half")
        raise error
    assert target.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_a_writer_that_replaces_its_file_is_served(tmp_path: Path) -> None:
    with atomic_write(tmp_path / "a.bin") as temporary:
        temporary.unlink()
        temporary.write_bytes(b"by rename")
    assert (tmp_path / "a.bin").read_bytes() == b"by rename"


def test_file_size_limit_of_the_system_is_a_numbered_error(tmp_path: Path) -> None:
    # A real refusal by the kernel (RLIMIT_FSIZE), in a child process so that the limit ends with it.
    code = f"""
        import resource, signal, sys
        from pathlib import Path
        from potstill.errors import SystemFailure
        from potstill.work.atomic import atomic_write
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        try:
            with atomic_write(Path({str(tmp_path)!r}) / "big.still") as temporary:
                temporary.write_bytes(bytes(100_000))
        except SystemFailure as error:
            print(error)
    """
    result = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True)
    assert result.stdout.startswith("error[S001]: no space left on the disk; ")
    assert names(tmp_path) == []


def test_full_file_system(small_disk: Path) -> None:
    (small_disk / "old.still").write_bytes(b"old")
    with pytest.raises(SystemFailure) as caught, atomic_write(small_disk / "old.still") as temporary:
        temporary.write_bytes(bytes(1 << 20))
    assert caught.value.code == "S001"
    assert names(small_disk) == ["old.still"]
    assert (small_disk / "old.still").read_bytes() == b"old"


@pytest.mark.parametrize(("number", "code"), [(errno.EACCES, "S002"), (errno.EROFS, "S002"), (errno.EIO, "S003")])
def test_other_refusals(tmp_path: Path, number: int, code: str) -> None:
    with pytest.raises(SystemFailure) as caught, atomic_write(tmp_path / "a"):
        raise OSError(number, os.strerror(number))
    assert caught.value.code == code
    assert names(tmp_path) == []


def test_folder_replaces_as_a_whole(tmp_path: Path) -> None:
    for round_number in range(2):
        with atomic_folder(tmp_path / "dir") as folder:
            (folder / f"{round_number}.txt").write_text("x")
    assert names(tmp_path) == ["dir"]
    assert names(tmp_path / "dir") == ["1.txt"]
    with pytest.raises(RuntimeError), atomic_folder(tmp_path / "dir") as folder:
        (folder / "2.txt").write_text("x")
        raise RuntimeError
    assert names(tmp_path) == ["dir"]
    assert names(tmp_path / "dir") == ["1.txt"]


def test_publish_copies_and_replaces(tmp_path: Path) -> None:
    one, two, final = tmp_path / "one", tmp_path / "two", tmp_path / "out" / "model.still"
    one.write_text("1")
    two.write_text("2")
    publish_file(one, final)
    assert not final.samefile(one)
    with final.open("r+") as stream:
        stream.truncate(0)
    assert one.read_text() == "1", "who edits the published file in place leaves the stored one as it is"
    publish_file(two, final)
    assert final.read_text() == "2"
    assert names(final.parent) == ["model.still"]


def test_json_is_readable_and_ends_with_a_newline(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"name": "ünï", "loss": [float("nan"), 1.5]})
    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    assert json.loads(text, parse_constant=pytest.fail) == {"name": "ünï", "loss": [None, 1.5]}
    assert '"ünï"' in text
    assert text.endswith("}\n")
