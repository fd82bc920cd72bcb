"""Members of the source archive: what is refused."""

from __future__ import annotations

from toolchains import sdist

GOOD = [f"potstill-0.1.0/{name}" for name in (*sdist.NEEDED, "README.md", "tests/test_cli.py")]


def test_good_members() -> None:
    """Sources, tests, tools."""
    assert sdist.problems(GOOD) == []


def test_what_a_build_left_behind() -> None:
    """Caches, environments, results and compiled files do not travel."""
    bad = [".nox/x", ".cache/roots/y", "dist/a.whl", "build/m.still", "python/potstill/_core.cpython-311.so"]
    found = sdist.problems([*GOOD, *(f"potstill-0.1.0/{name}" for name in bad)])
    assert len(found) == len(bad)
    assert sdist.problems(GOOD[1:]) == ["cpp/schema/still.fbs is missing"]
