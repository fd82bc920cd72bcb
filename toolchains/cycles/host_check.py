"""Modelled time against measured time on this host's own core: the part of the cost model that can be checked here.

``nox -s calibrate -- check [MODEL.still ...]`` (x86-64). The AVX2 kernels are counted under qemu-x86_64 (it has no
AVX-512) and modelled by llvm-mca; the same kernels are then timed here, and the clock is measured by a chain of
dependent additions, one a cycle on every x86-64 core. Only the shortest times count: the machine may be shared. A model
whose weights do not fit the last cache has memory in its ratio too.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from potstill.compare.common_student import common_student
from potstill.errors import BuildError
from potstill.work.cache import cache_dir
from potstill.work.progress import make_progress
from toolchains import tools
from toolchains.cycles import mca, report, sets, windows
from toolchains.cycles.isa import X86_64
from toolchains.cycles.plain import Plain

SECONDS = 10.0
_CLOCK = """
#include <stdio.h>
#include <time.h>
int main(void) {
  double best = 0;
  for (int turn = 0; turn < 4000; ++turn) {
    struct timespec a, b;
    unsigned long x = 0;
    clock_gettime(CLOCK_MONOTONIC, &a);
    for (int i = 0; i < 100000; ++i) {
      __asm__ volatile("add $1,%0\\n add $1,%0\\n add $1,%0\\n add $1,%0\\n"
                       "add $1,%0\\n add $1,%0\\n add $1,%0\\n add $1,%0" : "+r"(x));
    }
    clock_gettime(CLOCK_MONOTONIC, &b);
    const double ghz = 800000 / ((b.tv_sec - a.tv_sec) * 1e9 + (b.tv_nsec - a.tv_nsec));
    if (ghz > best) best = ghz;
  }
  printf("%f\\n", best);
}
"""


def clock_ghz() -> float:
    """The highest clock seen for half a millisecond."""
    tools.require(["gcc"], "measuring the clock")
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "clock"
        command = ["gcc", "-O2", "-x", "c", "-", "-o", str(program)]
        subprocess.run(command, input=_CLOCK, text=True, check=True, capture_output=True)
        return float(subprocess.run([program], capture_output=True, text=True, check=True).stdout)


def shortest_ms(still: Path, tokens: int) -> float:
    """The shortest of many forwards of one text, one thread, with the kernels that are counted."""
    code = (
        "import sys, time; from potstill import _core; from potstill.bench.rounds import sentence\n"
        "model = _core.Model(sys.argv[1], 1); ids = [sentence(int(sys.argv[2]), model.info()['vocabulary'])]\n"
        "best, end = 10**12, time.monotonic() + float(sys.argv[3])\n"
        "while time.monotonic() < end:\n"
        "    start = time.perf_counter_ns(); model.run(ids); best = min(best, time.perf_counter_ns() - start)\n"
        "print(best / 1e6)\n"
    )
    command = [sys.executable, "-c", code, str(still), str(tokens), str(SECONDS)]
    environment = {**os.environ, "POTSTILL_ISA": sets.x86_sets()[0]}
    return float(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)


def main(models: Sequence[Path], lengths: Sequence[int], core: str) -> None:
    """Print modelled and measured milliseconds, one thread.

    Args:
        models: .still files; by default the common student.
        lengths: tokens.
        core: llvm-mca's name of this machine's core, or ``native``.

    Raises:
        BuildError: another machine type; counting or modelling failed.
    """
    if platform.machine() != "x86_64":
        what = f"the check counts x86-64 kernels, this machine is {platform.machine()}"
        raise BuildError("B035", what, "nox -s calibrate -- check", "run it on an x86-64 host")
    tools.require(["qemu-x86_64"], "counting x86 kernels")
    program, ghz = windows.driver(Plain.run), clock_ghz()
    print(f"{core} at {ghz:.3f} GHz\n{'model':<24} tokens  modelled ms  measured ms  measured / modelled")
    for still in models or [common_student(cache_dir(), make_progress())]:
        command = ["qemu-x86_64", "-cpu", "max", str(program), str(still), *map(str, lengths)]
        found, _ = windows.run(command, {**os.environ, "POTSTILL_ISA": sets.x86_sets()[0]})
        for window in found:
            modelled = report.model(window, mca.Costs(core, isa=X86_64)).cycles / ghz / 1e6
            measured = shortest_ms(still, window.label)
            ratio = measured / modelled
            print(f"{still.name:<24} {window.label:6}  {modelled:8.3f}  {measured:8.3f}  {ratio:5.2f}", flush=True)
            time.sleep(0.1)
