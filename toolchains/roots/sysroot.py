"""Unpacked Debian roots for other machines, made by an ordinary user: no chroot, no root, no foreign architecture.

apt-get resolves and verifies the packages with private state folders, dpkg-deb unpacks them; no maintainer script
runs. Measured: 7 s and 130 MB for Debian 12 arm64 with Python and its headers (28 MB download).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from potstill import boards
from potstill.errors import BuildError, PotstillError
from toolchains import tools
from toolchains.digests import digest
from toolchains.programs import output

_STAMP = "potstill-root.txt"
SUBSTITUTE = "testing"


def cache_folder() -> Path:
    """POTSTILL_CACHE, or potstill/ in the user's cache folder."""
    if own := os.environ.get("POTSTILL_CACHE"):
        return Path(own).expanduser().resolve()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").expanduser().resolve() / "potstill"


def root_key(architecture: str, suite: str, packages: Sequence[str]) -> str:
    """Folder name of a root: it changes when the package list does."""
    return f"{suite}-{architecture}-{digest(architecture, suite, *sorted(packages))[:12]}"


def mirror_of(listing: str, suite: str) -> str | None:
    """The Debian mirror in what ``apt-get update --print-uris`` prints, or None. Security and third-party archives
    do not hold `suite` under its plain name in a `main`-bearing tree called debian, so they do not match."""
    for uri in re.findall(r"'([^']+)/dists/", listing):
        if re.search(r"/debian/?$", uri):
            return str(uri)
    return None


def find_mirror(suite: str) -> str:
    """POTSTILL_DEBIAN_MIRROR, or the mirror this host itself installs from.

    Raises:
        BuildError: when neither is known (for example on Ubuntu).
    """
    if own := os.environ.get("POTSTILL_DEBIAN_MIRROR"):
        return own
    fields = ["--format", "$(REPO_URI)", "Created-By: Packages", "Origin: Debian", "Component: main"]
    known = _output(["apt-get", "indextargets", *fields]).split()
    if known:
        return known[0].rstrip("/")
    mirror = mirror_of(_output(["apt-get", "update", "--print-uris"]), suite)
    if mirror is None:
        what = "this host's package sources name no Debian mirror"
        next_step = "set POTSTILL_DEBIAN_MIRROR to the address of a Debian mirror and install debian-archive-keyring"
        raise BuildError("B005", what, "apt-get indextargets", next_step)
    return mirror


