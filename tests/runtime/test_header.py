"""The header read without flatbuffers says what the full reader says."""

from __future__ import annotations

from pathlib import Path

import pytest

from potstill.errors import FormatError
from potstill.runtime.header import read_header

STORED = sorted((Path(__file__).parents[1] / "formats").glob("*.still"))


@pytest.mark.parametrize("stored", [None, *STORED], ids=lambda path: path.name if path else "tiny")
def test_as_the_full_reader(still: Path, stored: Path | None) -> None:
    pytest.importorskip("flatbuffers")
    from potstill.still.reader import read_still

    path = stored or still
    model, header = read_still(path), read_header(path)
    assert [(t.name, t.dtype, t.shape, t.bytes) for t in header.tensors] == [
        (t.name, t.dtype, t.shape, t.bytes) for t in model.tensors
    ]
    table = next(op for op in model.ops if op.kind == "Embedding").tensors["word_t"]
    assert header.token_table == model.tensors[table].shape


def test_other_files(still: Path, tmp_path: Path) -> None:
    """A file that the core has not accepted: an error, not whatever its bytes lead to."""
    data = still.read_bytes()
    broken = tmp_path / "m.still"
    for size, code in ((0, "F003"), (63, "F003"), (64, "F011"), (90, "F011")):
        broken.write_bytes(data[:size])
        with pytest.raises(FormatError) as caught:
            read_header(broken)
        assert caught.value.code == code
    broken.write_bytes(data[:64] + b"\xff" * len(data[64:]))
    with pytest.raises(FormatError, match="F011"):
        read_header(broken)
