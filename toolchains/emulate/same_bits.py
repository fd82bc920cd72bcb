"""The same file and sentences on the host and on emulated boards: equal bytes, or an error."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from potstill.errors import BuildError
from potstill.work.atomic import write_json
from toolchains import PROJECT
from toolchains.digests import digest
from toolchains.emulate.emulator import Emulator
from toolchains.programs import output

SCRIPT = PROJECT / "toolchains" / "emulate" / "logits_matrix.py"
NOTE = "emulated: the answers are real, times mean nothing"

# A few for every kind of model, and all lengths of the vector tails: one word up to a paragraph.
SENTENCES = (
    "A warm, funny film with a wonderful cast.",
    "Two hours of my life that I will never get back.",
    "The shares fell by four percent after the match was cancelled.",
)
MORE_SENTENCES = (
    *SENTENCES,
    "Fine.",
    "naïve café — 東京 🙂 co-operate, don't!",
    "The plot is thin and the jokes are older than the actors, yet somehow, in the last half hour, it finds a heart "
    "and a rhythm of its own, and I left the cinema smiling.",
)


def disagreements(host: Mapping[str, Any], boards: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Which combinations differ from the host's first one, as "place combination text-number".

    Args:
        host, boards: results of `logits_matrix.matrix`; `boards` by name.
    """
    reference = next(iter(host["logits"].values()))
    found: list[str] = []
    for place, result in {"host": host, **boards}.items():
        for combination, rows in result["logits"].items():
            found += [
                f"{place} {combination} text {number}"
                for number, (row, wanted) in enumerate(zip(rows, reference, strict=True))
                if row != wanted
            ]
    return found


def host_matrix(python: str, model: Path, texts: Path) -> dict[str, Any]:
    """The host's results, by the interpreter `python` that has potstill installed."""
    environment = {k: v for k, v in os.environ.items() if k not in ("POTSTILL_ISA", "PYTHONPATH")}
    command = [python, str(SCRIPT), str(model), str(texts)]
    result: dict[str, Any] = json.loads(
        output(command, "B011", "this host", "run potstill run on the model", env=environment)
    )
    return result


def _on_boards(
    emulators: Sequence[Emulator], model: Path, texts: Path, say: Callable[[str], None]
) -> list[tuple[Emulator, dict[str, Any]]]:
    """Each board's results, as many boards at a time as this host has cores."""

    def one(emulator: Emulator) -> tuple[Emulator, dict[str, Any]]:
        result: dict[str, Any] = json.loads(emulator.run(emulator.python(SCRIPT, model, texts)))
        say(f"{emulator.board.name}, emulated as {emulator.board.qemu_cpu}: {model.name}, {len(result['logits'])} runs")
        return emulator, result

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        return list(pool.map(one, emulators))


def _summary(emulator: Emulator, result: Mapping[str, Any]) -> dict[str, Any]:
    """One entry of ``runs``; only made when every byte agreed."""
    return {
        "board": emulator.board.name,
        "title": emulator.board.title,
        "cpu": emulator.board.qemu_cpu,
        "isa": result["isa"],
        "refused": result["refused"],
        "combinations": sorted(result["logits"]),
        "same_bits": True,
        "answers": result["answers"],
    }


def compare(
    model: Path,
    texts: Sequence[str],
    emulators: Sequence[Emulator],
    out: Path,
    *,
    python: str,
    wheels: Sequence[Path],
    say: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Run `texts` through `model` on the host and on each board, compare every byte, and write `out`.

    Args:
        model: a .still file.
        emulators: the boards, with the wheel installed.
        out: emulated.json: ``runs`` (board, cpu, isa, same_bits, answers), ``logits`` (hex of each text), ``host``.
        python: the host's interpreter with potstill installed.
        wheels: the host's and the boards': with model, texts and boards they decide whether `out` is current.

    Returns:
        What `out` holds.

    Raises:
        BuildError: a run fails, or any byte differs (nothing is written then).
    """
    key = digest(*texts, *(emulator.board.name for emulator in emulators), model, *wheels, SCRIPT)
    with contextlib.suppress(OSError, ValueError):
        known: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
        if known.get("key") == key:
            return known
    with tempfile.TemporaryDirectory() as folder:
        text_file = Path(folder) / "texts.json"
        text_file.write_text(json.dumps(list(texts)), encoding="utf-8")
        host = host_matrix(python, model, text_file)
        runs = _on_boards(emulators, model, text_file, say)
    boards = {emulator.board.name: result for emulator, result in runs}
    if different := disagreements(host, boards):
        what = f"{len(different)} results differ from the host's reference kernels"
        next_step = "the numeric contract is broken: run nox -s cpp, then nox -s cpp -- --board pi4"
        raise BuildError("B015", what, ", ".join(different[:4]), next_step)
    content = {
        "note": NOTE,
        "runs": [_summary(*run) for run in runs],
        "host": {"isa": host["isa"], "combinations": sorted(host["logits"])},
        "logits": next(iter(host["logits"].values())),
        "key": key,
    }
    write_json(out, content)
    return content
