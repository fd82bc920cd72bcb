"""Every key of a recipe: type, range, default, meaning. Documentation, JSON schema and templates are made from here."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, field_validator, model_validator

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Name = Annotated[str, Field(min_length=1)]
LearningRate = Annotated[float, Field(gt=0.0, lt=1.0)]
# Longest position table among the encoders we know of is 8,192; a typing error is far more likely above it.
Tokens = Annotated[int, Field(ge=4, le=8192)]
Precision = Literal["auto", "fp32", "bf16"]
Pooling = Literal["mean", "cls"]
Task = Literal["classification", "multi-label", "embedding"]


class Section(BaseModel):
    """Base of all sections: unknown keys are errors, and a number is never taken from a text."""

    # A recipe is fixed once it is read: stage keys are hashes of it.
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    # Folder of the recipe file; relative paths are looked up there first. Not part of the recipe's content.
    _base: Path | None = PrivateAttr(default=None)

    @property
    def base(self) -> Path | None:
        """Folder of the recipe file, or None for a bundled recipe."""
        return self._base


class Teacher(Section):
    """The model whose behaviour the student learns."""

    model: Name = Field(
        description="Hub id, local folder in Hugging Face format, or `demo:all-minilm-l6-v2`.",
        examples=["demo:all-minilm-l6-v2", "bert-base-uncased", "models/my-teacher"],
    )
    finetune: Literal["auto", "always", "never"] = Field(
        default="auto",
        description="`auto` fine-tunes the teacher on the training data unless it already has a classification head "
        "for these labels; `always` and `never` force it.",
    )
    epochs: int = Field(default=4, ge=1, le=100, description="Most passes over the training data when fine-tuning.")
    learning_rate: LearningRate = Field(
        default=5e-5, description="Peak learning rate of fine-tuning (AdamW, linear decay)."
    )
    batch_size: int = Field(default=32, ge=1, le=4096, description="Rows in a training step.")
    pooling: Pooling = Field(
        default="mean",
        description="How token vectors become one vector when the teacher has no classification head of its own: "
        "their mean, or the vector of the first token.",
    )
    early_stopping_patience: int = Field(
        default=2,
        ge=0,
        le=100,
        description="Stop after so many epochs without a better validation accuracy; 0 never stops early.",
    )
    precision: Precision = Field(
        default="auto",
        description="Arithmetic of training: `bf16` autocast, `fp32`, or bf16 where the CPU or GPU has it.",
    )


class Data(Section):
    """What is trained and tested on."""

    source: Name = Field(
        description="Demo corpus (`demo:movie-reviews`, `demo:bbc-topics`), hub id of a data set, path of a CSV, TSV, "
        "JSON, JSON Lines or Parquet file, or a folder with `train.csv` and so on. Paths start at the recipe.",
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
    text: Name = Field(default="text", description="Name of the column with the text.")
    text_pair: Name | None = Field(
        default=None,
        description="Name of a column with a second text, for tasks on pairs (does one text answer, follow from or "
        "mean the same as the other).",
    )
    label: Name = Field(
        default="label",
        description="Name of the column with the label: names or whole numbers; for `multi-label` a list of them, or "
        "a text with `label_separator` between them.",
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

    @field_validator("split")
    @classmethod
    def _split_is_a_whole(cls, split: list[float]) -> list[float]:
        if abs(sum(split) - 1.0) > 1e-6:
            raise ValueError(f"the shares sum to {sum(split):g}, not to 1")
        if split[0] == 0.0:
            raise ValueError("the share of the training rows (the first) is 0")
        return split


class Student(Section):
    """The small model that is made."""

    architecture: Name = Field(default="bert", description="Kind of student, a name of the student registry.")
    layers: int = Field(default=4, ge=1, le=48, description="Transformer layers.")
    hidden: int = Field(default=312, ge=8, le=8192, description="Width of the token vectors; a multiple of `heads`.")
    heads: int = Field(default=12, ge=1, le=128, description="Attention heads in a layer.")
    intermediate: int = Field(default=1200, ge=8, le=65536, description="Width of the feed-forward part.")
    init: Literal["pca", "copy", "random"] = Field(
        default="pca",
        description="Where the weights start: the teacher's, projected onto the main directions of its states (`pca`), "
        "its layers as they are (`copy`, needs the teacher's widths), or at random.",
    )
    init_layers: list[Annotated[int, Field(ge=0)]] | None = Field(
        default=None,
        description="Teacher layer (from 0) that each student layer starts from; without it, evenly spread.",
    )
    pooling: Pooling = Field(
        default="mean", description="How token vectors become one vector: their mean, or the first token's."
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Student:
        if self.hidden % self.heads:
            near = [h for h in range(1, self.hidden + 1) if self.hidden % h == 0]
            best = min(near, key=lambda h: abs(h - self.heads))
            raise ValueError(f"heads = {self.heads} does not divide hidden = {self.hidden}; heads = {best} would")
        if self.init_layers is not None and len(self.init_layers) != self.layers:
            raise ValueError(f"init_layers names {len(self.init_layers)} layers, layers = {self.layers}")
        if self.init_layers is not None and self.init == "random":
            raise ValueError('init_layers has no meaning with init = "random"')
        return self


class Distil(Section):
    """How the student learns from the teacher."""

    temperature: float = Field(
        default=2.0, gt=0.0, le=100.0, description="Softens both outputs in the soft loss; 1 to 4 is usual."
    )
    alpha: Share = Field(
        default=0.5,
        description="Weight of the loss on the true labels; the rest is the weight of the loss on the teacher's.",
    )
    pooled_cosine: float = Field(
        default=0.0,
        ge=0.0,
        le=100.0,
        description="Weight of the cosine loss between pooled vectors of student and teacher; 0 is off.",
    )
    epochs: int = Field(
        default=5, ge=1, le=1000, description="Passes over the training data, unlabelled texts included."
    )
    learning_rate: LearningRate = Field(default=3e-4, description="Peak learning rate (AdamW, linear decay).")
    batch_size: int = Field(default=32, ge=1, le=4096, description="Rows in a training step.")
    warmup: Share = Field(default=0.1, description="Share of the steps in which the learning rate rises to its peak.")
    precision: Precision = Field(default="auto", description="Arithmetic of training, as `teacher.precision`.")
    save_steps: int = Field(
        default=200,
        ge=1,
        description="Steps between two checkpoints, from which a stopped build resumes; the last two are kept.",
    )


class Export(Section):
    """Which exchange formats are written."""

    onnx: bool = Field(
        default=True,
        description="Write ONNX. The compiler reads it, so it is always made; `false` does not publish it.",
    )
    opset: Literal[13, 18] = Field(default=18, description="ONNX operator set; 13 for old runtimes.")
    tflite: bool = Field(default=True, description="Write TFLite too (needs the extra `tflite`).")


class Compile(Section):
    """How the `.still` file is made."""

    scheme: Literal["int8", "int4", "fp32"] = Field(
        default="int8",
        description="Numbers of the weights in the file; `int4` halves it at some cost in accuracy.",
    )
    max_tokens: Tokens | None = Field(
        default=None, description="Longest text that the file accepts, in tokens; without it `data.max_tokens`."
    )


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
        "(`multi-label`), or a vector a text, such that like texts get like vectors (`embedding`: no labels needed, "
        "the teacher is a sentence encoder, taken as it is).",
    )
    teacher: Teacher = Field(description="The model whose behaviour the student learns.")
    data: Data = Field(description="What is trained and tested on.")
    student: Student = Field(default_factory=Student, description="The small model that is made.")
    distil: Distil = Field(default_factory=Distil, description="How the student learns from the teacher.")
    export: Export = Field(default_factory=Export, description="Which exchange formats are written.")
    compile: Compile = Field(default_factory=Compile, description="How the `.still` file is made.")

    @model_validator(mode="after")
    def _fits_together(self) -> Recipe:
        if self.compile.max_tokens is not None and self.compile.max_tokens < self.data.max_tokens:
            raise ValueError(
                f"compile.max_tokens = {self.compile.max_tokens} is under data.max_tokens = {self.data.max_tokens}: "
                "the file would refuse texts that the student was tested on"
            )
        if self.data.text_pair is not None and self.task not in ("classification", "multi-label"):
            raise ValueError(f'data.text_pair does not go with task = "{self.task}"; it reads single texts')
        if self.data.text_pair is not None and self.data.unlabelled:
            raise ValueError("data.unlabelled holds single texts, data.text_pair asks for pairs; leave one of them out")
        if self.task == "embedding" and self.teacher.finetune == "always":
            raise ValueError('teacher.finetune = "always" has no meaning with task = "embedding": nothing is labelled')
        return self

    def set_base(self, base: Path | None) -> None:
        """Remember the folder that relative paths are taken from."""
        for section in (self, self.teacher, self.data):
            section._base = base

    def content(self) -> dict[str, Any]:
        """All keys with their values, defaults included, as plain types."""
        return self.model_dump(mode="json")


SECTIONS: dict[str, type[Section]] = {
    "teacher": Teacher,
    "data": Data,
    "student": Student,
    "distil": Distil,
    "export": Export,
    "compile": Compile,
}
