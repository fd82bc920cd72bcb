"""The core's normalizers change texts as Hugging Face tokenizers does, in every byte and its place."""

from __future__ import annotations

import base64
import random
import unicodedata
from typing import Any

import pytest

from characters import characters_json
from potstill.compile.tokenizers import tables_from_json
from potstill.data.charsmap import charsmap
from potstill.errors import CompileError
from same_tokens import both, differences, random_text

pytest.importorskip("tokenizers", reason="the build extra is not installed: tokenizers is the oracle")
pytest.importorskip("potstill._core", reason="the native module is not built")

from tokenizers.pre_tokenizers import ByteLevel


def replace(by: str, *, text: str = "", regex: str | None = None) -> dict[str, Any]:
    return {"type": "Replace", "pattern": {"String": text} if regex is None else {"Regex": regex}, "content": by}


def strip(left: bool, right: bool) -> dict[str, Any]:
    return {"type": "Strip", "strip_left": left, "strip_right": right}


def precompiled(rules: dict[str, str]) -> dict[str, Any]:
    return {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(charsmap(rules)).decode()}


def sequence(*steps: dict[str, Any]) -> dict[str, Any]:
    return {"type": "Sequence", "normalizers": list(steps)}


RULES = {
    **{chr(p): unicodedata.normalize("NFKC", chr(p)) for p in (0xBD, 0xFB01, 0x2026, 0xFF21, 0x3392, 0x1D400)},
    **{"\t": " ", "\r": " ", "\n": " ", "\u3000": " ", "\u200d": "", "\xad": "", "\x01": "", "e\u0301": "\xe9"},
    **{"a": "A", "\u0915": "k", "\xa9": "(c)", "\u11a8": "", "\u0301": "'", "\u304b\u3099": "\u304c"},
}
FORMS = {name: {"type": name} for name in ("NFC", "NFD", "NFKC", "NFKD")}
PLAIN = {name: {"type": name} for name in ("Lowercase", "StripAccents", "Nmt")}
NORMALIZERS: dict[str, dict[str, Any]] = {
    **FORMS,
    **PLAIN,
    "left": strip(True, False),
    "right": strip(False, True),
    "strip": strip(True, True),
    "strip nothing": strip(False, False),
    "prepend": {"type": "Prepend", "prepend": "\u2581x"},
    "literal": replace("\u2581", text=" "),
    "doubled": replace("xy", text="aa"),
    "gone": replace("", text="a"),
    "spaces": replace("\u2581", regex=" {2,}"),
    "white space": replace(" ", regex=r"\s+"),
    "precompiled": precompiled(RULES),
    "albert": sequence(
        replace('"', text="``"), FORMS["NFKD"], PLAIN["StripAccents"], PLAIN["Lowercase"], precompiled(RULES)
    ),
    "xlm-r": sequence(precompiled(RULES), strip(False, True), replace("\u2581", regex=" {2,}")),
    "llama": sequence({"type": "Prepend", "prepend": "\u2581"}, replace("\u2581", text=" ")),
}


def content(normalizer: dict[str, Any]) -> dict[str, Any]:
    """A tokenizer whose tokens are the bytes of the normalized text."""
    whole = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    return {**characters_json(ByteLevel.alphabet(), whole), "normalizer": normalizer}


def texts(seed: str) -> list[str]:
    """Short ones (the model is quadratic in a text), some with much white space, some of what clusters are made of."""
    r = random.Random(seed)
    parts = [
        *RULES,
        "b",
        "aa",
        " ",
        "  ",
        "``",
        "\r\n",
        "\u0924",
        "\u094d",
        "\u093c",
        "\u0903",
        "\u0600",
        "\u1100",
        "\u1161",
    ]
    parts += [
        "\uac00",
        "\uac01",
        "\ufe0f",
        "\u200c",
        "\U0001f468",
        "\U0001f1e9",
        "\0",
        "\u0302",
        "\u0327",
        "\U000110bd",
    ]
    found = ["".join(r.choice(parts) for _ in range(r.choice([1, 2, 3, 5, 9, 30]))) for _ in range(250)]
    found += [random_text(r)[:40] for _ in range(120)] + ["", " ", "\u3000 \x85", "  a b\t "]
    return [text for text in found if text]


@pytest.mark.parametrize("name", NORMALIZERS)
def test_random_text(name: str) -> None:
    assert differences(content(NORMALIZERS[name]), texts(name))[:3] == []


def _decomposed(form: str) -> list[str]:
    """What decomposes, in canonical order and out of it, between letters."""
    r = random.Random(form)
    found = []
    for point in range(0x110000):
        parts = unicodedata.normalize("NFKD", chr(point))
        if parts != chr(point) and not 0xAC00 <= point < 0xD7A4:
            found += [f"a{chr(point)}{parts}b", "".join(r.sample(parts, len(parts)))]
    return found


@pytest.mark.parametrize("form", FORMS)
def test_decompositions_and_compositions(form: str) -> None:
    joined = _decomposed(form)
    assert differences(content(FORMS[form]), [" ".join(joined[i : i + 6]) for i in range(0, len(joined), 6)])[:2] == []


@pytest.mark.parametrize("name", ["NFKC", "StripAccents", "precompiled"])
def test_every_code_point(name: str) -> None:
    """Between a letter, which it may join, and a mark, which may join it; few of the planes of ideographs, none and
    private ones.
    """
    points = [p for p in (*range(0x20000), *range(0x20000, 0x110000, 61)) if not 0xD800 <= p < 0xE000]
    oracle, ours = both(content(NORMALIZERS[name]))
    joined = ["".join(f"a{chr(p)}\u0301" for p in points[i : i + 8]) for i in range(0, len(points), 8)]
    wrong = [t for t, e in zip(joined, oracle.encode_batch(joined), strict=True) if ours.encode(t) != e.ids]
    assert [ascii(text) for text in wrong[:2]] == []


@pytest.mark.parametrize(
    ("normalizer", "what"),
    [
        ({"type": "ByteLevel"}, "no ByteLevel"),
        ({"type": "Prepend", "prepend": ""}, "0 bytes"),
        ({"type": "Prepend", "prepend": "x" * 65}, "65 bytes"),
        (replace("", text=""), "1 to 64 bytes"),
        (replace("x" * 65, text="a"), "65 bytes"),
        (replace("x", regex="a+b"), "regular expression"),
        (precompiled({"a": "b" * 256}), "256 bytes"),
        ({"type": "Precompiled", "precompiled_charsmap": ""}, "double array"),
        ({"type": "Precompiled", "precompiled_charsmap": base64.b64encode(b"\4\0\0\0\0\0\0\0\xff").decode()}, "UTF-8"),
    ],
)
def test_refusals(normalizer: dict[str, Any], what: str) -> None:
    with pytest.raises(CompileError, match=what) as error:
        tables_from_json(content(normalizer), where="test")
    assert error.value.code == "C053"


def test_comparison_notices_another_form() -> None:
    oracle, _ = both(content(FORMS["NFC"]))
    _, ours = both(content(FORMS["NFD"]))
    assert oracle.encode("\xe9").ids != ours.encode("\xe9")
