"""The choices a budget picks from: sizes, precisions and vocabularies, what each costs and how well it should do.

Costs are predicted before anything is trained: bytes from the shapes, milliseconds from the board's cost model. How
well a choice does is only known after training; `expected` merely orders the choices, so that of those within the
limits the most able is trained first.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from potstill.bench.predict.model import CostModel, student

if TYPE_CHECKING:
    from potstill.recipe.schema import BudgetTime, Recipe


@dataclass(frozen=True)
class Size:
    """Sizes of a BERT student."""

    layers: int
    hidden: int
    heads: int
    intermediate: int

    @property
    def name(self) -> str:
        """As ``4x312``, with the feed-forward width where it is under the usual three to four times."""
        narrow = f"f{self.intermediate}" if self.intermediate < 3 * self.hidden else ""
        return f"{self.layers}x{self.hidden}{narrow}"


# Heads of 32, as the demo teacher's; among them are the 4 x 312 of TinyBERT (Jiao et al., 2020) and BERT's own width.
# FFN of four widths: the teacher's ratio. 64 bytes are one step of the packed weights, so widths are multiples of 32.
SIZES = (
    Size(1, 128, 4, 512), Size(2, 128, 4, 512), Size(2, 192, 6, 768), Size(3, 192, 6, 768), Size(2, 256, 8, 1024),
    Size(3, 256, 8, 1024), Size(4, 256, 8, 1024), Size(4, 312, 12, 1024), Size(3, 384, 12, 1024),
    Size(3, 384, 12, 1536), Size(4, 384, 12, 1536), Size(6, 384, 12, 1536), Size(6, 512, 16, 2048),
    Size(6, 768, 12, 3072),
)  # fmt: skip


@dataclass(frozen=True)
class Precision:
    """Numbers of the weights: of the layers (`scheme`) and of the token table; `points` it is expected to cost."""

    name: str
    scheme: str
    embedding: str
    qat_epochs: float
    points: float


# Points lost, estimates: in runs of the demo int8 lost nothing and int4 (GPTQ) up to half a point.
PRECISIONS = (
    Precision("int8", "int8", "int8", 0.0, 0.0),
    Precision("int8e4", "int8", "int4", 0.0, 0.1),
    Precision("int4", "int4", "int4", 0.0, 0.3),
)
# Most tokens kept of those that the texts use, and the points expected to go (estimates: a tenth of the share of the
# demo's test tokens that are split further, in %); None: the teacher's table.
VOCABULARIES: tuple[tuple[str, int | None, float], ...] = (
    ("full", None, 0.0), ("seen", 1 << 30, 0.1), ("16k", 16_000, 0.15), ("12k", 12_000, 0.2), ("8k", 8_000, 0.45),
    ("6k", 6_000, 0.7), ("4k", 4_000, 1.1),
)  # fmt: skip
# Weight of an occurrence in unlabelled text where the number of tokens is limited: those texts are not what the student
# will read. At 8,000, 4.6 % of the tokens of the demo's test texts are split further with this weight and 7.6 % with 1.
_UNLABELLED = 0.05
# Characters that no text has are the cheapest to do without.
VOCABULARY_CHARACTERS = "seen"
# Points that twice the weights in the layers brought on the demo: 82.0 % at 0.4 M, 84.0 at 1.6 M, 86.8 at 4.4 M.
_POINTS_A_DOUBLING = 1.3


@dataclass(frozen=True)
class Choice:
    """One student: size, precision, vocabulary, and what it is predicted to cost.

    Attributes:
        model: its ops, with the rows of its token table.
        init: where its weights start: the teacher's width is kept as it is, a smaller one projected.
        bytes: of the `.still` file.
        ms: predicted time on the budget's board; None without one.
        expected: points relative to the others; only its order means something.
    """

    size: Size
    precision: Precision
    vocabulary: str
    model: CostModel
    init: str
    bytes: int
    ms: float | None
    expected: float

    @property
    def name(self) -> str:
        """As ``4x312-int8-full``."""
        return f"{self.size.name}-{self.precision.name}-{self.vocabulary}"

    @property
    def cost(self) -> tuple[float, int]:
        """What "cheaper" means: work of a forward first, then bytes."""
        work = self.size.layers * (4 * self.size.hidden**2 + 2 * self.size.hidden * self.size.intermediate)
        return (float(work), self.bytes)

    def settings(self) -> dict[str, dict[str, Any]]:
        """The recipe's keys that make this choice, by section."""
        size, limits = self.size, {name: kept for name, kept, _ in VOCABULARIES}
        student: dict[str, Any] = {
            "layers": size.layers, "hidden": size.hidden, "heads": size.heads, "intermediate": size.intermediate,
            "init": self.init, "init_layers": None, "architecture": "bert", "preset": None, "embedding_size": None,
            "head_hidden": 0,
        }  # fmt: skip
        if self.vocabulary == "full":
            counted = {"vocabulary_size": None, "vocabulary_min_count": 1, "vocabulary_unlabelled_weight": 1.0}
            student |= {"vocabulary": "full", "vocabulary_characters": "all", **counted}
        if self.vocabulary != "full":
            kept = limits[self.vocabulary]
            student |= {"vocabulary": "seen", "vocabulary_size": None if kept == 1 << 30 else kept}
            student["vocabulary_characters"] = VOCABULARY_CHARACTERS
            if kept != 1 << 30:
                student["vocabulary_unlabelled_weight"] = _UNLABELLED
        return {
            "student": student,
            "compile": {"scheme": self.precision.scheme, "embedding": self.precision.embedding},
            "quantize": {"qat_epochs": self.precision.qat_epochs},
        }


