"""Read a `.still` file back into a packed model, for inspection and tests. The core checks it first, as for a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from potstill.still.packed import DTYPES, PackedModel
from potstill.still.schema import fb, word


def read_still(path: Path) -> PackedModel:
    """The packed model in `path`; weights are read-only views of the file's bytes.

    Raises:
        FormatError: as `potstill.load`.
    """
    from potstill.runtime.backends import open_backend

    core: Any = open_backend("native", path, 1)
    content = core.content()
    header = _texts(fb.ModelT.InitFromObj(fb.Model.GetRootAs(bytearray(core.header()), 0)))
    sections = []
    for tensor in header.tensors:
        dtype = DTYPES[word(fb.DType, tensor.dtype)]
        sections.append(np.frombuffer(content, dtype, tensor.size // dtype.itemsize, tensor.offset))
    return PackedModel(header, sections)


def _texts(item: Any) -> Any:
    """The object with its texts as str: generated code leaves them bytes."""
    if isinstance(item, bytes):
        return item.decode("utf-8")
    if isinstance(item, list):
        return [_texts(entry) for entry in item]
    for name, value in vars(item).items() if hasattr(item, "__dict__") else ():
        setattr(item, name, _texts(value))
    return item
