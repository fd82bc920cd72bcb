"""Unpacked roots: names, mirrors, layout, and nothing half-made on failure. No network: packages are built here."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from potstill import boards
from potstill.errors import BuildError, PotstillError
from toolchains.roots import sysroot

needs_dpkg = pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="needs dpkg-deb")


def _package(folder: Path, name: str, files: dict[str, str]) -> Path:
    tree = folder / name
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN" / "control").write_text(
        f"Package: {name}\nVersion: 1\nArchitecture: arm64\nMaintainer: t <t@example.org>\nDescription: t\n",
        encoding="utf-8",
    )
    for path, content in files.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text(content, encoding="utf-8")
    archive = folder / f"{name}_1_arm64.deb"
    subprocess.run(["dpkg-deb", "-Znone", "--build", tree, archive], check=True, capture_output=True)
    return archive


@pytest.fixture
def downloads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """What the replaced download gives."""
    archives: list[Path] = []

    def download(state: Path, architecture: str, suite: str, packages: Sequence[str]) -> list[Path]:
        state.mkdir(parents=True, exist_ok=True)
        return archives

    monkeypatch.setattr(sysroot, "_download", download)
    monkeypatch.setattr(sysroot.tools, "require", lambda *_: None)
    return archives


def test_key_depends_on_the_list_only() -> None:
    one = sysroot.root_key("arm64", "bookworm", ["b", "a"])
    assert one == sysroot.root_key("arm64", "bookworm", ["a", "b"])
    assert one.startswith("bookworm-arm64-")
    others = {
        sysroot.root_key("armhf", "bookworm", ["a", "b"]),
        sysroot.root_key("arm64", "trixie", ["a", "b"]),
        sysroot.root_key("arm64", "bookworm", ["a", "b", "c"]),
    }
    assert one not in others and len(others) == 3


def test_mirror_from_apt() -> None:
    """The plain Debian archive is taken, not security or a third party."""
    listing = (
        "'http://mirror.example/apt/dists/cloud/InRelease' x 0 \n"
        "'http://mirror.example/debian-security/dists/bookworm-security/InRelease' x 0 \n"
        "'http://mirror.example/debian/dists/bookworm/InRelease' x 0 \n"
    )
    assert sysroot.mirror_of(listing, "bookworm") == "http://mirror.example/debian"
    assert sysroot.mirror_of("'http://mirror.example/ubuntu/dists/noble/InRelease' x 0", "bookworm") is None


def test_own_mirror_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POTSTILL_DEBIAN_MIRROR", "http://mirror.example/debian")
    assert sysroot.find_mirror("bookworm") == "http://mirror.example/debian"


def test_no_mirror(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("POTSTILL_DEBIAN_MIRROR", raising=False)
    monkeypatch.setattr(sysroot, "_output", lambda command: "")
    with pytest.raises(PotstillError) as caught:
        sysroot.find_mirror("bookworm")
    assert "error[B005]" in str(caught.value) and "POTSTILL_DEBIAN_MIRROR" in str(caught.value)


def test_apt_stays_in_its_folder(tmp_path: Path) -> None:
    """Every state folder is private and the architecture foreign; nothing of /etc/apt is read."""
    options = sysroot.apt_options(tmp_path, "arm64")
    for key in ("Dir::State", "Dir::State::status", "Dir::State::lists", "Dir::Cache", "Dir::Etc::sourcelist"):
        assert any(o.startswith(f"{key}={tmp_path}") for o in options), key
    assert "APT::Architecture=arm64" in options
    assert "Dir::Etc::sourceparts=/dev/null" in options


def test_apt_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = tmp_path / "bin"
    fake.mkdir()
    (fake / "apt-get").write_text("#!/bin/sh\necho 'E: Unable to locate package nix' >&2\nexit 100\n", encoding="utf-8")
    (fake / "apt-get").chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake}:/usr/bin:/bin")
    monkeypatch.setenv("POTSTILL_DEBIAN_MIRROR", "http://mirror.example/debian")
    monkeypatch.setattr(sysroot.tools, "require", lambda *_: None)
    with pytest.raises(PotstillError) as caught:
        sysroot.make_root("arm64", "bookworm", ["nix"], cache=tmp_path / "roots", say=lambda _: None)
    assert "error[B006]" in str(caught.value) and "Unable to locate package nix" in str(caught.value)
    assert not (tmp_path / "roots" / sysroot.root_key("arm64", "bookworm", ["nix"])).exists()


@needs_dpkg
def test_root_is_made_once(tmp_path: Path, downloads: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Unpacked, laid out, found again without a download, and remade when the list changes."""
    downloads.append(_package(tmp_path, "one", {"usr/lib/one.txt": "1", "usr/bin/tool": "x"}))
    root = sysroot.make_root("arm64", "trixie", ["one"], cache=tmp_path / "roots", say=lambda _: None)
    assert (root / "usr/lib/one.txt").read_text() == "1"
    assert (root / "lib").readlink() == Path("usr/lib") and (root / "bin/tool").exists()
    assert (root / "proc").is_dir()
    assert [p.name for p in (tmp_path / "roots").iterdir()] == [root.name]

    def no_download(*_: object) -> list[Path]:
        raise AssertionError("fetched again")

    monkeypatch.setattr(sysroot, "_download", no_download)
    assert sysroot.make_root("arm64", "trixie", ["one"], cache=tmp_path / "roots", say=print) == root
    with pytest.raises(AssertionError, match="fetched again"):
        sysroot.make_root("arm64", "trixie", ["one", "two"], cache=tmp_path / "roots", say=lambda _: None)


