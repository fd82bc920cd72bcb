"""The regular expressions that the core knows, by how tokenizer files spell them. cpp/src/tokenizer/patterns.h has them
by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from potstill.compile.tokenizers.base import Step, TokenizerFile
from potstill.still.schema import fb

# The limit of cpp/src/tokenizer/patterns.h.
MAX_TEXT_BYTES = 64

_SHORT_FORMS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_SPACES = r"\s*[\r\n]+|\s+(?!\S)|\s+"
_SIGNS = r" ?[^\s\p{L}\p{N}]+[\r\n]*"
_LETTERS = r"[^\r\n\p{L}\p{N}]?\p{L}+"
# Words that begin with capitals, or with what has no case, and words that are nothing else.
_CAPITALS = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]"
_SMALL = r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_CASED = (rf"[^\r\n\p{{L}}\p{{N}}]?{_CAPITALS}*{_SMALL}+", rf"[^\r\n\p{{L}}\p{{N}}]?{_CAPITALS}+{_SMALL}*")
_SIGNS_AND_SLASHES = r" ?[^\s\p{L}\p{N}]+[\r\n/]*"

# Kinds by the regular expression. Spellings of one kind match the same in every text.
REGEXES: dict[str, str] = {
    r" {2,}": "Spaces",
    r"[ ]{2,}": "Spaces",
    r"  +": "Spaces",
    r"\A +| +\z": "EndSpaces",
    r"\s+": "WhiteSpace",
    r"[\s]+": "WhiteSpace",
    r"\s{2,}|[\n\r\t]": "OddSpaces",
    r"[\n\r\t]": "LineBreaks",
    r"\p{N}": "Number",
    r"[\p{N}]": "Number",
    r"\p{N}{1,3}": "ThreeNumbers",
    r"[0-9][0-9][0-9]": "ThreeDigits",
    r"[0-9]{3}": "ThreeDigits",
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+": "Gpt2",
    r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+": "Gpt2",
    rf"{_SHORT_FORMS}|{_LETTERS}|\p{{N}}{{1,3}}|{_SIGNS}|{_SPACES}": "Llama3",
    rf"'(?i:[sdmt]|ll|ve|re)|{_LETTERS}|\p{{N}}{{1,3}}|{_SIGNS}|{_SPACES}": "Llama3",
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+": (
        "Llama3"
    ),
    rf"{_SHORT_FORMS}|{_LETTERS}|\p{{N}}|{_SIGNS}|{_SPACES}": "Qwen2",
    rf"{_SHORT_FORMS}|[^\r\n\p{{L}}\p{{N}}]?[\p{{L}}\p{{M}}]+|\p{{N}}| ?[^\s\p{{L}}\p{{M}}\p{{N}}]+[\r\n]*|{_SPACES}": (
        "Qwen35"
    ),
    rf"{_CASED[0]}{_SHORT_FORMS}?|{_CASED[1]}{_SHORT_FORMS}?|\p{{N}}{{1,3}}|{_SIGNS_AND_SLASHES}|{_SPACES}": "Gpt4o",
    rf"{_CASED[0]}|{_CASED[1]}|\p{{N}}|{_SIGNS_AND_SLASHES}|{_SPACES}": "Tekken",
}

_SPECIAL = set(r".^$*+?()[]{}|")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}


def read_pattern(pattern: Mapping[str, Any], file: TokenizerFile, code: str) -> Step:
    """The schema's Pattern of ``{"String": ...}`` or ``{"Regex": ...}``.

    Raises:
        CompileError: of that code; a regular expression that the core does not know, or an empty or a long text.
    """
    regex = pattern.get("Regex")
    if regex is not None and regex in REGEXES:
        return _pattern(REGEXES[regex])
    text = str(pattern["String"]) if regex is None else _literal(regex)
    at_start = None if regex is None or not regex.startswith(r"\A") else _literal(regex[2:])
    if text is None and at_start is None:
        file.refuse(code, f"the core does not know the regular expression {regex}")
    found = at_start or text or ""
    if not 0 < len(found.encode()) <= MAX_TEXT_BYTES:
        file.refuse(code, f"the pattern {found!r} is not of 1 to {MAX_TEXT_BYTES} bytes")
    return _pattern("Text" if at_start is None else "TextAtStart", found)


def _pattern(kind: str, text: str | None = None) -> Step:
    return Step("Pattern", {"kind": getattr(fb.PatternKind, kind), "text": text})


def _literal(regex: str) -> str | None:
    """What a regular expression without anything special stands for; None: there is something special in it."""
    found, escaped = "", False
    for char in regex:
        if escaped:
            if char.isascii() and char.isalnum() and char not in _ESCAPES:
                return None
            found += _ESCAPES.get(char, char)
        elif char in _SPECIAL:
            return None
        elif char != "\\":
            found += char
        escaped = char == "\\" and not escaped
    return None if escaped else found
