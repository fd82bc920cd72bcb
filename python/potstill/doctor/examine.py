"""All checks in order. To add one: a function that returns `Findings`, and a line here."""

from __future__ import annotations

from pathlib import Path

import potstill
from potstill.boards import Board, model_name, this_board
from potstill.doctor import device, host, wheel
from potstill.doctor import model as models
from potstill.doctor.check import Check
from potstill.doctor.system import System
from potstill.work.cache import cache_dir


def role_of(system: System) -> str:
    """``device`` on a Raspberry Pi or another board that names itself in its device tree, else ``host``."""
    return "device" if model_name(system.root) else "host"


def examine(
    subject: str | None = None,
    board: Board | None = None,
    *,
    role: str | None = None,
    limits: models.Limits | None = None,
    tokens: int | None = None,
    threads: int = 1,
    out: Path | None = None,
    system: System | None = None,
    read: models.Reader | None = None,
) -> list[Check]:
    """Look at this machine, and at a model or recipe if one is given.

    Args:
        subject: a ``.still`` or ``.onnx`` file, or a recipe.
        board: where `subject` is to run; by default the board this runs on, if it is one.
        role: ``host`` (builds) or ``device`` (runs models); by default `role_of`.
        limits: time, file size and memory that the user allows.
        tokens, threads: for the predicted time.
        out: folder a build would write to.
        system: the machine to look at; by default this one.
        read: reads subjects that are not ``.still`` files.

    Raises:
        InputError, RecipeError, BuildError: `subject` does not exist, is not a valid recipe; boards.toml is not valid.
    """
    machine = system or System()
    package = Path(str(potstill.__file__)).parent
    part = role or role_of(machine)
    found = [device.check_machine(machine), wheel.check(machine, package)]
    if part == "device":
        found.append(device.check_state(machine))
        if machine.live:
            found.append(device.check_writable(machine, [out or Path.cwd(), cache_dir()]))
    else:
        found += [host.check_tools(machine), host.check_packages(), host.check_room(machine, out or Path.cwd())]
    if subject is not None:
        here = board or this_board(machine.root, bits=machine.bits)
        found.append(models.check(subject, here, limits or models.Limits(), tokens=tokens, threads=threads, read=read))
    return [check for findings in found for check in findings.checks]
