"""The .still file: its layouts, number schemes and writer, and an evaluator that runs it in NumPy."""
