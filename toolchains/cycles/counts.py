"""Instructions of every kernel, counted and held against a stored baseline: the session ``counts``.

A count has no noise, so 5 % more is a regression of the code and not of the machine. It does not see stalls; the cost
model (toolchains/cycles) and real boards do. The Arm sets run under qemu-user with the cost model's plugin, AVX2
under valgrind's callgrind. AVX-512 is not counted: neither valgrind nor qemu 7.2 executes it.
"""

from __future__ import annotations

import json
import platform
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from potstill import boards
from potstill.boards import Target
from potstill.errors import BuildError
from toolchains import PROJECT, tools
from toolchains.cycles import sets, windows
from toolchains.programs import build, configure, output

BASELINE = PROJECT / "cpp" / "bench" / "kernel_counts.json"
WORK = PROJECT / ".cache" / "counts"
TOLERANCE = 0.05
TOOLS = (*tools.NATIVE, "aarch64-linux-gnu-g++", "qemu-aarch64", "valgrind", "/usr/include/valgrind/callgrind.h")

Counts = dict[str, int]


def _names(listing: str) -> dict[int, str]:
    """Window number to case name, as the program prints them."""
    return {int(number): name for number, name in (line.split("\t") for line in listing.splitlines())}


def count_arm(program: Path, kernels: str) -> Counts:
    """Guest instructions of each case with one kernel set. Raises BuildError as the cost model."""
    cpu = next((board.qemu_cpu for board in sets.boards_of(kernels)), "max")
    found, listing = windows.run(windows.emulated([str(program), kernels], cpu))
    names = _names(listing)
    return {names[window.label]: window.instructions for window in found}


def read_dumps(folder: Path, listing: str) -> Counts:
    """Instructions of each case from callgrind's dumps, one file a window.

    Raises:
        BuildError: when a window has no dump.
    """
    totals: dict[int, int] = {}
    for path in folder.glob("callgrind.out.*"):
        text = path.read_text(encoding="utf-8", errors="replace")
        label = re.search(r"^desc: Trigger: Client Request: (\d+)$", text, re.MULTILINE)
        total = re.search(r"^totals: (\d+)", text, re.MULTILINE)
        if label and total:
            totals[int(label[1])] = int(total[1])
    names = _names(listing)
    if missing := sorted(set(names) - set(totals)):
        raise BuildError("B021", f"no count of {names[missing[0]]}", "callgrind", "check whether valgrind.h was found")
    return {name: totals[number] for number, name in names.items()}


def count_x86(program: Path, kernels: str) -> Counts:
    """Instructions of each case with one kernel set under callgrind (12 s).

    Raises:
        BuildError: without valgrind; when the run fails.
    """
    tools.require(["valgrind"], "counting x86 kernels")
    with tempfile.TemporaryDirectory() as name:
        command = ["valgrind", "-q", "--tool=callgrind", f"--callgrind-out-file={name}/callgrind.out", str(program)]
        where, next_step = f"{kernels} in valgrind", "run it by hand"
        listing = output([*command, kernels], "B021", where, next_step, timeout=1200)
        return read_dumps(Path(name), listing)


def compare(baseline: Mapping[str, Counts], found: Mapping[str, Counts]) -> tuple[list[str], list[str]]:
    """Hold counts against the baseline.

    Args:
        baseline, found: kernel set -> case -> instructions; sets that are not in `found` were not counted here.

    Returns:
        Regressions (over 5 % more, or a case that one side lacks), and cases that became over 5 % cheaper.
    """
    worse: list[str] = []
    better: list[str] = []
    for kernels, counts in found.items():
        wanted = baseline.get(kernels, {})
        worse += [f"{kernels} {name}: no longer counted" for name in sorted(set(wanted) - set(counts))]
        for name, count in counts.items():
            before = wanted.get(name)
            if before is None:
                worse.append(f"{kernels} {name}: {count}, not in the baseline")
                continue
            line = f"{kernels} {name}: {before} -> {count} ({count / before - 1:+.1%})"
            if count > before * (1 + TOLERANCE):
                worse.append(line)
            elif count < before * (1 - TOLERANCE):
                better.append(line)
    return worse, better


def _build(session: Any, folder: Path, target: Target | None) -> Path:
    options = {"POTSTILL_TOOLS": "OFF", "POTSTILL_TESTS": "OFF", "POTSTILL_KERNEL_COUNT": "ON"}
    configure(session.run, folder, options, target)
    build(session.run, folder, "potstill-kernel-count")
    return folder / "cpp" / "potstill-kernel-count"


def _compiler(session: Any, program: str) -> str:
    return str(session.run(program, "-dumpfullversion", external=True, silent=True, log=False)).strip()


def measure(session: Any) -> dict[str, Any]:
    """Build the program for AArch64 and, on x86-64, for this machine, and count.

    Returns:
        ``compilers`` (g++ versions by machine) and ``instructions`` (kernel set -> case -> count).
    """
    program = _build(session, WORK / "aarch64", boards.board("pi4").target)
    compilers = {"aarch64": _compiler(session, "aarch64-linux-gnu-g++")}
    instructions = {kernels: count_arm(program, kernels) for kernels in sets.arm_sets()}
    if platform.machine() == "x86_64":
        program = _build(session, WORK / "x86_64", None)
        compilers["x86_64"] = _compiler(session, "g++")
        instructions |= {kernels: count_x86(program, kernels) for kernels in sets.x86_sets()}
    else:
        session.log(f"{', '.join(sets.x86_sets())}: not counted: this is not an x86-64 machine")
    return {"compilers": compilers, "instructions": instructions}


def check(session: Any, update: bool) -> None:
    """The session ``counts``: compare with the baseline, or rewrite it.

    Raises:
        BuildError: for a regression or a missing baseline; when counting fails.
    """
    found = measure(session)
    known = json.loads(BASELINE.read_text(encoding="utf-8")) if BASELINE.is_file() else {}
    if update:
        # What cannot be counted on this machine keeps its numbers.
        merged = {part: {**known.get(part, {}), **found[part]} for part in ("compilers", "instructions")}
        BASELINE.write_text(json.dumps(merged, indent=2) + "\n", encoding="utf-8")
    worse, better = compare(known.get("instructions", {}), found["instructions"])
    for line in better:
        session.log(f"cheaper: {line}")
    cases = sum(len(counts) for counts in found["instructions"].values())
    if update:
        session.log(f"{BASELINE.relative_to(PROJECT)}: {cases} counts written")
        return
    if worse:
        other = sorted(dict(found["compilers"].items() - known.get("compilers", {}).items()))
        hint = f"\n(the baseline is of another g++ for {', '.join(other)})" if other else ""
        what = f"{len(worse)} kernels need over {TOLERANCE:.0%} more instructions:\n" + "\n".join(worse) + hint
        next_step = "make them cheaper or, when the change is wanted, run nox -s counts -- --update"
        raise BuildError("B023", what, BASELINE.name, next_step)
    session.log(f"{cases} kernel counts within {TOLERANCE:.0%} of {BASELINE.relative_to(PROJECT)}")
