"""The teacher: fine-tuned, checked, its outputs computed once."""
