"""The build host: compilers, emulators, unpacked roots, Python packages, disk."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from potstill.boards import load_boards
from potstill.doctor.check import Findings
from potstill.doctor.system import System, nearest
from potstill.work.cache import cache_dir
from potstill.work.wheel import builds_models

# Command or file -> Debian package, and what it is needed for. toolchains/tools.py installs the same ones.
_NATIVE = {
    "cmake": "cmake",
    "ninja": "ninja-build",
    "g++": "g++",
    "flatc": "flatbuffers-compiler",
    "/usr/include/flatbuffers/flatbuffers.h": "libflatbuffers-dev",
}
_TESTS = {"/usr/src/googletest/googletest/src/gtest-all.cc": "googletest"}
# Seen on Debian 12: environment of the session pipeline 2.7 GB, results of the demo 0.4 GB, a board's root 0.1 GB. The
# memory is an estimate.
_BUILD_GB = 4.0
_BUILD_RAM_GB = 4.0


def _present(system: System, tool: str) -> bool:
    if tool.startswith("/"):
        return (system.root / tool.lstrip("/")).exists()
    if system.live:
        return shutil.which(tool) is not None
    return any((system.root / folder / tool).exists() for folder in ("usr/bin", "bin", "usr/local/bin"))


def _tools(findings: Findings, system: System, name: str, tools: dict[str, str], use: str) -> None:
    absent = [tool for tool in tools if not _present(system, tool)]
    if not absent:
        findings.ok(name, ", ".join(tool.rsplit("/", 1)[-1] for tool in tools))
        return
    packages = " ".join(sorted({tools[tool] for tool in absent}))
    missing = ", ".join(tool.rsplit("/", 1)[-1] for tool in absent)
    step = f"sudo apt-get install -y --no-install-recommends {packages}  (nox sessions do it themselves)"
    findings.warning(name, f"missing: {missing}; needed for {use}", step)


def check_tools(system: System) -> Findings:
    """Compilers and emulators, for this machine and for each target of boards.toml."""
    findings = Findings("Build tools")
    _tools(findings, system, "native build", _NATIVE, "nox -s wheels")
    _tools(findings, system, "C++ tests", _TESTS, "nox -s cpp")
    targets = {board.target.name: board.target for board in load_boards().values()}
    for target in targets.values():
        tools = {f"{target.triple}-g++": target.apt[0], target.qemu: "qemu-user"}
        _tools(findings, system, f"{target.name} boards", tools, "cross-built wheels and emulated boards")
    _tools(
        findings, system, "target roots", {"apt-get": "apt", "dpkg-deb": "dpkg",
        "/usr/share/keyrings/debian-archive-keyring.gpg": "debian-archive-keyring"}, "unpacked Raspberry Pi roots",
    )  # fmt: skip
    roots = cache_dir() / "roots"
    made = sorted(path.name for path in roots.iterdir() if path.is_dir()) if roots.is_dir() else []
    ready = [name.rsplit("-", 1)[0] for name in made if not name.startswith(".") and not name.endswith(".apt")]
    findings.ok("unpacked roots", f"{', '.join(ready) or 'none yet (30 MB of download each)'} in {roots}")
    return findings


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def requirements(extra: str) -> list[str]:
    """Names of the packages that an extra of the installed Potstill asks for; empty in a bare source tree."""
    try:
        lines = metadata.requires("potstill") or []
    except metadata.PackageNotFoundError:
        return []
    chosen = [line for line in lines if re.search(rf"""extra\s*==\s*['"]{extra}['"]""", line)]
    return [re.match(r"[A-Za-z0-9._-]+", line)[0] for line in chosen]  # type: ignore[index]


def check_packages(extras: Sequence[str] = ("build", "tflite", "onnxruntime", "bench")) -> Findings:
    """Which extras are installed, and which PyTorch."""
    findings = Findings("Python packages")
    if not builds_models():
        step = "install the wheel that nox -s 'wheels(host)' makes on this machine"
        findings.failure("potstill", "a board's wheel, which only runs models", step)
    for extra in extras:
        wanted = requirements(extra)
        absent = [name for name in wanted if _version(name) is None]
        if not wanted:
            findings.unknown(extra, "Potstill is not installed as a package here")
        elif absent:
            step = f"pip install 'potstill[{extra}]'"
            findings.warning(extra, f"missing: {', '.join(absent)}", step)
        else:
            findings.ok(extra, f"{len(wanted)} packages")
    torch = _version("torch")
    if torch:
        cuda = sorted(d.metadata["Name"] for d in metadata.distributions() if _is_cuda(d.metadata["Name"] or ""))
        if cuda:
            step = "without a GPU: pip uninstall them and install the +cpu build (toolchains/torch-cpu.txt)"
            findings.warning("torch", f"{torch} with {len(cuda)} CUDA packages (several GB)", step)
        else:
            findings.ok("torch", torch)
    return findings


def _is_cuda(name: str) -> bool:
    return name.lower().startswith(("nvidia-", "cuda-")) or name.lower() == "triton"


def check_room(system: System, out: Path) -> Findings:
    """Disk and memory against what a build takes."""
    findings = Findings("Room for a build")
    for folder in dict.fromkeys((out.absolute(), cache_dir().absolute())):
        place = nearest(folder)
        if not os.access(place, os.W_OK):
            findings.warning("disk", f"{folder} cannot be written", "choose another with --out or POTSTILL_CACHE")
            continue
        free = shutil.disk_usage(place).free / 1e9
        if free < _BUILD_GB:
            step = "free some space, or set POTSTILL_CACHE and --out to another disk"
            findings.warning("disk", f"{free:.1f} GB free at {place}; a first build takes {_BUILD_GB:g} GB", step)
        else:
            findings.ok("disk", f"{free:.0f} GB free at {place}")
    memory = system.memory()
    if memory is not None:
        total = memory[0] / 1e9
        if total < _BUILD_RAM_GB:
            seen = f"{total:.1f} GB; training may need {_BUILD_RAM_GB:g} GB"
            findings.warning("memory", seen, "use a smaller batch_size")
        else:
            findings.ok("memory", f"{total:.0f} GB")
    return findings
