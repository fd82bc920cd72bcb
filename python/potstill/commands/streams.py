"""Standard input and output of the command, whatever their encoding is and whoever closes them."""

from __future__ import annotations

import codecs
import sys
from collections.abc import Iterator

from potstill.errors import InputError

_ESCAPES = "potstill.escapes"


def prepare_output() -> None:
    """Let standard output and error take any text: what their encoding lacks is written as JSON escapes it."""
    codecs.register_error(_ESCAPES, _escape)
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors=_ESCAPES)


def lines() -> Iterator[str]:
    """Lines of standard input as they come, without their ends: UTF-8, what is none being replaced; a BOM is left out.

    Raises:
        InputError: it is closed or cannot be read.
    """
    start = "\ufeff"
    while line := _read_line():
        yield line.removesuffix("\n").removesuffix("\r").removeprefix(start)
        start = ""


def _read_line() -> str:
    """The next line with its end; "" at the end of the input."""
    if sys.stdin is None:
        raise InputError("I126", "standard input is closed", "-", "give texts as arguments or pipe them in")
    source = getattr(sys.stdin, "buffer", sys.stdin)
    try:
        line = source.readline()
    except (OSError, ValueError) as error:
        raise InputError("I126", f"standard input cannot be read ({error})", "-", "pipe a text file in") from error
    return line.decode("utf-8", "replace") if isinstance(line, bytes) else str(line)


def _escape(error: UnicodeError) -> tuple[str, int]:
    r"""Characters that an encoding lacks as \uXXXX, two of them for one beyond U+FFFF: valid in JSON's texts too."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    units = error.object[error.start : error.end].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2)), error.end
