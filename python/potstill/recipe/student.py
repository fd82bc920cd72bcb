"""The recipe's section `[student]`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from potstill.recipe.base import Name, Pooling, Section, Share, resolve
from potstill.recipe.presets import with_preset


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
    activation: Literal["gelu", "gelu_new", "relu", "tanh"] | None = Field(
        default=None,
        description="Activation between the two feed-forward layers; without it the teacher's, or GELU where the core "
        "has none such (`gelu_new` is GELU by tanh). An `init` from the teacher's layers wants the teacher's.",
    )
    init: Literal["pca", "copy", "prune", "random"] = Field(
        default="pca",
        description="Where the weights start: the teacher's, projected onto the main directions of its states (`pca`), "
        "its layers as they are (`copy`, needs the teacher's widths), its most important channels, heads and neurons "
        "(`prune`), or at random. Of a teacher whose layers are not BERT's (RoBERTa, XLM-R, CamemBERT, ELECTRA and "
        "DistilBERT have them; DeBERTa, ModernBERT, T5, Llama do not) `pca` takes the token table alone, `copy` and "
        "`prune` are refused.",
    )
    init_layers: list[Annotated[int, Field(ge=0)]] | None = Field(
        default=None,
        description="Teacher layer (from 0) that each student layer starts from; without it, evenly spread.",
    )
    pooling: Pooling = Field(
        default="mean", description="How token vectors become one vector: their mean, or the first token's."
    )
    tokenizer: Name = Field(
        default="teacher",
        description="How the student cuts texts: as its `teacher`; by a tokenizer of its `own`, made of the training "
        "and unlabelled texts; or by that of a folder with a `tokenizer.json`. One that is not the teacher's starts "
        "from the means of the teacher's tokens that spell it, and rules out `distil.attention`, `distil.relations` "
        "and a budget.",
    )
    tokenizer_model: Literal["wordpiece", "bpe", "unigram"] | None = Field(
        default=None,
        description="Kind of the student's `own` tokenizer: `wordpiece` (BERT's; Chinese character by character), "
        "`bpe` (byte-level, as RoBERTa's and GPT-2's: no text is unknown) or `unigram` (as XLM-R's: the best of them "
        "where words are not set apart); without it `unigram`.",
    )
    tokenizer_size: int | None = Field(
        default=None,
        ge=16,
        le=1_000_000,
        description="Most tokens of the student's `own` tokenizer, single characters and four special ones included; "
        "without it 8,000.",
    )
    vocabulary: Literal["full", "seen"] = Field(
        default="full",
        description="Token table: all of the teacher's tokens, or those `seen` in the training and unlabelled texts, "
        "with all single characters or bytes, of which other words are spelt.",
    )
    vocabulary_min_count: int = Field(
        default=1, ge=1, description="Occurrences that keep a token in a vocabulary of tokens seen."
    )
    vocabulary_size: int | None = Field(
        default=None,
        ge=1,
        description="Most tokens in a vocabulary of tokens seen, the most frequent; special tokens, single "
        "characters and what a BPE makes the others of count and always stay.",
    )
    vocabulary_unlabelled_weight: Share = Field(
        default=1.0,
        description="What an occurrence in unlabelled text counts against one in training text, when tokens are "
        "counted; 0 looks at training text alone.",
    )
    vocabulary_characters: Literal["all", "seen"] = Field(
        default="all",
        description="Single characters that stay in a vocabulary of tokens seen: `all` of the teacher's (2,000 tokens "
        "in BERT's, most of scripts that a task never meets), or ASCII and those in the texts `seen`; text with any "
        "other is then unknown. A byte-level BPE keeps all bytes.",
    )

    @property
    def tokenizer_folder(self) -> Path | None:
        """The folder of the student's tokenizer, as seen from the current one; None for the teacher's and its own."""
        return None if self.tokenizer in ("teacher", "own") else resolve(self.tokenizer, self.base)

    @model_validator(mode="before")
    @classmethod
    def _fill_in_preset(cls, keys: Any) -> Any:
        return with_preset(keys)

    @model_validator(mode="after")
    def _fits_together(self) -> Student:
        self._check_kind()
        self._check_tokenizer()
        if self.architecture == "static":
            return self
        if self.hidden % self.heads:
            near = [h for h in range(1, self.hidden + 1) if self.hidden % h == 0]
            best = min(near, key=lambda h: abs(h - self.heads))
            raise ValueError(f"heads = {self.heads} does not divide hidden = {self.hidden}; heads = {best} would")
        if self.init_layers is not None and len(self.init_layers) != self.layers:
            raise ValueError(
                f"init_layers names {len(self.init_layers)} layers, layers = {self.layers}; name {self.layers}, such "
                f"as student.init_layers={list(range(self.layers))}, or leave it out"
            )
        if self.init_layers is not None and self.init == "random":
            raise ValueError('init_layers has no meaning with init = "random"')
        return self

    def _check_kind(self) -> None:
        """Keys that mean something for one kind of student only."""
        static = self.architecture == "static"
        if static and self.init not in ("pca", "random"):
            raise ValueError(f'init = "{self.init}" has no meaning for a static student; use "pca" or "random"')
        if static and self.activation is not None:
            raise ValueError("activation has no meaning for a static student; leave it out")
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
        counted |= self.vocabulary_unlabelled_weight != 1.0 or self.vocabulary_characters != "all"
        if self.vocabulary == "full" and counted:
            raise ValueError('vocabulary_* keys count tokens seen; set vocabulary = "seen", or leave them out')

    def _check_tokenizer(self) -> None:
        """Keys of a tokenizer that is made, and those of one that is cut down."""
        made = self.tokenizer_model is not None or self.tokenizer_size is not None
        if made and self.tokenizer != "own":
            raise ValueError('tokenizer_* keys say what is made; set tokenizer = "own", or leave them out')
        if self.tokenizer != "teacher" and self.vocabulary == "seen":
            raise ValueError(
                f'vocabulary = "seen" cuts the teacher\'s tokenizer down, the student has {self.tokenizer!r}; leave '
                "one of them out"
            )
