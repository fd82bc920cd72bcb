"""Sentences out of templates as voice assistants write them.

``[a]`` may be left out, ``a|b`` is one of several, ``(a;b)`` all of them in any order, ``<rule>`` another template,
``{list}`` or ``{list:slot}`` a value of a list; all else is text.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from potstill.errors import DataError

_CLOSING = {"[": "]", "(": ")"}
# Rules call rules, a few deep; a rule that calls itself never ends.
_DEEPEST = 30


@dataclass(frozen=True)
class Grammar:
    """What templates of a language refer to.

    Attributes:
        rules: template of each rule.
        value: gives a value of a list, itself a template, by the list's name.
        between: what stands between the members of ``(a;b)``.
    """

    rules: Mapping[str, str]
    value: Callable[[str, random.Random], str]
    between: str = " "

    def sentence(self, template: str, chance: random.Random, depth: int = 0) -> str:
        """One sentence of a template, at random.

        Raises:
            DataError: a bracket that is not closed, a rule that is not known or calls itself.
        """
        if depth > _DEEPEST:
            raise _bad(template, "its rules call themselves")
        template = chance.choice(_parts(template, "|"))
        made, at = "", 0
        while at < len(template):
            opening = template[at]
            if opening not in "[(<{":
                made += opening
                at += 1
                continue
            end = _closed(template, at)
            inside = template[at + 1 : end]
            if opening == "<":
                if inside not in self.rules:
                    raise _bad(template, f"there is no rule {inside!r}")
                made += self.sentence(self.rules[inside], chance, depth + 1)
            elif opening == "{":
                made += self.sentence(self.value(inside.partition(":")[0], chance), chance, depth + 1)
            elif opening == "(" or chance.random() < 0.5:
                members = _parts(inside, ";")
                chance.shuffle(members)
                made += self.between.join(self.sentence(member, chance, depth + 1) for member in members)
            at = end + 1
        return made


def _closed(template: str, at: int) -> int:
    """Where the bracket that opens at `at` closes."""
    if template[at] in "<{":
        end = template.find(">" if template[at] == "<" else "}", at)
        if end < 0:
            raise _bad(template, "a bracket is not closed")
        return end
    depth = 0
    for place in range(at, len(template)):
        depth += (template[place] in _CLOSING) - (template[place] in _CLOSING.values())
        if depth == 0:
            return place
    raise _bad(template, "a bracket is not closed")


def _parts(inside: str, mark: str) -> list[str]:
    """The parts between marks that are in no inner bracket."""
    parts, depth = [""], 0
    for character in inside:
        depth += (character in "[(<{") - (character in "])>}")
        if character == mark and not depth:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def _bad(template: str, why: str) -> DataError:
    return DataError("D021", f"a template of the demo package cannot be read: {why}", template, "report this")
