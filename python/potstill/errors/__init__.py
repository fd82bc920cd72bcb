"""Errors with a stable code, what happened, where, and the next step.

Every failure a user can cause is a `PotstillError`. Its text is `error[CODE]: what; where; next step`, which is also
what the command line prints. The letter of a code tells the area, the number is never reused. What each code means is
listed in `registry`, which `potstill explain` prints.
"""

from __future__ import annotations

import errno

TYPE_CHECKING = False  # type checkers read it as true; the runtime's memory is kept free of `typing` and `pathlib`
if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

EXIT_FAILED = 1
EXIT_USAGE = 2
_NEWLINE = "\n"


def printable(text: str, keep: str = "") -> str:
    """`text` with what a terminal would obey or could not show (control characters, newlines, lone surrogates,
    reversed writing) as Python's escapes, but for the characters of `keep`."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in keep else c.encode("unicode_escape").decode() for c in text)


class PotstillError(Exception):
    """Base of all errors that a user can act on.

    Args:
        code: one of the registry, e.g. ``"R001"``.
        what: what happened, in one clause.
        where: the file, key, node, row or text it concerns.
        next_step: what the user can do now.
    """

    exit_code = EXIT_FAILED
    # Codes of what a command was told to read and is not there: bad input, whichever part finds it missing.
    absent: tuple[str, ...] = ()

    def __init__(self, code: str, what: str, where: str, next_step: str) -> None:
        super().__init__(code, what, where, next_step)
        self.code = code
        self.what = what
        self.where = where
        self.next_step = next_step
        self.exit_code = self.exit_code_of(code)

    @classmethod
    def exit_code_of(cls, code: str) -> int:
        """The command's exit code for one of the class's codes."""
        return EXIT_USAGE if code in cls.absent else cls.exit_code

    def __str__(self) -> str:
        # Names from files and texts stand in it; a next step may list problems, a line each.
        what, where = printable(self.what), printable(self.where)
        return f"error[{self.code}]: {what}; {where}; {printable(self.next_step, keep=_NEWLINE)}"


class RecipeError(PotstillError):
    """R...: the recipe file (unknown key, wrong type, value out of range)."""

    exit_code = EXIT_USAGE


class DataError(PotstillError):
    """D...: the data (missing file or column, unknown label, empty split, bad checksum)."""

    exit_code = EXIT_USAGE


class TrainError(PotstillError):
    """T...: teacher, student or training."""

    absent = ("T001",)


class ExportError(PotstillError):
    """X...: ONNX or TFLite export, parity."""


class CompileError(PotstillError):
    """C...: ONNX that the core cannot run, tokenizer that the core cannot reproduce."""

    absent = ("C001", "C050")


class FormatError(PotstillError):
    """F...: a `.still` file that is not one, is damaged, or is too new."""

    absent = ("F001",)


class InputError(PotstillError):
    """I...: run-time input (empty text, text over the limit, token id out of range, unknown backend)."""

    exit_code = EXIT_USAGE


class CpuError(PotstillError):
    """K...: kernel set the CPU lacks, unknown POTSTILL_ISA."""

    exit_code = EXIT_USAGE


class BuildError(PotstillError):
    """B...: cross building, wheels, emulation (compiler, emulator or root missing, wheel audit failed)."""


class SystemFailure(PotstillError):
    """S...: disk full, permission, lock held, missing optional package."""

    absent = ("S015",)


_BY_LETTER: dict[str, type[PotstillError]] = {
    "R": RecipeError,
    "D": DataError,
    "T": TrainError,
    "X": ExportError,
    "C": CompileError,
    "F": FormatError,
    "I": InputError,
    "K": CpuError,
    "B": BuildError,
    "S": SystemFailure,
}


def class_of(code: str) -> type[PotstillError]:
    """The class of a code's letter."""
    return _BY_LETTER.get(code[:1], PotstillError)


def from_core(code: str, what: str, where: str, next_step: str) -> PotstillError:
    """The error class for a code the C++ core reports; called by the binding."""
    return class_of(code)(code, what, where, next_step)


def missing_package(package: str, extra: str, wanted_by: str) -> SystemFailure:
    """The error for an optional dependency that is not installed."""
    return SystemFailure(
        "S010", f"the package {package} is not installed", wanted_by, f"pip install 'potstill[{extra}]'"
    )


def not_in_this_wheel(part: str, wanted_by: str) -> SystemFailure:
    """The error for what a board's wheel lacks (pyproject.toml says what): it runs models, it does not make them."""
    return SystemFailure(
        "S090", f"{part} is not in this wheel, which only runs models", wanted_by,
        "do it on the machine that builds, with the wheel made there, and copy the .still file here",
    )  # fmt: skip


def missing_module(error: ImportError, extra: str, wanted_by: str) -> SystemFailure:
    """`not_in_this_wheel` for a module of ours that cannot be found, `missing_package` for any other."""
    name = error.name or str(error)
    if isinstance(error, ModuleNotFoundError) and name.startswith("potstill."):
        return not_in_this_wheel(name, wanted_by)
    return missing_package(name, extra, wanted_by)


def no_space(where: Path | str) -> SystemFailure:
    """The error for a full disk or a spent quota."""
    return SystemFailure(
        "S001", "no space left on the disk", str(where), "free some space or choose another folder with --out"
    )


def _other(error: OSError, where: str) -> SystemFailure:
    if error.errno in (errno.EEXIST, errno.ENOTDIR):
        return SystemFailure("S003", "a file stands where a folder is needed", where, "choose another folder")
    return SystemFailure("S003", f"the system reported: {error}", where, "see the system's message")


class os_errors:
    """Turn the operating system's failures inside a ``with``, which writes or only reads, into `SystemFailure`.

    Raises:
        SystemFailure: no space left (or quota), no permission or a read-only file system, or any other failure.
    """

    def __init__(self, where: Path | str, *, reading: bool = False) -> None:
        self._where = str(where)
        self._reading = reading

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not isinstance(error, OSError):
            return
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise no_space(self._where) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            if self._reading:
                raise SystemFailure(
                    "S002", "not allowed to read", self._where, "check the owner and permissions, of its folders too"
                ) from error
            raise SystemFailure(
                "S002", "not allowed to write", self._where, "check the owner and permissions or choose another folder"
            ) from error
        raise _other(error, self._where) from error
