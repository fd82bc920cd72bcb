"""The work of nox sessions that belongs to no folder below."""
