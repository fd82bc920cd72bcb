"""Commands that make models; not in a board's wheel."""
