"""Counting executed blocks under qemu-user, by the plugin qemu_count.c: instructions of marked windows."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from potstill.boards import Target
from potstill.errors import BuildError
from potstill.work.atomic import atomic_write
from toolchains import PROJECT, tools
from toolchains.digests import digest
from toolchains.programs import Run, build, configure, output
from toolchains.roots import sysroot

SOURCE = Path(__file__).with_name("qemu_count.c")
CROSS_ROOT = Path("/usr/aarch64-linux-gnu")  # where Debian's cross compiler keeps its libraries
OPEN_WINDOW, CLOSE_WINDOW = 0x57110001, 0x57110000


@dataclass(frozen=True)
class Block:
    """A translated block.

    Attributes:
        address: in the guest.
        code: its instructions, 4 bytes each on AArch64.
        file: what is mapped there; empty for code made at run time.
        offset: of its first byte in `file`.
        symbol: as far as qemu knows (the program itself, not its libraries).
    """

    address: int
    code: bytes
    file: str
    offset: int
    symbol: str

    @property
    def instructions(self) -> int:
        """How many."""
        return len(self.code) // 4


@dataclass
class Window:
    """What ran between two markers: `label` is their argument; `runs` are executions by block."""

    label: int
    runs: dict[Block, int] = field(default_factory=dict)

    @property
    def instructions(self) -> int:
        """Instructions executed in the window, by all threads."""
        return sum(times * block.instructions for block, times in self.runs.items())


def plugin(cache: Path | None = None) -> Path:
    """The compiled plugin, made by the host's gcc (1 s) when its source changed.

    Raises:
        BuildError: no gcc; it does not compile.
    """
    folder = cache or sysroot.cache_folder() / "cycles"
    made = folder / f"qemu_count-{digest(SOURCE)[:12]}.so"
    if made.is_file():
        return made
    tools.require(["gcc"], "the cost model's plugin")
    with atomic_write(made) as temporary:
        command = ["gcc", "-O2", "-Wall", "-Wextra", "-shared", "-fPIC", "-o", str(temporary), str(SOURCE)]
        output(command, "B020", SOURCE.name, "install gcc, or report this")
    return made


def parse(text: str, where: str) -> list[Window]:
    """Windows of the plugin's output, in the order they were closed.

    Raises:
        BuildError: for output cut short, or markers that do not pair.
    """
    maps: list[tuple[int, int, int, str]] = []
    raw: list[tuple[int, dict[int, int]]] = []
    blocks: dict[int, Block] = {}
    ended = False
    for line in text.splitlines():
        kind, _, rest = line.partition(" ")
        if kind == "map":
            start, end, offset, path = rest.split(" ", 3)
            maps.append((int(start, 16), int(end, 16), int(offset, 16), path))
        elif kind == "window":
            raw.append((int(rest), {}))
        elif kind == "run":
            number, times = rest.split()
            raw[-1][1][int(number)] = int(times)
        elif kind == "block":
            number, address, host, code, symbol = rest.split(" ", 4)
            file, place = _file_at(maps, int(host, 16))
            name = "" if symbol == "-" else symbol
            blocks[int(number)] = Block(int(address, 16), bytes.fromhex(code), file, place, name)
        elif kind == "error":
            raise BuildError("B021", rest, where, "open and close each window once, in one thread")
        ended = kind == "end"
    if not ended:
        raise BuildError("B021", "the plugin's output was cut short", where, "check whether the program was killed")
    return [Window(label, {blocks[number]: times for number, times in runs.items()}) for label, runs in raw]


def _file_at(maps: Sequence[tuple[int, int, int, str]], address: int) -> tuple[str, int]:
    for start, end, offset, path in maps:
        if start <= address < end:
            return path, address - start + offset
    return "", 0


def run(
    command: Sequence[str], environment: Mapping[str, str] | None = None, timeout: float = 1200
) -> tuple[list[Window], str]:
    """Run `command`, which starts with the emulator (``["qemu-aarch64", "-cpu", ...]``), and count its windows.

    Returns:
        The windows, and what the program wrote to standard output.

    Raises:
        BuildError: no gcc or plugin; when the program fails, marks nothing, or does not end within `timeout` seconds.
    """
    tools.require([command[0]], "the cost model")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "count.txt"
        full = [command[0], "-plugin", f"{plugin()},out={out}", *command[1:]]
        where = " ".join(command[1:])[:200]
        said = output(full, "B021", where, "run the command by hand", env=environment, timeout=timeout)
        windows = parse(out.read_text(encoding="utf-8") if out.is_file() else "", where)
    if not windows:
        raise BuildError("B021", "no window was marked", where, f"call getpriority({OPEN_WINDOW:#x}, label) before")
    return windows, said


def emulated(program: Sequence[str], cpu: str, root: Path = CROSS_ROOT) -> list[str]:
    """The command line of an AArch64 `program` with its arguments, on `cpu`, with the libraries of `root`."""
    return ["qemu-aarch64", "-cpu", cpu, "-L", str(root), *program]


def count(
    program: Sequence[str], cpu: str, root: Path = CROSS_ROOT, environment: Mapping[str, str] | None = None
) -> dict[int, int]:
    """Instructions by window label of one run of an AArch64 program; windows of the same label add up.

    Needs qemu and gcc, not LLVM. Raises as `run`.
    """
    totals: dict[int, int] = {}
    for window in run(emulated(program, cpu, root), environment)[0]:
        totals[window.label] = totals.get(window.label, 0) + window.instructions
    return totals


def driver(run: Run, target: Target | None = None) -> Path:
    """potstill-count for a machine type, by default this machine's, built with symbols (20 s; then only what changed).

    Args:
        run: runs a command.
    """
    folder = PROJECT / ".cache" / "cpp" / f"count-{target.name if target else 'host'}"
    options = {"POTSTILL_TESTS": "OFF", "POTSTILL_TOOLS": "OFF", "POTSTILL_PYTHON": "OFF", "POTSTILL_COUNT": "ON"}
    configure(run, folder, options, target)
    build(run, folder, "potstill-count")
    return folder / "cpp" / "potstill-count"
