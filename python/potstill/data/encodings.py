"""How the bytes of a text file become text. Nothing is guessed: a byte order mark says it, or the bytes are UTF-8, or
the recipe names the encoding.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from potstill.errors import DataError

# UTF-32's little-endian mark begins with UTF-16's.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_ARCHIVES = (
    (b"\x1f\x8b", "gzip"),
    (b"PK\x03\x04", "zip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ", "xz"),
    (b"\x28\xb5/\xfd", "zstd"),
)
# What a byte that is no UTF-8 may have been meant as, shown to whoever has to choose.
_LIKELY = ("cp1252", "cp1250", "cp1251", "shift_jis", "gb18030", "big5", "euc_kr")
_LATIN = ("cp1252", "cp1250")
_SHOWN = 4
_CUTS = b' ,;\t|"\r\n'
# Share of the lines beyond ASCII that are UTF-8, from which a file of another encoding holds both.
_BOTH = 0.05
_SAMPLE = 4096
_POINTER = b"version https://git-lfs"


def text_encoding(path: Path, stated: str | None) -> str:
    """Python's name of the encoding to open a file with; the whole file has been decoded once.

    A byte order mark wins. Of a single-byte encoding that the recipe states, a file that is UTF-8 beyond ASCII is still
    read as that: other bytes do not form UTF-8 by chance. A file of both is refused.

    Args:
        path: the file.
        stated: ``data.encoding``, or None.
    Raises:
        DataError: bytes that are not of the encoding; a compressed file; NUL bytes; lines of two
            encodings; a pointer in the place of the file.
    """
    with path.open("rb") as stream:
        start = stream.read(_SAMPLE)
    for magic, kind in _ARCHIVES:
        if start.startswith(magic):
            advice = "save it as .xlsx if it is a workbook, else unpack it" if kind == "zip" else "unpack it first"
            raise DataError("D040", f"the file is {kind} data, not text", str(path), advice)
    if start.startswith(_POINTER):
        what = "the file is a pointer of Git LFS, its content was not fetched"
        raise DataError("D060", what, str(path), "fetch it: git lfs pull")
    for mark, name in _MARKS:
        if start.startswith(mark):
            _decode(path, name)
            return name
    if stated is None:
        _refuse_wide(path, start)
        _decode(path, "utf-8")
        return "utf-8"
    if _single_byte(stated):
        wide, other = _beyond_ascii(path)
        if wide and not other:
            return "utf-8"
        if wide > _BOTH * (wide + len(other)):
            raise _both(path, other[0], wide)
    _decode(path, stated)
    return stated


@contextmanager
def open_text(path: Path, encoding: str) -> Iterator[Iterator[str]]:
    """The lines, without their ends, of a file whose encoding `text_encoding` gave."""
    with path.open(encoding=encoding) as stream:
        yield (line.removesuffix("\n") for line in stream)


def _single_byte(encoding: str) -> bool:
    return len(bytes(range(256)).decode(encoding, errors="replace")) == 256


def _beyond_ascii(path: Path) -> tuple[int, list[int]]:
    """Of the lines beyond ASCII, how many are UTF-8, and the numbers of the others."""
    wide, other = 0, []
    with path.open("rb") as stream:
        for number, line in enumerate(stream, 1):
            if not line.isascii():
                try:
                    line.decode("utf-8")
                    wide += 1
                except UnicodeDecodeError:
                    other.append(number)
    return wide, other


def _both(path: Path, line: int, wide: int) -> DataError:
    return DataError(
        "D050",
        f"the file is written in two encodings: this line is no UTF-8, {wide:,} other lines with letters beyond ASCII "
        "are",
        f"{path}, line {line}",
        "write the line in UTF-8 (rows of files in different encodings were joined), and leave data.encoding out",
    )


def _refuse_wide(path: Path, start: bytes) -> None:
    """UTF-16 without its mark: every other byte of Latin text is 0, of others those of spaces and ends of lines."""
    zeros = [start[0::2].count(0), start[1::2].count(0)]
    name = "utf-16-le" if zeros[1] > zeros[0] else "utf-16-be"
    if 5 * sum(zeros) > len(start) > 1 or (any(zeros) and _reads(start, name)):
        raise DataError(
            "D041",
            "the file seems to be UTF-16 without a byte order mark",
            str(path),
            f"say so: --set data.encoding={name}; or save the file as UTF-8",
        )


def _reads(start: bytes, name: str) -> bool:
    """Whether bytes are lines of characters that can be shown."""
    try:
        text = start[: len(start) // 2 * 2].decode(name)
    except UnicodeDecodeError as error:
        text = start[: error.start].decode(name) if error.start > len(start) - 4 else ""
    return "\n" in text and all(mark.isprintable() or mark.isspace() for mark in text)


def _decode(path: Path, encoding: str) -> None:
    """Decode the whole file.

    Raises:
        DataError: other bytes than the encoding has, or NUL bytes.
    """
    if encoding == "utf-8":
        _decode_utf8(path)
        return
    number = 0
    try:
        with path.open(encoding=encoding) as stream:
            for number, line in enumerate(stream, 1):
                if "\0" in line:
                    raise _nul(path, number)
    except UnicodeError as error:
        raise DataError(
            "D009",
            f"the file is not {encoding}",
            f"{path}, line {_line_of(path, error, encoding) or number + 1}",
            "name its real encoding in data.encoding, or save the file as UTF-8 and leave the key out",
        ) from error


def _line_of(path: Path, error: UnicodeError, encoding: str) -> int | None:
    """The line of a fault; the stream's own error counts from the start of a block."""
    try:
        path.read_bytes().decode(encoding)
    except UnicodeDecodeError as whole:
        return whole.object[: whole.start].decode(encoding, errors="replace").count("\n") + 1
    except UnicodeError:
        return None
    return None


