"""Operators on rounded values: one file a family, each with its `REWRITES`; see ../README.md."""
