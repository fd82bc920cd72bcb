"""Training: the trainer, its arguments, rows, checkpoints and diagnosis."""