@needs_dpkg
def test_broken_package_leaves_no_root(tmp_path: Path, downloads: list[Path]) -> None:
    """B007; the next call, with a good package, succeeds."""
    good = _package(tmp_path, "one", {"usr/lib/one.txt": "1"})
    broken = tmp_path / "broken.deb"
    broken.write_bytes(good.read_bytes()[:100])
    downloads += [good, broken]
    with pytest.raises(PotstillError) as caught:
        sysroot.make_root("arm64", "bookworm", ["one"], cache=tmp_path / "roots", say=lambda _: None)
    assert "error[B007]" in str(caught.value) and "broken.deb" in str(caught.value)
    names = [p.name for p in (tmp_path / "roots").iterdir()]
    assert all(name.endswith(".apt") for name in names), names
    downloads.remove(broken)
    assert sysroot.make_root("arm64", "bookworm", ["one"], cache=tmp_path / "roots", say=lambda _: None).is_dir()


def test_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("POTSTILL_CACHE", str(tmp_path / "own"))
    assert sysroot.cache_folder() == tmp_path / "own"
    monkeypatch.delenv("POTSTILL_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert sysroot.cache_folder() == tmp_path / "potstill"


def test_boards_use_their_system(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[object] = []
    monkeypatch.setattr(sysroot, "make_root", lambda *a, **k: seen.append(a) or Path())
    sysroot.root_of(boards.board("pi2"))
    assert seen == [("armhf", "bookworm", boards.board("pi2").system.packages)]


def _mirror(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, broken: set[str]) -> list[str]:
    """make_root that fails for the suites in `broken`; returns the list of suites asked for."""
    monkeypatch.setenv("POTSTILL_CACHE", str(tmp_path))
    asked: list[str] = []

    def make_root(architecture: str, suite: str, packages: list[str], *, say: object) -> Path:
        asked.append(suite)
        if suite in broken:
            raise BuildError("B006", f"no index of {suite}", architecture, "try again")
        root = tmp_path / "roots" / sysroot.root_key(architecture, suite, packages)
        root.mkdir(parents=True, exist_ok=True)
        (root / sysroot._STAMP).touch()
        return root

    monkeypatch.setattr(sysroot, "make_root", make_root)
    return asked


def test_testing_stands_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The reason and the substitute are said, each time; the broken index is asked for once."""
    asked = _mirror(monkeypatch, tmp_path, {"trixie"})
    said: list[str] = []
    board = boards.board("pi2-trixie")
    root = sysroot.root_of(board, said.append)
    assert asked == ["trixie", "testing"] and root.name.startswith("testing-armhf-")
    assert "no index of trixie" in said[0]
    assert "testing stands in for trixie armhf" in said[1] and str(root) in said[1]
    said.clear()
    assert sysroot.root_of(board, said.append) == root
    assert asked == ["trixie", "testing", "testing"]
    assert "testing stands in" in said[0]


def test_the_release_itself_comes_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With its own root there, or the mirror in order, nothing stands in and nothing is said."""
    asked = _mirror(monkeypatch, tmp_path, set())
    said: list[str] = []
    board = boards.board("pi2-trixie")
    (tmp_path / "roots").mkdir()
    assert sysroot.root_of(board, said.append).name.startswith("trixie-armhf-")
    substitute = tmp_path / "roots" / sysroot.root_key("armhf", "testing", board.system.packages)
    substitute.mkdir()
    (substitute / sysroot._STAMP).touch()
    assert sysroot.root_of(board, said.append).name.startswith("trixie-armhf-")
    assert asked == ["trixie", "trixie"] and said == []


def test_no_substitute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _mirror(monkeypatch, tmp_path, {"trixie", "testing"})
    with pytest.raises(PotstillError, match=r"error\[B006\]: no index of trixie; armhf"):
        sysroot.root_of(boards.board("pi2-trixie"), lambda _: None)