def _decode_utf8(path: Path) -> None:
    with path.open("rb") as stream:
        for number, line in enumerate(stream, 1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                wide, other = _beyond_ascii(path)
                if wide > _BOTH * (wide + len(other)):
                    raise _both(path, number, wide) from error
                found = _readings(line, error.start)
                shown = ", ".join(f"{word!r} as {name}" for name, word in found.items())
                raise DataError(
                    "D009",
                    f"the file is not UTF-8 (byte 0x{line[error.start]:02x}){f': it reads {shown}' if found else ''}",
                    f"{path}, line {number}, byte {error.start + 1}",
                    "say which one it is, by Python's name: --set data.encoding="
                    f"{' or '.join(found) or 'cp1252 or another'}; or save the file as UTF-8",
                ) from error
            if b"\0" in line:
                raise _nul(path, number)


def _readings(line: bytes, place: int) -> dict[str, str]:
    """The word with the faulty byte as likely encodings read it: people know at sight which one is meant."""
    begin = max(line.rfind(mark, 0, place) for mark in map(_byte, _CUTS)) + 1
    ends = [end for mark in map(_byte, _CUTS) if (end := line.find(mark, place)) > 0]
    word = line[begin : min(ends, default=len(line))][:40]
    found = {}
    for encoding in _LIKELY:
        try:
            found[encoding] = word.decode(encoding)
        except UnicodeDecodeError:
            continue
    likely = {name: read for name, read in found.items() if _is_word(read)} or found
    # Words of Latin script have more plain letters than others.
    order = sorted(likely, key=lambda name: name in _LATIN and 2 * _plain(likely[name]) < len(word) > 2)
    return {name: likely[name] for name in order[:_SHOWN]}


def _plain(read: str) -> int:
    return len([mark for mark in read if mark.isascii()])


def _byte(value: int) -> bytes:
    return bytes([value])


def _is_word(read: str) -> bool:
    """Whether what stands beyond ASCII are letters of one script, which a wrong encoding seldom gives."""
    beyond = [mark for mark in read if not mark.isascii()]
    scripts = {re.split("[ -]", unicodedata.name(mark, ""))[0] for mark in beyond if mark.isalpha()}
    if any(mark.isascii() and mark.isalpha() for mark in read):
        scripts.add("LATIN")
    odd = {"", "HALFWIDTH", "FEMININE", "MASCULINE", "MICRO"}
    # Letters stand beside quotes, dashes and an euro sign in any language; Japanese mixes three scripts.
    plain = all(mark.isalpha() or mark in "\u20ac" or unicodedata.category(mark)[0] == "P" for mark in beyond)
    return plain and not scripts & odd and (len(scripts) < 2 or scripts <= {"HIRAGANA", "KATAKANA", "CJK"})


def _nul(path: Path, number: int) -> DataError:
    return DataError(
        "D041",
        "the text holds a NUL byte",
        f"{path}, line {number}",
        "the file is damaged or no text; remove the byte, or state data.encoding if it is UTF-16",
    )
