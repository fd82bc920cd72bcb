"""A tokenizer over a part of its pieces: one file for each kind of model."""
