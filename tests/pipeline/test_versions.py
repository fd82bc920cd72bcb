"""What made a result."""

from __future__ import annotations

import platform

from potstill.keys.versions import versions


def test_versions_name_what_is_installed() -> None:
    found = versions()
    assert found["python"] == platform.python_version() and found["machine"] == platform.machine()
    import numpy

    assert found["numpy"] == numpy.__version__
    assert all(isinstance(version, str) and version for version in found.values())