def _output(command: Sequence[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    return done.stdout if done.returncode == 0 else ""


def apt_options(state: Path, architecture: str) -> list[str]:
    """Options that keep apt-get inside `state` and make it think it runs on `architecture`."""
    settings = {
        "Dir::State": state, "Dir::State::status": state / "status", "Dir::State::lists": state / "lists",
        "Dir::Cache": state / "cache", "Dir::Etc::sourcelist": state / "sources.list",
        "Dir::Etc::sourceparts": "/dev/null", "Dir::Etc::preferencesparts": "/dev/null",
        "APT::Architecture": architecture, "APT::Architectures::": architecture, "APT::Install-Recommends": 0,
        "APT::Sandbox::User": "", "Debug::NoLocking": 1, "Dpkg::Use-Pty": 0,
        "Acquire::Retries": 3, "Acquire::Languages": "none",
    }  # fmt: skip
    return [word for key, value in settings.items() for word in ("-o", f"{key}={value}")]


def _apt(state: Path, architecture: str, *arguments: str) -> None:
    command = ["apt-get", "-q", *apt_options(state, architecture), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode:
        # The mirror's name stays out of the message.
        said = re.sub(r"\w+://[^/\s]+|\s*\[IP:[^]]*\]", "", done.stderr + done.stdout)
        lines = [line for line in said.splitlines() if line.startswith(("E:", "W:"))]
        what = f"apt-get {arguments[0]} failed: {' '.join(lines[:3]) or done.stderr.strip()[-300:]}"
        next_step = "check the network and the mirror (POTSTILL_DEBIAN_MIRROR), then run the same command again"
        raise BuildError("B006", what, f"packages for {architecture}", next_step)


def _download(state: Path, architecture: str, suite: str, packages: Sequence[str]) -> list[Path]:
    """Fetch `packages` and all they need into `state`; files already there are verified and kept."""
    for folder in ("lists/partial", "cache/archives/partial"):
        (state / folder).mkdir(parents=True, exist_ok=True)
    (state / "status").touch()
    line = f"deb [arch={architecture} signed-by={tools.KEYRING}] {find_mirror(suite)} {suite} main\n"
    (state / "sources.list").write_text(line, encoding="utf-8")
    _apt(state, architecture, "update")
    _apt(state, architecture, "install", "-y", "--download-only", *packages)
    return sorted((state / "cache" / "archives").glob("*.deb"))


def finish_layout(root: Path) -> None:
    """What maintainer scripts would have done, and programs need: /lib and /bin links of a merged /usr, and /proc,
    where `emulate.board_root` puts a board's cpuinfo."""
    for name in ("bin", "sbin", "lib"):
        if not (root / name).exists() and (root / "usr" / name).is_dir():
            (root / name).symlink_to(f"usr/{name}")
    (root / "proc").mkdir(exist_ok=True)


def make_root(
    architecture: str,
    suite: str,
    packages: Sequence[str],
    *,
    cache: Path | None = None,
    say: Callable[[str], None] = print,
) -> Path:
    """The unpacked root, made on the first call and found in the cache later.

    An interrupted call leaves only the downloads, which the next one uses; the root appears by one rename.

    Args:
        architecture: Debian's name, e.g. ``"arm64"``.
        suite: Debian release, e.g. ``"bookworm"``.
        packages: names; their dependencies come along, recommendations do not.
        cache: folder to keep roots in; by default roots/ under `cache_folder()`.

    Raises:
        BuildError: a tool is missing, no mirror is known, or packages could not be fetched or unpacked.
    """
    roots = cache or cache_folder() / "roots"
    final = roots / root_key(architecture, suite, packages)
    if (final / _STAMP).is_file():
        return final
    tools.require(("apt-get", "dpkg-deb", tools.KEYRING), f"target root {suite} {architecture}")
    say(f"target root: fetching {suite} {architecture} (about 30 MB)")
    state = roots / f"{final.name}.apt"
    archives = _download(state, architecture, suite, packages)
    temporary = roots / f".tmp-{final.name}-{os.getpid()}"
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        temporary.mkdir(parents=True)
        for archive in archives:
            unpack = ["dpkg-deb", "-x", str(archive), str(temporary)]
            output(unpack, "B007", archive.name, "check the free disk space, then try again")
        finish_layout(temporary)
        (temporary / _STAMP).write_text("".join(f"{a.name}\n" for a in archives), encoding="utf-8")
        shutil.rmtree(final, ignore_errors=True)
        temporary.rename(final)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    shutil.rmtree(state, ignore_errors=True)
    say(f"target root: {final}")
    return final


def root_of(board: boards.Board, say: Callable[[str], None] = print) -> Path:
    """The root of `board`'s system and machine type.

    Where the mirror's files of that release cannot be used, Debian testing stands in if it has the same
    Python: modules of one Python version fit all its patch releases. That is said each time.
    """
    key = (board.target.debian, board.system.name, board.system.packages)
    standing_in = (board.target.debian, SUBSTITUTE, board.system.packages)
    roots = cache_folder() / "roots"
    first_error = None
    if (roots / root_key(*key) / _STAMP).is_file() or not (roots / root_key(*standing_in) / _STAMP).is_file():
        try:
            return make_root(*key, say=say)
        except PotstillError as error:
            if error.code != "B006":
                raise
            first_error = error
    try:
        root = make_root(*standing_in, say=say)
    except PotstillError as error:
        raise (first_error or error) from error
    if first_error is not None:
        say(str(first_error))
    say(
        f"NOTE: Debian {SUBSTITUTE} stands in for {board.system.name} {board.target.debian}, which the mirror did not "
        f"deliver: headers and system files of Python {board.system.python} are from there (delete {root} to try again)"
    )
    return root


if __name__ == "__main__":
    print(root_of(boards.board(sys.argv[1] if len(sys.argv) > 1 else "pi4")))
