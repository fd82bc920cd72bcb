"""Commands of every wheel."""
