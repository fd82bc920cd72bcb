"""The special tokens around a text and around a pair of texts, as the post-processor adds them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from potstill.compile.tokenizers.base import Part, Template, TokenizerFile, name_of

_FIRST, _SECOND = Part("First"), Part("Second", type=1)


def read_template(file: TokenizerFile) -> Template:
    """The template of the post-processor; texts alone, one after the other, where there is none.

    Raises:
        CompileError: it does something that the core does not, to one text.
    """
    steps = file.steps("post_processor")
    around = [step for step in steps if step.get("type") != "ByteLevel"]
    if len(around) > 1 or any(step.get("type") not in _READERS for step in around):
        file.refuse("C055", f"the post-processor is {name_of(file.content['post_processor'])}, which the core lacks")
    single, pair = _READERS[str(around[0].get("type"))](around[0]) if around else ([_FIRST], [_FIRST, _SECOND])
    if problem := _problem(single, ["First"]):
        file.refuse("C055", f"the template of one text is {problem}")
    problem = _problem(pair, ["First", "Second"]) if pair else "absent: the tokenizer has no template for pairs"
    trims = [step for step in steps if step.get("trim_offsets")]
    if len(trims) > 1:
        file.refuse("C055", "two post-processors trim the places of tokens, one after the other")
    return Template(
        tuple(single),
        () if problem else tuple(pair),
        problem and f"the template of pairs is {problem}",
        bool(trims),
        any(bool(step.get("add_prefix_space")) for step in trims),
    )


def _problem(parts: Sequence[Part], texts: list[str]) -> str | None:
    if sorted(part.kind for part in parts if part.kind != "Id") != texts:
        words = [{"First": "A", "Second": "B"}.get(part.kind, "token") for part in parts]
        return f"{' '.join(words)}: it does not hold each text once"
    types = {part.type for part in parts}
    return None if types <= {0, 1} else f"one of the token types {sorted(types)}, the core knows 0 and 1"


def _bert(step: Mapping[str, Any]) -> tuple[list[Part], list[Part]]:
    cls, sep = Part("Id", int(step["cls"][1])), Part("Id", int(step["sep"][1]))
    single = [cls, _FIRST, sep]
    return single, [*single, _SECOND, Part("Id", sep.id, 1)]


def _roberta(step: Mapping[str, Any]) -> tuple[list[Part], list[Part]]:
    cls, sep = Part("Id", int(step["cls"][1])), Part("Id", int(step["sep"][1]))
    single = [cls, _FIRST, sep]
    return single, [*single, sep, Part("Second"), sep]


def _template(step: Mapping[str, Any]) -> tuple[list[Part], list[Part]]:
    def parts(template: Sequence[Mapping[str, Any]] | None) -> list[Part]:
        found = []
        for part in template or []:
            if text := part.get("Sequence"):
                found.append(Part({"A": "First", "B": "Second"}[text["id"]], type=int(text["type_id"])))
            else:
                token = part["SpecialToken"]
                ids = step["special_tokens"][token["id"]]["ids"]
                found += [Part("Id", int(index), int(token["type_id"])) for index in ids]
        return found

    return parts(step["single"]), parts(step.get("pair"))


_READERS = {"BertProcessing": _bert, "RobertaProcessing": _roberta, "TemplateProcessing": _template}
