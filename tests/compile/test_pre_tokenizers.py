"""The core's words equal those of Hugging Face tokenizers, in ids and places: each pre-tokenizer, and sequences."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from characters import characters_json
from potstill.compile.tokenizers import tables_from_json
from potstill.compile.tokenizers.patterns import REGEXES
from potstill.errors import CompileError
from same_tokens import both, differences

pytest.importorskip("tokenizers", reason="the build extra is not installed: tokenizers is the oracle")
pytest.importorskip("potstill._core", reason="the native module is not built")

BEHAVIORS = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"]
_SPELLING = {kind: regex for regex, kind in reversed(REGEXES.items())}


def split(regex: str | None, behavior: str = "Isolated", *, text: str = "", invert: bool = False) -> dict[str, Any]:
    pattern = {"String": text} if regex is None else {"Regex": regex}
    return {"type": "Split", "pattern": pattern, "behavior": behavior, "invert": invert}


def byte_level(prefix: bool, regex: bool) -> dict[str, Any]:
    return {"type": "ByteLevel", "add_prefix_space": prefix, "trim_offsets": True, "use_regex": regex}


def metaspace(scheme: str, *, split: bool = True, replacement: str = "\u2581") -> dict[str, Any]:
    return {"type": "Metaspace", "replacement": replacement, "prepend_scheme": scheme, "split": split}


def sequence(*steps: dict[str, Any]) -> dict[str, Any]:
    return {"type": "Sequence", "pretokenizers": list(steps)}


WHITESPACE, WHITESPACE_SPLIT = {"type": "Whitespace"}, {"type": "WhitespaceSplit"}
BERT = {"type": "BertPreTokenizer"}


def digits(individual: bool) -> dict[str, Any]:
    return {"type": "Digits", "individual_digits": individual}


def punctuation(behavior: str) -> dict[str, Any]:
    return {"type": "Punctuation", "behavior": behavior}


SHAPES: dict[str, dict[str, Any] | None] = {
    "none": None,
    "whitespace": WHITESPACE,
    "whitespace split": WHITESPACE_SPLIT,
    "digits": digits(False),
    "each digit": digits(True),
    "delimiter": {"type": "CharDelimiterSplit", "delimiter": "_"},
    **{f"punctuation {behavior}": punctuation(behavior) for behavior in BEHAVIORS},
    **{f"regex {i} {kind}": split(regex) for i, (regex, kind) in enumerate(REGEXES.items())},
    **{
        f"split {behavior} {invert} {kind}": split(_SPELLING[kind], behavior, invert=invert)
        for kind in ("WhiteSpace", "Number", "Gpt2")
        for behavior in BEHAVIORS
        for invert in (False, True)
    },
    **{f"text {behavior}": split(None, behavior, text="  ") for behavior in BEHAVIORS},
    "escaped text": split(r"\'s"),
    "text at start": split(r"\A'"),
    **{f"bytes {prefix} {regex}": byte_level(prefix, regex) for prefix in (False, True) for regex in (False, True)},
    **{
        f"metaspace {scheme} {cut} {replacement}": metaspace(scheme, split=cut, replacement=replacement)
        for scheme in ("always", "first", "never")
        for cut in (False, True)
        for replacement in "\u2581_"
    },
    # Sequences of the hub: T5, XLM-R, Gemma, Llama 3, SmolLM, Falcon; and combinations that place words oddly.
    "T5": sequence(WHITESPACE_SPLIT, metaspace("always")),
    "Gemma": split(None, "MergedWithPrevious", text=" "),
    "Llama 3": sequence(split(_SPELLING["Llama3"]), byte_level(False, False)),
    "SmolLM": sequence(digits(True), byte_level(False, True)),
    "DeBERTa": sequence(punctuation("Isolated"), metaspace("always")),
    "Falcon": sequence(
        punctuation("Contiguous"), byte_level(False, True), digits(False), split(_SPELLING["ThreeDigits"])
    ),
    "first after split": sequence(WHITESPACE_SPLIT, metaspace("first")),
    "first after bytes": sequence(byte_level(True, True), metaspace("first")),
    "bytes after metaspace": sequence(metaspace("first"), byte_level(True, True)),
    "metaspace twice": sequence(metaspace("never", split=False), metaspace("always")),
    "BERT and digits": sequence(BERT, digits(True)),
}

_ALPHABETS: list[Callable[[random.Random], str]] = [
    lambda r: chr(r.randrange(0x80)),
    lambda r: r.choice(" \t\n\r'  /"),
    lambda r: r.choice("abABzZ'strevmldSTREVMLD\u017f\u212a "),
    lambda r: r.choice("0123456789\u00b2 \u00bd\u216b\u0663a"),
    lambda r: chr(r.randrange(0x370)),
    lambda r: chr(r.randrange(0x3400)),
    lambda r: chr(r.randrange(0x10000, 0x20000)),
    lambda r: r.choice("\u0301\u0300\u01c5Aa\u02b0\u00aa\u4e2d\u0903\u20dd \u01c4'!/\n"),
    lambda r: r.choice(" \u2581_\u00e9\u3000\u2028\x85\xa0\u200d"),
    lambda r: r.choice(["'s", "'LL", "'Re", "'\u017f", "'t", "  ", "\r\n", " ' ", "ab", "123"]),
]


def random_text(r: random.Random) -> str:
    alphabets = r.sample(_ALPHABETS, r.choice([1, 1, 2, 3, len(_ALPHABETS)]))
    return "".join(r.choice(alphabets)(r) for _ in range(r.choice([1, 2, 4, 8, 20, 60])))


@pytest.fixture(scope="module")
def texts() -> list[str]:
    r = random.Random(15)
    return ["", " ", *(random_text(r) for _ in range(400))]


@pytest.fixture(scope="module")
def alphabet() -> str:
    shown = [chr(point) for point in range(0x21, 0x250)]
    return "".join([*shown, *"\u2581\u4e2d\u0301\u0300\u0903\u02b0\u0663\u216b\u212a", *" \t\n\r"])


@pytest.mark.parametrize("shape", SHAPES)
def test_random_text(shape: str, texts: list[str], alphabet: str) -> None:
    assert differences(characters_json(alphabet, SHAPES[shape]), texts)[:2] == []


@pytest.mark.parametrize(
    "shape",
    [
        sequence(split(_SPELLING["Gpt4o"]), punctuation("Isolated"), digits(True)),
        sequence(WHITESPACE, split(_SPELLING["Qwen35"])),
    ],
    ids=["cased letters", "letters and marks"],
)
def test_every_code_point(shape: dict[str, Any]) -> None:
    """Of the planes from 3 on, which are unassigned or of one class over long stretches, every 16th."""
    points = [*range(0xD800), *range(0xE000, 0x30000), *range(0x30000, 0x110000, 16), *range(0xE0000, 0xE0200)]
    chars = [chr(point) for point in points]
    texts = ["".join(f"a{char}B" for char in chars[i : i + 512]) for i in range(0, len(chars), 512)]
    assert [text for text, *_ in differences(characters_json("aB", shape), texts)][:2] == []


@pytest.mark.parametrize("prefix", [False, True])
@pytest.mark.parametrize("kind", ["ByteLevel", "RobertaProcessing"])
def test_trimmed_places(kind: str, prefix: bool, texts: list[str], alphabet: str) -> None:
    content = characters_json(alphabet + "\u0120", split(None, "MergedWithNext", text="_"))
    content["post_processor"] = {"type": kind, "trim_offsets": True, "add_prefix_space": prefix, "use_regex": True}
    if kind == "RobertaProcessing":
        content["post_processor"] = {**content["post_processor"], "cls": ["[CLS]", 2], "sep": ["[SEP]", 3]}
    r = random.Random(4)
    words = ["\u0120a", "a", "\u0120\u0120", "\u3000", " ", "b\u0120", "_", "\u0120", "\u010a"]
    edges = ["".join(r.choice(words) for _ in range(6)) for _ in range(300)]
    assert differences(content, [*texts, *edges])[:2] == []


_TAKING = [("\u0120x", True, False), ("xx", True, True), ("xy", False, True)]
_HOLDING = [(" y ", False, False), ("\u0120x", False, False), ("  ", False, False)]


@pytest.mark.parametrize("prefix", [False, True])
@pytest.mark.parametrize("normalized", [False, True])
@pytest.mark.parametrize("added", [_TAKING, _HOLDING], ids=["take white space", "hold white space"])
def test_trimmed_places_of_added_tokens(added: list[Any], normalized: bool, prefix: bool) -> None:
    """By the white space of the text that was found: of the token itself, what it took with it, what BERT put in."""
    content = characters_json("ab\u0120\u96e3", None)
    content["normalizer"] = {
        "type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": True,
        "lowercase": True,
    }  # fmt: skip
    content["added_tokens"] = [
        {"id": 13 + place, "content": text, "lstrip": left, "rstrip": right, "normalized": normalized,
         "special": False, "single_word": False}
        for place, (text, left, right) in enumerate(added)
    ]  # fmt: skip
    content["post_processor"] = byte_level(prefix, True)
    r, parts = random.Random(6), [*" \u3000\u0120ay\uf6de\ufa58\u00e9", "xx", "xy", "\u0120x", " y "]
    assert differences(content, ["".join(r.choices(parts, k=r.randint(1, 7))) for _ in range(400)])[:2] == []


def test_trimmed_places_of_unknown_text() -> None:
    """Unigram's unknown tokens have the text that they stand for, white space included."""
    content = characters_json("ab", None)
    content["model"] = {"type": "Unigram", "unk_id": 0, "vocab": [["[UNK]", 0.0], ["a", -1.0], ["b", -2.0]]}
    content["added_tokens"], content["normalizer"] = [], None
    content["post_processor"] = {
        "type": "ByteLevel",
        "trim_offsets": True,
        "add_prefix_space": False,
        "use_regex": True,
    }
    assert differences(content, ["a\n\nb", "\nc a", "c\n", "\u0120", " ", "a \u3000c "])[:2] == []


