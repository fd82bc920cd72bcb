"""The package audit finds what would not run or link; bits are compared as bits; targets and boards fit together."""

from __future__ import annotations

import gzip
import io
import os
import re
import shutil
import struct
import subprocess
import tarfile
from pathlib import Path

import pytest

from potstill import boards
from potstill.errors import PotstillError
from toolchains import PROJECT
from toolchains.audit import package as package_audit
from toolchains.packages import build as package

needs_gcc = pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")
SOURCE = """
#include <stdexcept>
#include <string>
extern "C" int shown(const char* text) {
  if (!text) throw std::runtime_error("null");
  return std::stoi(text);
}
"""


@pytest.fixture(autouse=True)
def exports(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A list of exports for the library of `SOURCE`."""
    file = tmp_path / "exports.txt"
    file.write_text("# a comment\nshown\n", encoding="utf-8")
    monkeypatch.setattr(package_audit, "EXPORTS", file)


def _library(folder: Path, *flags: str, source: str = SOURCE, exported: str = "shown;", strip: str = "-s") -> bytes:
    (folder / "a.cpp").write_text(source, encoding="utf-8")
    (folder / "a.map").write_text(f"POTSTILL_0 {{ global: {exported} local: *; }};\n", encoding="utf-8")
    out = folder / "a.so"
    usual = [f"-Wl,-soname,{package_audit.SONAME}", "-Wl,--version-script=a.map", strip, "-z", "noexecstack"]
    command = ["g++", "-std=c++17", "-shared", "-fPIC", "-O1", *usual, *flags, "-o", out, "a.cpp"]
    subprocess.run(command, check=True, cwd=folder)
    return out.read_bytes()


@needs_gcc
def test_good_library(tmp_path: Path, host: boards.Target) -> None:
    data = _library(tmp_path)
    assert package_audit.check_elf("libpotstill.so.0", data, host, "2.99") == []
    assert re.fullmatch(r"libc6 \(>= 2\.\d+\), (libgcc-s1, )?libstdc\+\+6 \(>= [\d.]+\)", package_audit.depends([data]))


@needs_gcc
@pytest.mark.parametrize(
    ("flags", "strip", "problem"),
    [
        (["-Wl,--no-as-needed", "-lgomp"], "-s", "needs libgomp.so.1"),
        (["-Wl,-rpath,/opt/x"], "-s", "has R"),
        (["-Wl,-soname,libpotstill.so.9"], "-s", "no soname libpotstill.so.0"),
        (["-z", "execstack"], "-s", "executable stack"),
        ([], "-g", "not stripped"),
    ],
)
def test_bad_library(tmp_path: Path, host: boards.Target, flags: list[str], strip: str, problem: str) -> None:
    found = package_audit.check_elf("libpotstill.so.0", _library(tmp_path, *flags, strip=strip), host, "2.99")
    assert len(found) == 1
    assert problem in found[0]


@needs_gcc
def test_a_symbol_too_many(tmp_path: Path, host: boards.Target) -> None:
    data = _library(tmp_path, source=SOURCE + "int also(int x) { return x; }", exported="shown; _Z4alsoi;")
    found = package_audit.check_elf("libpotstill.so.0", data, host, "2.99")
    assert found == ["libpotstill.so.0 shows ['also'] and lacks none, against cpp/exports.txt"]


@needs_gcc
def test_lost_symbol_machine_and_floor(tmp_path: Path, host: boards.Target) -> None:
    data = _library(tmp_path, source=SOURCE.replace("shown", "renamed"), exported="renamed;")
    other = boards.board("pi4-32").target
    found = " ".join(package_audit.check_elf("libpotstill.so.0", data, other, "2.1"))
    assert "shows ['renamed'] and lacks ['shown']" in found
    assert "64 bits, not EM_ARM" in found
    assert "the boards have 2.1" in found


@needs_gcc
def test_depends_refuses_other_libraries(tmp_path: Path) -> None:
    data = _library(tmp_path, "-Wl,--no-as-needed", "-lgomp")
    with pytest.raises(PotstillError, match=r"error\[B024\]: the package needs libgomp\.so\.1"):
        package_audit.depends([data])


def _archive(folder: Path, files: dict[str, bytes]) -> Path:
    path = folder / "p.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(f"potstill-0.1.0/{name}")
            member.size, member.uid, member.mtime = len(data), os.getuid() + 7, 1767225600
            archive.addfile(member, io.BytesIO(data))
    return path


@needs_gcc
def test_archive(tmp_path: Path, host: boards.Target, monkeypatch: pytest.MonkeyPatch) -> None:
    """Complete: no problem. Without the static library, or grown beyond the limit: named."""
    data = _library(tmp_path)
    files = dict.fromkeys(package_audit._WANTED, b"x") | {"lib/libpotstill.so.0": data, "bin/potstill-run": data}
    assert package_audit.check(_archive(tmp_path, files), host, "2.99") == []
    with monkeypatch.context() as patched:
        patched.setattr(package_audit, "LARGEST", 1000)
        (grown,) = package_audit.check(_archive(tmp_path, files), host, "2.99")
    assert grown.endswith("bytes, limit 1000")
    del files["lib/libpotstill.a"]
    assert package_audit.check(_archive(tmp_path, files), host, "2.99") == ["lib/libpotstill.a is missing"]


@needs_gcc
@pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="needs dpkg-deb")
def test_deb(tmp_path: Path, host: boards.Target) -> None:
    """Debian's folder for libraries, its architecture, and a Depends that says what the files need."""
    data = _library(tmp_path)
    root = tmp_path / "root"
    for name in package_audit._WANTED:
        place = root / "usr" / re.sub("^lib/", f"lib/{host.triple}/", name)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data if name in ("lib/libpotstill.so.0", "bin/potstill-run") else b"x")
    (root / "DEBIAN").mkdir()
    wanted = package_audit.depends([data])

    def made(architecture: str, depends: str) -> list[str]:
        control = f"Package: potstill\nVersion: 0.1.0\nArchitecture: {architecture}\nMaintainer: A <a@example.org>\n"
        control += f"Depends: {depends}\nDescription: x\n"
        (root / "DEBIAN" / "control").write_text(control, encoding="utf-8")
        subprocess.run(["dpkg-deb", "--root-owner-group", "-b", root, tmp_path / "p.deb"], check=True)
        return package_audit.check(tmp_path / "p.deb", host, "2.99")

    assert made(host.debian, wanted) == []
    assert made("s390x", wanted) == [f"Architecture is s390x, not {host.debian}"]
    assert "the files need" in made(host.debian, "libc6")[0]


