"""Operators that do the work of several: one file a family, each with its `REWRITES`; see ../README.md."""