@pytest.mark.parametrize(
    "step, named",
    [
        ({"type": "UnicodeScripts"}, "UnicodeScripts"),
        ({"type": "FixedLength", "length": 5}, "FixedLength"),
        (split(r"\w+|[^\w\s]+"), r"\w+|[^\w\s]+"),
        (split("a|b"), "a|b"),
        (split(r"a\b"), r"a\b"),
        (split("a\\"), "a\\"),
        (sequence(byte_level(False, True), byte_level(False, False)), "ByteLevel more than once"),
        (split(None, text=""), "1 to 64 bytes"),
        (split(None, text="\u2581" * 22), "1 to 64 bytes"),
    ],
)
def test_what_the_core_does_not_know_is_refused_by_name(step: dict[str, Any], named: str) -> None:
    for given in (step, sequence(WHITESPACE, step)):
        with pytest.raises(CompileError) as error:
            tables_from_json(characters_json("ab", given), where="folder")
        assert error.value.code == "C054" and named in str(error.value)


def test_comparison_notices_another_pattern(texts: list[str], alphabet: str) -> None:
    """The comparison itself can fail: the ids of Llama 3's words are not those of Qwen 2's."""
    _, ours = both(characters_json(alphabet, split(_SPELLING["Qwen2"])))
    oracle, _ = both(characters_json(alphabet, split(_SPELLING["Llama3"])))
    assert any(ours.encode(text) != oracle.encode(text).ids for text in texts)
