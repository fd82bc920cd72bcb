"""Data sets of the Hugging Face hub, through HF `datasets` (needs a network, or the hub's own cache)."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from potstill.data.columns import missing_column
from potstill.data.files import declared_names
from potstill.data.labels import Raw
from potstill.errors import DataError
from potstill.work.progress import Progress


def read_hub(
    source: str,
    config: str | None,
    wanted: Mapping[str, str | None],
    text: str,
    label: str | None,
    progress: Progress,
    pair: str | None = None,
) -> dict[str, Raw]:
    """Rows of the splits of a hub data set.

    Args:
        source, config: hub id and configuration.
        wanted: for `train`, `validation`, `test` the name of the hub's split, or None for the usual name if it exists.
        text, label, pair: names of the columns; `pair` for second texts.
    Returns: the splits found, `train` always. A split chosen by its usual name whose labels are all hidden (-1, as in
        GLUE's test splits) is left out.
    Raises:
        DataError: missing column; the data set cannot be loaded; no such split.
    """
    import datasets

    name = source if config is None else f"{source} ({config})"
    progress.message(f"data: loading {name} from the hub")
    try:
        found = datasets.load_dataset(source, config)
    except Exception as error:  # the hub's client raises dozens of types of five libraries
        said = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise DataError(
            "D016",
            f"the data set cannot be loaded: {said}",
            f"hub data set {name}",
            "check the id, data.config and the network; a local file path works without a network",
        ) from error
    return pick_splits(found, wanted, text, label, name, pair)


def pick_splits(
    found: Any, wanted: Mapping[str, str | None], text: str, label: str | None, name: str, pair: str | None = None
) -> dict[str, Raw]:
    """The wanted splits of the loaded data set `found` (a mapping of split names to `Dataset`)."""
    rows: dict[str, Raw] = {}
    for part, chosen in wanted.items():
        split = chosen or part
        if split not in found:
            if chosen is None and part != "train":
                continue
            close = difflib.get_close_matches(split, list(found), n=1)
            hint = f"did you mean {close[0]!r}? " if close else ""
            raise DataError(
                "D017", f"there is no split {split!r}", f"{name}, splits: {', '.join(found)}", f"{hint}set data.{part}"
            )
        table = found[split]
        named = (("data.text", text), ("data.text_pair", pair), ("data.label", label))
        absent = [(key, column) for key, column in named if column is not None and column not in table.column_names]
        if absent:
            raise missing_column(absent, table.column_names, f"{name}, split {split}")
        labels = None if label is None else table[label][:]
        if chosen is None and part != "train" and labels is not None and all(value in (None, -1) for value in labels):
            continue
        names = declared_names(table.features[label]) if label is not None else None
        pairs = table[pair][:] if pair is not None else None
        rows[part] = Raw(table[text][:], labels, f"{name}, split {split}", label or "", names, pairs=pairs)
    return rows
