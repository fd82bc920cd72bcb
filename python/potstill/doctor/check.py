"""One finding of the doctor, and what findings add up to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    """How a check ended. NOT_CHECKED never counts against the machine; its `seen` says why."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"
    NOT_CHECKED = "not checked"


@dataclass(frozen=True)
class Check:
    """What was looked at, what was seen, and what to do about it.

    Attributes:
        section: heading it stands under.
        name: what was looked at.
        status: how it ended.
        seen: the fact, in one clause.
        next_step: what to do; empty when nothing needs doing.
    """

    section: str
    name: str
    status: Status
    seen: str
    next_step: str = ""


class Findings:
    """Collects the checks of one section."""

    def __init__(self, section: str) -> None:
        self.section = section
        self.checks: list[Check] = []

    def add(self, name: str, status: Status, seen: str, next_step: str = "") -> None:
        """A check that ended so."""
        self.checks.append(Check(self.section, name, status, seen, next_step))

    def ok(self, name: str, seen: str) -> None:
        """Nothing to do."""
        self.add(name, Status.OK, seen)

    def warning(self, name: str, seen: str, next_step: str = "") -> None:
        """It works, but not as well as it could, or not everything does."""
        self.add(name, Status.WARNING, seen, next_step)

    def failure(self, name: str, seen: str, next_step: str) -> None:
        """It will not work."""
        self.add(name, Status.FAILURE, seen, next_step)

    def unknown(self, name: str, seen: str) -> None:
        """It could not be looked at; `seen` says why."""
        self.add(name, Status.NOT_CHECKED, seen)


def count(checks: Iterable[Check], status: Status) -> int:
    """How many checks ended so."""
    return sum(check.status is status for check in checks)


def verdict(checks: Sequence[Check]) -> str:
    """``ok``, ``2 warnings``, ``1 failure, 2 warnings``."""
    parts = []
    for status in (Status.FAILURE, Status.WARNING):
        if number := count(checks, status):
            parts.append(f"{number} {status.value}{'s' if number > 1 else ''}")
    return ", ".join(parts) or "ok"


def as_data(checks: Sequence[Check]) -> dict[str, Any]:
    """``{"verdict": ..., "failures": n, "warnings": n, "checks": [{section, name, status, seen, next_step}]}``."""
    return {
        "verdict": verdict(checks),
        "failures": count(checks, Status.FAILURE),
        "warnings": count(checks, Status.WARNING),
        "checks": [asdict(check) for check in checks],
    }


_COLOURS = {Status.OK: "32", Status.WARNING: "33", Status.FAILURE: "31", Status.NOT_CHECKED: "2"}
_MARKS = {Status.OK: "ok", Status.WARNING: "warning", Status.FAILURE: "FAILURE", Status.NOT_CHECKED: "-"}


def render(checks: Sequence[Check], colour: bool = False) -> str:
    """The findings as text, a section each, ending with the verdict."""
    width = max((len(check.name) for check in checks), default=0)
    lines: list[str] = []
    section = ""
    for check in checks:
        if check.section != section:
            lines += ["", check.section] if lines else [check.section]
            section = check.section
        mark = f"{_MARKS[check.status]:<7}"
        if colour:
            mark = f"\033[{_COLOURS[check.status]}m{mark}\033[0m"
        lines.append(f"  {mark}  {check.name:<{width}}  {check.seen}")
        if check.next_step:
            lines.append(f"  {'':<7}  {'':<{width}}  -> {check.next_step}")
    return "\n".join([*lines, "", verdict(checks)])
