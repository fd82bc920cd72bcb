"""The recipe's section `[data]`."""

from __future__ import annotations

import codecs
from typing import Literal

from pydantic import Field, field_validator

from potstill.recipe.base import Name, Section, Share, Tokens

# Codecs of Python that are not for texts: host names, its own source code.
_NOT_TEXT = ("idna", "punycode", "unicode-escape", "raw-unicode-escape", "undefined", "charmap", "mbcs", "oem")


class Data(Section):
    """What is trained and tested on."""

    source: Name = Field(
        description="Demo corpus (`demo:movie-reviews`, `demo:bbc-topics`, `demo:chinese-reviews`, "
        "`demo:home-commands` in seven languages, and for `token-classification` `demo:bbc-punctuation`: words to "
        "restore case and marks of, and `demo:chinese-names`: people and places, character by character), hub id of a "
        "data set, path of a CSV, TSV, XLSX, JSON, JSON Lines, Parquet or CoNLL file (`.conll`, `.conllu`, `.txt`: "
        "words with tags), or a folder with `train.csv` and so on. Paths start at the recipe.",
        examples=["demo:movie-reviews", "my-data.csv", "stanfordnlp/sst2"],
    )
    config: Name | None = Field(default=None, description="Configuration of the hub data set, where it has several.")
    train: Name | None = Field(default=None, description="Split name (hub) or file with the training rows.")
    validation: Name | None = Field(
        default=None,
        description="Split name or file with the validation rows; without it they are taken out of the training rows.",
    )
    test: Name | None = Field(
        default=None,
        description="Split name or file with the test rows; without it they are taken out of the training rows.",
    )
    text: Name = Field(
        default="text",
        description="Name of the column with the text; for `token-classification` a list of words, or a text.",
    )
    text_pair: Name | None = Field(
        default=None,
        description="Name of a column with a second text, for tasks on pairs (does one text answer, follow from or "
        "mean the same as the other).",
    )
    label: Name = Field(
        default="label",
        description="Name of the column with the label: names or whole numbers; for `multi-label` a list of them, or "
        "a text with `label_separator` between them, for `token-classification` a list with one a word (of a text: "
        'one a word or character, or spans such as `[0, 3, "PER"]`, first character and the one behind the last); of '
        "a CoNLL file the number of the column, if it is not the last.",
    )
    units: Literal["auto", "words", "characters", "given"] = Field(
        default="auto",
        description="What a tagger labels of a text (`token-classification`): `words` (what white space parts, with "
        "punctuation and characters of scripts without spaces by themselves), `characters` (each by itself, with its "
        "marks), or `given` (words that no rule finds, Japanese ones for example: the model then takes lists of words, "
        "no texts). `auto` tells by the training rows.",
    )
    separator: str | None = Field(
        default=None,
        min_length=1,
        max_length=1,
        description="Character between the fields of a CSV file; without it, the one of comma, semicolon, tab and bar "
        "by which the header has the columns.",
        examples=[";"],
    )
    encoding: Name | None = Field(
        default=None,
        description="Encoding of text files that are not UTF-8 and have no byte order mark, by Python's name.",
        examples=["cp1252", "utf-16-le", "shift_jis"],
    )
    label_separator: Name = Field(
        default=";", description="What stands between the labels of a row where `multi-label` reads them from a text."
    )
    labels: list[Name] | None = Field(
        default=None,
        min_length=2,
        description="Names of the classes in order; without it they are taken from the training rows.",
    )
    max_tokens: Tokens = Field(default=64, description="Texts are cut to so many tokens in training and tests.")
    split: list[Share] = Field(
        default=[0.8, 0.1, 0.1],
        min_length=3,
        max_length=3,
        description="Shares of train, validation and test where the data does not come split. They sum to 1.",
    )
    unlabelled: list[Name] = Field(
        default=[],
        description="More texts, which the teacher labels: `demo:amazon-reviews`, `demo:tweets`, "
        "`demo:nyt-editorials`, `demo:bbc-sentences`, or sources as in `source`; also plain text files, a text a line.",
    )
    limit: int | None = Field(default=None, ge=2, description="Train on at most so many rows; for trying things out.")

    @field_validator("labels")
    @classmethod
    def _labels_differ(cls, labels: list[str] | None) -> list[str] | None:
        if labels is not None and len(set(labels)) != len(labels):
            twice = next(name for name in labels if labels.count(name) > 1)
            raise ValueError(f"the label {twice!r} stands twice in the list")
        return labels

    @field_validator("separator", mode="before")
    @classmethod
    def _tab(cls, separator: object) -> object:
        return "\t" if separator == "\\t" else separator  # as a shell hands it on

    @field_validator("separator")
    @classmethod
    def _separates(cls, separator: str | None) -> str | None:
        if separator is not None and (separator in '\r\n"' or separator.isalnum()):
            raise ValueError(f"{separator!r} cannot stand between fields; use a comma, a semicolon, a tab or a bar")
        return separator

    @field_validator("encoding")
    @classmethod
    def _is_known(cls, encoding: str | None) -> str | None:
        try:
            b"text".decode(encoding or "utf-8", errors="ignore")  # given no bytes at all, Python asks no codec
            if encoding is not None and codecs.lookup(encoding).name in _NOT_TEXT:
                raise LookupError
        except (LookupError, UnicodeError):
            raise ValueError(f"there is no text encoding {encoding!r}; cp1252, latin-1 or utf-16 are some") from None
        return encoding

    @field_validator("split")
    @classmethod
    def _split_is_a_whole(cls, split: list[float]) -> list[float]:
        if abs(sum(split) - 1.0) > 1e-6:
            raise ValueError(f"the shares sum to {sum(split):g}, not to 1")
        if split[0] == 0.0:
            raise ValueError("the share of the training rows (the first) is 0")
        return split
