"""Differential tests of tokenizers: the core beside Hugging Face `tokenizers`, ids and places, any text."""

from toolchains.tokenizers.same import both, differences
from toolchains.tokenizers.texts import random_text

__all__ = ["both", "differences", "random_text"]
