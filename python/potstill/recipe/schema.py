"""Every key of a recipe: type, range, default, meaning. Documentation, JSON schema and templates are made from here."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, field_validator, model_validator

from potstill.recipe.presets import with_preset
from potstill.units import parse_bytes

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Name = Annotated[str, Field(min_length=1)]
LearningRate = Annotated[float, Field(gt=0.0, lt=1.0)]
# Longest position table among the encoders we know of is 8,192; a typing error is far more likely above it.
Tokens = Annotated[int, Field(ge=4, le=8192)]
Weight = Annotated[float, Field(ge=0.0, le=100.0)]
Precision = Literal["auto", "fp32", "bf16"]
Pooling = Literal["mean", "cls"]
Task = Literal["classification", "multi-label", "embedding"]
# Values of compile.embedding with which scheme = "fp32" rounds nothing at all.
_PLAIN = ("auto", "fp32")


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
    batch_size: int = Field(default=32, ge=1, le=4096, description="Rows in a training step, over all processes.")
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

    preset: Literal["tinybert-4l-312", "minilm-3l-384", "2l-256", "2l-128", "static-256"] | None = Field(
        default=None,
        description="Named sizes: layers, hidden size (`tinybert-4l-312`: 4 and 312) and what goes with them. Keys "
        "that the recipe gives win over the preset's.",
    )
    architecture: Name = Field(
        default="bert",
        description="Kind of student: `bert`, `factorized` (its token table in two factors), or `static` (the mean of "
        "one vector a token: no attention, `layers`, `heads` and `intermediate` mean nothing).",
    )
    layers: int = Field(default=4, ge=1, le=48, description="Transformer layers.")
    hidden: int = Field(default=312, ge=8, le=8192, description="Width of the token vectors; a multiple of `heads`.")
    heads: int = Field(default=12, ge=1, le=128, description="Attention heads in a layer.")
    intermediate: int = Field(default=1200, ge=8, le=65536, description="Width of the feed-forward part.")
    embedding_size: int | None = Field(
        default=None,
        ge=1,
        le=8192,
        description="Width of the token table of a `factorized` student; without it 128, or `hidden` where that is "
        "less.",
    )
    head_hidden: int = Field(
        default=0,
        ge=0,
        le=8192,
        description="Width of a hidden layer between the pooled vector and the labels of a `static` student; 0 has "
        "none.",
    )
    init: Literal["pca", "copy", "prune", "random"] = Field(
        default="pca",
        description="Where the weights start: the teacher's, projected onto the main directions of its states (`pca`), "
        "its layers as they are (`copy`, needs the teacher's widths), its most important channels, heads and neurons "
        "(`prune`), or at random.",
    )
    init_layers: list[Annotated[int, Field(ge=0)]] | None = Field(
        default=None,
        description="Teacher layer (from 0) that each student layer starts from; without it, evenly spread.",
    )
    pooling: Pooling = Field(
        default="mean", description="How token vectors become one vector: their mean, or the first token's."
    )
    vocabulary: Literal["full", "seen"] = Field(
        default="full",
        description="Token table: all of the teacher's tokens, or those `seen` in the training and unlabelled texts, "
        "with all single characters, of which other words are spelt. Needs a WordPiece teacher.",
    )
    vocabulary_min_count: int = Field(
        default=1, ge=1, description="Occurrences that keep a token in a vocabulary of tokens seen."
    )
    vocabulary_size: int | None = Field(
        default=None,
        ge=1,
        description="Most tokens in a vocabulary of tokens seen, the most frequent; special tokens and single "
        "characters count and always stay.",
    )
    vocabulary_unlabelled_weight: Share = Field(
        default=1.0,
        description="What an occurrence in unlabelled text counts against one in training text, when tokens are "
        "counted; 0 looks at training text alone.",
    )

    @model_validator(mode="before")
    @classmethod
    def _fill_in_preset(cls, keys: Any) -> Any:
        return with_preset(keys)

    @model_validator(mode="after")
    def _fits_together(self) -> Student:
        self._check_kind()
        if self.architecture == "static":
            return self
        if self.hidden % self.heads:
            near = [h for h in range(1, self.hidden + 1) if self.hidden % h == 0]
            best = min(near, key=lambda h: abs(h - self.heads))
            raise ValueError(f"heads = {self.heads} does not divide hidden = {self.hidden}; heads = {best} would")
        if self.init_layers is not None and len(self.init_layers) != self.layers:
            raise ValueError(f"init_layers names {len(self.init_layers)} layers, layers = {self.layers}")
        if self.init_layers is not None and self.init == "random":
            raise ValueError('init_layers has no meaning with init = "random"')
        return self

    def _check_kind(self) -> None:
        """Keys that mean something for one kind of student only."""
        static = self.architecture == "static"
        if static and self.init not in ("pca", "random"):
            raise ValueError(f'init = "{self.init}" has no meaning for a static student; use "pca" or "random"')
        if static and self.init_layers is not None:
            raise ValueError("init_layers has no meaning for a static student; leave it out")
        if static and self.pooling != "mean":
            raise ValueError(f'pooling = "{self.pooling}" of a static student is one vector for all texts; use "mean"')
        if self.head_hidden and not static:
            raise ValueError(f'head_hidden has no meaning for a {self.architecture} student; use "static", or 0')
        if self.embedding_size is not None and self.architecture != "factorized":
            raise ValueError(f"embedding_size has no meaning for a {self.architecture} student; leave it out")
        if self.embedding_size is not None and self.embedding_size > self.hidden:
            raise ValueError(f"embedding_size = {self.embedding_size} is over hidden = {self.hidden}")
        counted = self.vocabulary_min_count > 1 or self.vocabulary_size is not None
        if self.vocabulary == "full" and (counted or self.vocabulary_unlabelled_weight != 1.0):
            raise ValueError('vocabulary_* keys count tokens seen; set vocabulary = "seen", or leave them out')


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
    embedding: Weight = Field(
        default=0.0,
        description="Weight of TinyBERT's loss between embedding outputs: mean squared difference, the student's "
        "mapped to the teacher's width by a learned map. This and the next three compare token by token: both models "
        "must be shaped like BERT and cut texts into the same tokens.",
    )
    hidden: Weight = Field(
        default=0.0,
        description="Weight of TinyBERT's loss between the outputs of mapped layers, as `embedding`.",
    )
    attention: Weight = Field(
        default=0.0,
        description="Weight of TinyBERT's loss between the attention scores of mapped layers; their means over the "
        "heads where the numbers of heads differ.",
    )
    relations: Weight = Field(
        default=0.0,
        description="Weight of MiniLMv2's loss: divergence of query-query, key-key and value-value relations of the "
        "student's last layer from one of the teacher's.",
    )
    teacher_layers: list[Annotated[int, Field(ge=0)]] | None = Field(
        default=None,
        description="Teacher layer (from 0) for each student layer in `hidden` and `attention`; without it, the last "
        "of evenly cut groups: 1, 2, 4, 5 for 4 layers of 6.",
    )
    relation_layer: int | None = Field(
        default=None, ge=0, description="Teacher layer (from 0) of `relations`; without it, the last."
    )
    relation_heads: int | None = Field(
        default=None,
        ge=1,
        description="Heads that relations are cut into, which must divide both widths; without it, the teacher's heads "
        "or the next number below that does.",
    )
    augment: int = Field(
        default=0,
        ge=0,
        le=100,
        description="New texts made of each training text, with words replaced by near ones or dropped; labelled by "
        "the teacher alone.",
    )
    cache_limit: int = Field(
        default=4 * 2**30,
        ge=0,
        description="Most bytes of token states of the teacher kept on the disk for the losses that compare tokens; "
        "above it the teacher runs in every training step instead. Its logits and pooled vectors are always kept.",
    )
    epochs: int = Field(
        default=5, ge=1, le=1000, description="Passes over the training data, unlabelled texts included."
    )
    learning_rate: LearningRate = Field(default=3e-4, description="Peak learning rate (AdamW, linear decay).")
    batch_size: int = Field(default=32, ge=1, le=4096, description="Rows in a training step, over all processes.")
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
    onnx_static: bool = Field(
        default=False,
        description="Also write `model.static-int8.onnx`, whose activation ranges are fixed on training texts, for "
        "engines that want it; the usual `model.int8.onnx` scales activations while it runs.",
    )


class Compile(Section):
    """How the `.still` file is made."""

    scheme: Literal["int8", "int4", "fp32", "mixed"] = Field(
        default="int8",
        description="Numbers of the weights in the file; `int4` halves it at some cost in accuracy, `mixed` measures "
        "on the validation texts what each layer bears and chooses for each.",
    )
    embedding: Literal["auto", "int8", "int4", "fp32"] = Field(
        default="auto",
        description="Numbers of the word embedding, as a rule most of the file; `auto` is the scheme's (with `mixed` "
        "it is chosen as a layer is).",
    )
    mixed_drop: float | None = Field(
        default=None,
        ge=0.0,
        le=10.0,
        description="With `mixed`: most damage accepted, as `potstill sensitivity` tells it (the sum of the layers' "
        "Kullback-Leibler divergences, in nats); without it and without `mixed_bytes` 0.002.",
    )
    mixed_bytes: int | None = Field(
        default=None,
        ge=1,
        description="With `mixed`, instead of `mixed_drop`: most bytes of the linear layers and the word embedding.",
    )
    max_tokens: Tokens | None = Field(
        default=None, description="Longest text that the file accepts, in tokens; without it `data.max_tokens`."
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Compile:
        given = [name for name in ("mixed_drop", "mixed_bytes") if getattr(self, name) is not None]
        if given and self.scheme != "mixed":
            raise ValueError(f'{given[0]} has no meaning with scheme = "{self.scheme}"; use scheme = "mixed"')
        if len(given) == 2:
            raise ValueError("mixed_drop and mixed_bytes are two ways to set one limit; give one of them")
        return self


class Quantize(Section):
    """How weights are rounded, and whether the student is trained for it."""

    clip: Literal["absmax", "mse"] = Field(
        default="absmax",
        description="Range of an int8 row: its largest value, or where the squared error is least (`mse`). Rows of "
        "int4 are always cut off where their error is least.",
    )
    qat_epochs: float = Field(
        default=0.0,
        ge=0.0,
        le=1000.0,
        description="Passes over the training data with rounded weights and activations, after distillation, so that "
        "the student learns to bear `compile.scheme`; 0 is off. int4 gains from 1, int8 hardly needs it.",
    )
    qat_learning_rate: LearningRate = Field(
        default=1e-4, description="Peak learning rate of these passes (AdamW, linear decay)."
    )


class BudgetTime(Section):
    """Milliseconds that one text may take."""

    board: Name = Field(description="A board of `boards.toml`, or of your own board file.", examples=["pi4"])
    tokens: Annotated[int, Field(ge=1, le=8192)] = Field(description="Length of the text, in tokens.")
    value: float = Field(gt=0.0, description="Milliseconds, predicted for that board (point estimate).")
    threads: int = Field(default=1, ge=1, le=256, description="Threads the prediction is made for.")


class Budget(Section):
    """What the result may cost. With any of these, the student's size, vocabulary and precision are chosen for you."""

    accuracy_drop: float | None = Field(
        default=None,
        ge=0.0,
        le=100.0,
        description="Points of accuracy that the packed student may lose against its teacher on the validation set. "
        "The cheapest student that holds it is taken; without it, the largest one that the other limits allow.",
    )
    bytes: int | None = Field(
        default=None, gt=0, description='Size of the `.still` file: bytes, or a text such as `"4MB"` (1 MB = 10^6).'
    )
    ms: BudgetTime | None = Field(
        default=None, description='Predicted time of a text: `{ board = "pi4", tokens = 32, value = 5 }`.'
    )

    @field_validator("bytes", mode="before")
    @classmethod
    def _size(cls, value: Any) -> Any:
        return parse_bytes(value) if isinstance(value, str) else value

    @property
    def stated(self) -> bool:
        """Whether there is any limit."""
        return any(limit is not None for limit in (self.accuracy_drop, self.bytes, self.ms))


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
        if self.data.text_pair is not None:
            self._check_pairs()
        if self.task == "embedding":
            self._check_embedding()
        return self

    def _check_pairs(self) -> None:
        """What does not go with pairs of texts."""
        if self.task == "embedding":
            raise ValueError(f'data.text_pair does not go with task = "{self.task}"; it reads single texts')
        if self.data.unlabelled:
            raise ValueError("data.unlabelled holds single texts, data.text_pair asks for pairs; leave one of them out")
        if self.distil.augment:
            raise ValueError("distil.augment makes single texts, data.text_pair asks for pairs; set it to 0")
        if self.student.architecture in ("static", "factorized"):
            raise ValueError(
                f"a {self.student.architecture} student has no token types, by which the two texts of a pair are told "
                'apart; use student.architecture = "bert", or leave data.text_pair out'
            )

    def _check_embedding(self) -> None:
        """What needs labels, or their scores."""
        if self.teacher.finetune == "always":
            raise ValueError('teacher.finetune = "always" has no meaning with task = "embedding": nothing is labelled')
        if self.student.init == "prune":
            raise ValueError(
                'student.init = "prune" looks at the scores of labels, which task = "embedding" has not; use "pca"'
            )
        if self.student.head_hidden:
            raise ValueError(
                'student.head_hidden is part of a classification head, which task = "embedding" has not; set it to 0'
            )
        if self.quantize.qat_epochs > 0:
            raise ValueError(
                'quantize.qat_epochs trains on the scores of labels, which task = "embedding" has not; set it to 0'
            )
        if self.compile.scheme == "mixed":
            raise ValueError(
                'compile.scheme = "mixed" measures layers by the scores of labels, which task = "embedding" has not; '
                'use "int8" or "int4"'
            )
        if self.budget.stated:
            raise ValueError(
                'budget chooses among students of classifiers and does not know task = "embedding"; leave it out and '
                "set student.layers and student.hidden"
            )

    def set_base(self, base: Path | None) -> None:
        """Remember the folder that relative paths are taken from."""
        for section in (self, self.teacher, self.data):
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
