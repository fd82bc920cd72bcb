"""What a block costs in steady state on a core, by llvm-mca; results are kept on disk by (bytes, core).

Each block is modelled as a loop over itself. That is exact for inner loops, where nearly all cycles are, and a
throughput estimate for straight-line code.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

from potstill.errors import BuildError
from potstill.work.atomic import write_json
from toolchains import tools
from toolchains.cycles import isa as isas
from toolchains.cycles.isa import AARCH64, Isa
from toolchains.programs import output
from toolchains.roots import sysroot

MCA = "llvm-mca-19"
ITERATIONS = 100
# LLVM's own cortex-a76 has the Cortex-A57's schedule; Neoverse N1 is the same core for servers.
MODEL_OF_CPU = {
    "cortex-a53": "cortex-a53",
    "cortex-a55": "cortex-a55",
    "cortex-a72": "cortex-a72",
    "cortex-a76": "neoverse-n1",
}
_VERSION = "2"  # of the cached results


@dataclass(frozen=True)
class Cost:
    """One execution of a block.

    Attributes:
        cycles: of an iteration when the block is a loop, its dependences on itself included.
        bound: what dispatch and ports alone need; `cycles` far above it means waiting for results.
        unknown: instructions llvm-mca has no schedule for, taken as free.
    """

    cycles: float
    bound: float
    unknown: int


def model_of(cpu: str) -> str:
    """llvm-mca's name for the emulator's CPU.

    Raises:
        BuildError: for a CPU without a model.
    """
    if cpu not in MODEL_OF_CPU:
        raise BuildError("B016", f"no cost model for {cpu}", "--cpu", f"use one of {', '.join(sorted(MODEL_OF_CPU))}")
    return MODEL_OF_CPU[cpu]


def regions(texts: Iterable[Sequence[str]]) -> str:
    """One llvm-mca region a block's assembly, named by its place."""
    blocks = ("\n".join(text) for text in texts)
    return "".join(f"# LLVM-MCA-BEGIN {i}\n{block}\n# LLVM-MCA-END {i}\n" for i, block in enumerate(blocks))


def _mca(model: str, options: Sequence[str], text: str, isa: Isa = AARCH64) -> str:
    """What llvm-mca prints of the regions in `text`."""
    tools.require([MCA], "the cost model")
    attributes = [] if isa is AARCH64 else [f"-mattr={isa.attributes}"]
    command = [MCA, f"-mtriple={isa.triple}", f"-mcpu={model}", *attributes, f"-iterations={ITERATIONS}"]
    command += ["-skip-unsupported-instructions=any", *options]
    return output(command, "B022", MCA, "report this", input=text)


def model_blocks(codes: Iterable[bytes], model: str, isa: Isa = AARCH64) -> dict[bytes, Cost]:
    """Costs of distinct blocks by one run of llvm-mca.

    Raises:
        BuildError: llvm-19 is missing; it failed.
    """
    codes = sorted(set(codes))
    if not codes:
        return {}
    options = ("-json", "-instruction-info=false", "-resource-pressure=false")
    texts = isas.texts(codes, isa)
    out = _mca(model, options, regions(texts), isa)
    # A block with nothing known makes no region.
    sizes = (len(code) // isa.width if isa.width else len(text) for code, text in zip(codes, texts, strict=True))
    costs = {code: Cost(0.0, 0.0, size) for code, size in zip(codes, sizes, strict=True)}
    for region in json.loads(out)["CodeRegions"]:
        code = codes[int(region["Name"])]
        summary, unknown = region["SummaryView"], costs[code].unknown - len(region["Instructions"])
        costs[code] = Cost(summary["TotalCycles"] / summary["Iterations"], summary["BlockRThroughput"], unknown)
    return costs


def explain(code: bytes, model: str) -> str:
    """llvm-mca's own report of one block: instructions, ports and bottleneck."""
    return _mca(model, ["-bottleneck-analysis"], regions(isas.texts([code], AARCH64)))


class Costs:
    """Costs of blocks on one core, kept in a file of the cache folder.

    Args:
        cpu: the emulator's name of it, e.g. ``"cortex-a72"``; of another instruction set than AArch64, llvm-mca's.
        folder: of the file; by default cycles/ of the cache folder.
        isa: instruction set of the blocks.
    """

    def __init__(self, cpu: str, folder: Path | None = None, isa: Isa = AARCH64) -> None:
        self.isa = isa
        self.model = model_of(cpu) if isa is AARCH64 else cpu
        name = self.model if isa is AARCH64 else f"{isa.triple.partition('-')[0]}-{cpu}"
        self._path = (folder or sysroot.cache_folder() / "cycles") / f"mca-{name}-{_VERSION}.json"
        try:
            self._known: dict[str, tuple[float, float, int]] = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            self._known = {}

    def of(self, codes: Iterable[bytes]) -> dict[bytes, Cost]:
        """Costs by block; those not known yet are modelled and kept. Raises as `model_blocks`."""
        keys = {code: hashlib.sha256(code).hexdigest()[:32] for code in set(codes)}
        fresh = model_blocks((code for code, key in keys.items() if key not in self._known), self.model, self.isa)
        if fresh:
            self._known.update({keys[code]: astuple(cost) for code, cost in fresh.items()})
            write_json(self._path, self._known)
        return {code: Cost(*self._known[key]) for code, key in keys.items()}