def test_repack_gives_the_same_bytes_for_the_same_files(tmp_path: Path) -> None:
    """Whatever the order of the members and the time of packing."""
    first, second = tmp_path / "1", tmp_path / "2"
    first.mkdir()
    second.mkdir()
    one = _archive(first, {"b": b"2", "a": b"1"})
    two = _archive(second, {"a": b"1", "b": b"2"})
    two.write_bytes(gzip.compress(gzip.decompress(two.read_bytes()), mtime=5))
    for archive in (one, two):
        package.repack(archive, archive.with_name("out"))
    made = (first / "out").read_bytes()
    assert made == (second / "out").read_bytes()
    with tarfile.open(fileobj=io.BytesIO(made)) as opened:
        assert [(m.name, m.uid, m.uname) for m in opened] == [
            ("potstill-0.1.0/a", 0, "root"), ("potstill-0.1.0/b", 0, "root"),
        ]  # fmt: skip


def test_nine_digits_name_one_float32() -> None:
    """What the examples print is read back bit by bit, denormals and minus zero too."""
    bits = [0x3DCCCCCD, 0x00000001, 0x80000000, 0x7F7FFFFF, 0xBF800001]
    values = [struct.unpack("<f", struct.pack("<I", b))[0] for b in bits]
    line = "good\t" + "\t".join(f"{value:.9g}" for value in values)
    (answer,) = package.read_example(line + "\n")
    assert answer == package.Answer("good", b"".join(struct.pack("<I", b) for b in bits))
    assert package.read_hex(" ".join(f"{b:08x}" for b in bits)) == [answer.logits]


def test_compare() -> None:
    wanted = [package.Answer("a", b"1234"), package.Answer("b", b"5678")]
    package.compare("x", wanted, wanted)
    package.compare("x", [b"1234", b"5678"], wanted)
    for found in ([wanted[0]], [wanted[0], package.Answer("a", b"5678")], [b"1234", b"5679"]):
        with pytest.raises(PotstillError, match=r"error\[B025\]"):
            package.compare("x", found, wanted)


def test_goals() -> None:
    """A board stands for its machine; the session's tools follow from them."""
    goals = package.goals_of("pi4,pi4-32,pi2,host")
    assert [goal.board.name if goal.board else "host" for goal in goals] == ["pi4", "pi4-32", "pi2", "host"]
    assert [goal.target.debian for goal in goals[:3]] == ["arm64", "armhf", "armhf"]
    assert {"aarch64-linux-gnu-g++", "qemu-aarch64", "pkg-config"} <= set(package.tools_of(goals[:1]))
    assert "arm-linux-gnueabihf-g++" not in package.tools_of(goals[:1])
    assert "qemu-aarch64" not in package.tools_of(goals[3:])
    with pytest.raises(PotstillError, match=r"error\[B002\]"):
        package.goals_of("pi4,pi99")


def test_versions_agree() -> None:
    """pyproject.toml, CMake and the C header, by hand in three places."""
    version = re.search(r'^version = "(.*)"$', (PROJECT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)
    cmake = re.search(r"project\(potstill VERSION (\S+)", (PROJECT / "CMakeLists.txt").read_text(encoding="utf-8"))
    header = (PROJECT / "cpp/include/potstill/potstill.h").read_text(encoding="utf-8")
    macros = re.findall(r"#define POTSTILL_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)", header)
    assert version is not None and cmake is not None
    assert version[1] == cmake[1] == ".".join(macros)


def test_every_function_of_the_header_is_exported(monkeypatch: pytest.MonkeyPatch) -> None:
    header = (PROJECT / "cpp/include/potstill/potstill.h").read_text(encoding="utf-8")
    declared = set(re.findall(r"^POTSTILL_API [^;(]*?\*?(potstill_\w+)\(", header, re.MULTILINE))
    monkeypatch.undo()
    stored = {name for name in package_audit.wanted_exports() if name.startswith("potstill_")}
    assert declared == stored
    assert len(declared) > 10
