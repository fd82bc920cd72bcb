"""The core's tokenizer over the compiler's tables."""

from toolchains.tokenizers.native import native

__all__ = ["native"]
