"""The type of numpy arrays whose numbers depend on the tensor: shapes and dtypes are told by docstrings."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

Array = NDArray[Any]
