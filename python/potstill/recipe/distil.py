"""The recipe's section `[distil]`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from potstill.recipe.base import LearningRate, Precision, Section, Share, Weight


class Distil(Section):
    """How the student learns from the teacher."""

    temperature: float = Field(
        default=2.0, gt=0.0, le=100.0, description="Softens both outputs in the soft loss; 1 to 4 is usual."
    )
    alpha: Share = Field(
        default=0.5,
        description="Weight of the loss on the true labels; the rest is the weight of the loss on the teacher's.",
    )
    class_weights: Literal["none", "balanced"] = Field(
        default="none",
        description="What a row counts in the loss on the true labels, of the student and of a teacher that is "
        "fine-tuned: all alike, or `balanced`: rows of a class of a tenth the size count ten times (`classification` "
        "only).",
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
        "must be shaped like BERT. Where they cut texts differently, this one and `hidden` compare a token with the "
        "teacher's over the same characters; the other two are ruled out.",
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
