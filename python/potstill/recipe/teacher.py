"""The recipe's section `[teacher]`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from potstill.recipe.base import LearningRate, Name, Precision, Section


class Teacher(Section):
    """The model whose behaviour the student learns."""

    model: Name = Field(
        description="Hub id, local folder in Hugging Face format, `demo:all-minilm-l6-v2` (English) or `demo:e5-small` "
        "(multilingual-e5-small, 100 languages): an encoder such as BERT, XLM-R, DeBERTa or ModernBERT, T5's encoder, "
        "or a decoder such as Llama or Qwen.",
        examples=["demo:all-minilm-l6-v2", "demo:e5-small", "bert-base-uncased", "models/my-teacher"],
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
    pooling: Literal["auto", "mean", "cls", "lasttoken"] = Field(
        default="auto",
        description="How token vectors become one vector when the teacher has no classification head of its own: "
        "their mean, or the vector of the first token (`cls`) or of the last; `auto` is what a sentence-transformers "
        "folder says, else the last token's of a decoder such as GPT-2 or Llama, the mean of any other.",
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
