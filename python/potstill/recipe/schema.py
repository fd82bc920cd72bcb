"""Every key of a recipe: type, range, default, meaning. Documentation, JSON schema and templates are made from here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from potstill.recipe.base import Section, Task
from potstill.recipe.budget import Budget, BudgetTime
from potstill.recipe.compile import Compile
from potstill.recipe.data import Data
from potstill.recipe.distil import Distil
from potstill.recipe.export import Export
from potstill.recipe.quantize import Quantize
from potstill.recipe.student import Student
from potstill.recipe.teacher import Teacher

__all__ = [
    "SECTIONS",
    "SUBSECTIONS",
    "Budget",
    "BudgetTime",
    "Compile",
    "Data",
    "Distil",
    "Export",
    "Quantize",
    "Recipe",
    "Section",
    "Student",
    "Teacher",
]

# Values of compile.embedding with which scheme = "fp32" rounds nothing at all.
_PLAIN = ("auto", "fp32")


class Recipe(Section):
    """A whole recipe."""

    name: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$",
        max_length=64,
        description="Name of the recipe, its output folder and its model. Letters, digits, `.`, `_`, `-`.",
        examples=["sentiment"],
    )
    seed: int = Field(
        default=42, ge=0, lt=2**32, description="Seed of the split, of initial weights and of the order of training."
    )
    task: Task = Field(
        default="classification",
        description="What the model is for: one label a text (`classification`), any number of labels a text "
        "(`multi-label`), a vector a text, such that like texts get like vectors (`embedding`: no labels needed, "
        "the teacher is a sentence encoder, taken as it is), or one label a word (`token-classification`: named "
        "entities, punctuation, slots).",
    )
    teacher: Teacher = Field(description="The model whose behaviour the student learns.")
    data: Data = Field(description="What is trained and tested on.")
    student: Student = Field(default_factory=Student, description="The small model that is made.")
    distil: Distil = Field(default_factory=Distil, description="How the student learns from the teacher.")
    export: Export = Field(default_factory=Export, description="Which exchange formats are written.")
    compile: Compile = Field(default_factory=Compile, description="How the `.still` file is made.")
    quantize: Quantize = Field(
        default_factory=Quantize, description="How weights are rounded, and whether the student is trained for it."
    )
    budget: Budget = Field(
        default_factory=Budget,
        description="What the result may cost. With any of these, the student's size, vocabulary and precision are "
        "chosen for you.",
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Recipe:
        if self.compile.max_tokens is not None and self.compile.max_tokens < self.data.max_tokens:
            raise ValueError(
                f"compile.max_tokens = {self.compile.max_tokens} is under data.max_tokens = {self.data.max_tokens}: "
                "the file would refuse texts that the student was tested on"
            )
        if self.quantize.qat_epochs > 0 and self.compile.scheme == "fp32" and self.compile.embedding in _PLAIN:
            raise ValueError('quantize.qat_epochs has no meaning with compile.scheme = "fp32"; set it to 0')
        if self.data.units != "auto" and self.task != "token-classification":
            raise ValueError(
                f'data.units says what a tagger labels, task is "{self.task}"; leave it out, or set '
                'task = "token-classification"'
            )
        if self.data.text_pair is not None:
            self._check_pairs()
        if self.student.tokenizer != "teacher":
            self._check_other_tokenizer()
        return self

    def _check_other_tokenizer(self) -> None:
        """What does not go with a student that cuts texts otherwise than its teacher."""
        for name in ("attention", "relations"):
            if getattr(self.distil, name) > 0:
                raise ValueError(
                    f"distil.{name} compares tokens two by two, student.tokenizer = {self.student.tokenizer!r} gives "
                    'others than the teacher\'s; set it to 0, or student.tokenizer = "teacher"'
                )
        if self.budget.stated:
            raise ValueError(
                f"a budget chooses the vocabulary, student.tokenizer = {self.student.tokenizer!r} gives another; set "
                'student.tokenizer = "teacher", or leave the budget out'
            )

    def _check_pairs(self) -> None:
        """What does not go with pairs of texts, whatever the task."""
        if self.data.unlabelled:
            raise ValueError("data.unlabelled holds single texts, data.text_pair asks for pairs; leave one of them out")
        if self.distil.augment:
            raise ValueError("distil.augment makes single texts, data.text_pair asks for pairs; set it to 0")
        if self.student.architecture in ("static", "factorized"):
            raise ValueError(
                f"a {self.student.architecture} student has no token types, which tell the two texts of a pair "
                'apart; use student.architecture = "bert", or leave data.text_pair out'
            )

    def set_base(self, base: Path | None) -> None:
        """Remember the folder that relative paths are taken from."""
        for section in (self, self.teacher, self.data, self.student):
            section._base = base

    def content(self) -> dict[str, Any]:
        """All keys with their values, defaults included, as plain types."""
        return self.model_dump(mode="json")


# Tables inside sections, by their dotted name.
SUBSECTIONS: dict[str, type[Section]] = {"budget.ms": BudgetTime}

SECTIONS: dict[str, type[Section]] = {
    "teacher": Teacher,
    "data": Data,
    "student": Student,
    "distil": Distil,
    "export": Export,
    "compile": Compile,
    "quantize": Quantize,
    "budget": Budget,
}