@dataclass(frozen=True)
class Teacher:
    """What the ladder needs to know about the teacher and the data."""

    layers: int
    hidden: int
    vocabulary: int
    tokens_seen: int
    labels: int


def choices(recipe: Recipe, teacher: Teacher, time: BudgetTime | None) -> list[Choice]:
    """Every choice for this recipe, cheapest first.

    Sizes over the teacher's are left out when the initialisation takes its weights, as are vocabularies that would keep
    as much as a larger one does.

    Raises:
        InputError: the board or the length cannot be predicted; BuildError: no such board.
    """
    bounded = recipe.student.init != "random"
    found = []
    for size, precision, vocabulary in itertools.product(SIZES, PRECISIONS, _vocabularies(teacher)):
        if bounded and (size.layers > teacher.layers or size.hidden > teacher.hidden):
            continue
        found.append(_choice(recipe, teacher, time, size, precision, vocabulary))
    return sorted(found, key=lambda choice: (choice.cost, choice.name))


def _vocabularies(teacher: Teacher) -> Iterator[tuple[str, int, float]]:
    last = 0
    for name, limit, points in VOCABULARIES:
        kept = teacher.vocabulary if limit is None else min(limit, teacher.tokens_seen)
        if kept != last:
            yield name, kept, points
        last = kept


def _choice(
    recipe: Recipe, teacher: Teacher, time: BudgetTime | None, size: Size, precision: Precision,
    vocabulary: tuple[str, int, float],
) -> Choice:  # fmt: skip
    name, kept, lost = vocabulary
    longest = recipe.compile.max_tokens or recipe.data.max_tokens
    model = student(
        size.layers, size.hidden, size.intermediate, size.heads, kept, longest, teacher.labels, precision.scheme,
        table_scheme=precision.embedding,
    )  # fmt: skip
    ms = None if time is None else predicted_ms(model, time)
    expected = _POINTS_A_DOUBLING * math.log2(model.layer_weights) - precision.points - lost
    init = "random"
    if recipe.student.init != "random":
        init = "prune" if size.hidden == teacher.hidden else "pca"
    return Choice(size, precision, name, model, init, model.file_bytes(), ms, expected)


def predicted_ms(model: CostModel | Path, time: BudgetTime) -> float:
    """Predicted milliseconds of a model or a `.still` file on the budget's board (errors as `predict`)."""
    from potstill.bench.predict import predict
    from potstill.boards import board

    return predict(model, board(time.board), tokens=time.tokens, threads=time.threads).ms


def excess(limits: Mapping[str, float], costs: Mapping[str, float | None]) -> float:
    """Largest cost relative to its limit: 1 is just within, 2 is twice too much."""
    ratios = [float(costs[name] or 0.0) / limit for name, limit in limits.items()]
    return max(ratios, default=0.0)


def within(found: Sequence[Choice], limits: Mapping[str, float]) -> list[Choice]:
    """Choices whose predicted costs keep all limits (``bytes``, ``ms``)."""
    return [choice for choice in found if excess(limits, {"bytes": choice.bytes, "ms": choice.ms}) <= 1.0]
