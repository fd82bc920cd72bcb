"""The special tokens around a text and around a pair of texts, as the post-processor adds them."""

from __future__ import annotations

from typing import Any

from potstill.compile.tokenizers.base import TokenizerFile, name_of

_PART = ("post_processor", "processors")


def single_template(file: TokenizerFile) -> tuple[int, int]:
    """Ids of the first and the last token of exactly [CLS] A [SEP]."""
    component = file.part(*_PART)
    kind = component.get("type")
    if kind in ("BertProcessing", "RobertaProcessing"):  # of one text both add the two tokens, all types 0
        return int(component["cls"][1]), int(component["sep"][1])
    if kind != "TemplateProcessing":
        file.refuse("C055", f"the post-processor is {name_of(component)}, the core adds [CLS] and [SEP] only")
    single = component["single"]
    if _shape(single) != ["SpecialToken", "A", "SpecialToken"]:
        file.refuse("C055", f"the template of one text is {_spelled(single)}, not [CLS] A [SEP]")
    if any(_type_ids(single)):
        file.refuse("C055", "the template gives token type ids other than 0")
    ids = []
    for part in (single[0], single[2]):
        token = component["special_tokens"][part["SpecialToken"]["id"]]
        if len(token["ids"]) != 1:
            file.refuse("C055", f"the template's token {token['id']!r} stands for {len(token['ids'])} ids")
        ids.append(int(token["ids"][0]))
    return ids[0], ids[1]


def pairs_problem(file: TokenizerFile, cls_id: int, sep_id: int) -> str | None:
    """Why pairs are not encoded as exactly [CLS] A [SEP] B [SEP] with the types 0 0 0 1 1; None when they are."""
    component = file.part(*_PART)
    kind = component.get("type")
    if kind == "BertProcessing":
        return None
    if kind == "RobertaProcessing":
        return "the post-processor is RobertaProcessing, which puts two separators between the texts, all types 0"
    pair = component.get("pair") or []
    if not pair:
        return "the tokenizer has no template for pairs"
    if _shape(pair) != ["SpecialToken", "A", "SpecialToken", "B", "SpecialToken"]:
        return f"the template of pairs is {_spelled(pair)}, not [CLS] A [SEP] B [SEP]"
    if _type_ids(pair) != [0, 0, 0, 1, 1]:
        types = " ".join(map(str, _type_ids(pair)))
        return f"the template of pairs gives the token types {types}, not 0 0 0 1 1"
    ids = [component["special_tokens"][part["SpecialToken"]["id"]]["ids"] for part in pair[::2]]
    if ids != [[cls_id], [sep_id], [sep_id]]:
        return f"the template of pairs is {_spelled(pair)}, with other special tokens than the template of one text"
    return None


def _shape(template: list[dict[str, Any]]) -> list[str]:
    """Of each part of a template: "A", "B" or "SpecialToken"."""
    return [str(part["Sequence"]["id"]) if "Sequence" in part else next(iter(part)) for part in template]


def _spelled(template: list[dict[str, Any]]) -> str:
    """A template as `tokenizers` writes it: ``[CLS] A [SEP]``."""
    return " ".join(str(next(iter(part.values()))["id"]) for part in template) or "empty"


def _type_ids(template: list[dict[str, Any]]) -> list[int]:
    return [int(next(iter(part.values()))["type_id"]) for part in template]
