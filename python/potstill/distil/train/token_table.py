"""While a model is trained, only the rows of its token table that the texts ask for.

Of multilingual-e5-small's 118 M parameters 96 M are its token table, of whose 250,037 rows a data set asks for some
thousands. The gradient of all others is zero, yet AdamW would keep two numbers for each of theirs, clip and write them:
1.2 GB of memory, and as much in every checkpoint. Left out, they keep their values (AdamW would only shrink them, by
0.05 % in a thousand steps).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn

# Tables with fewer rows than these, or that are asked for more than half of them, are trained as they are.
_ROWS = 100_000


class SeenRows(nn.Module):
    """An embedding that knows some of its rows: ids as before, a small weight.

    Attributes:
        weight: ``[seen, hidden]``.
        place: ``[vocabulary]`` int64, row of the weight for each id; -1 for those that are not known.
    """

    def __init__(self, table: nn.Embedding, seen: torch.Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(table.weight.detach()[seen].clone())
        place = torch.full((table.num_embeddings,), -1, dtype=torch.int64, device=seen.device)
        place[seen] = torch.arange(len(seen), device=seen.device)
        self.register_buffer("place", place, persistent=False)
        self._padding = -1 if table.padding_idx is None else int(place[table.padding_idx])

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Vectors ``[..., hidden]`` of ids; an id that is not known is an index error."""
        return nn.functional.embedding(self.place[ids], self.weight, None if self._padding < 0 else self._padding)


@contextmanager
def only_seen(model: Any, *rows: Sequence[Any]) -> Iterator[None]:
    """Inside, the model's token table has the rows of these ids alone; after it, all, with what those have become.

    Args:
        model: of transformers, to be changed in place.
        rows: arrays of ids; the padding's must be among them.
    """
    table = model.get_input_embeddings()
    seen = np.unique(np.concatenate([np.concatenate([*some, np.zeros(0, np.int32)]) for some in rows]))
    # Gemma 3 scales what its own kind of table gives.
    if type(table) is not nn.Embedding or table.num_embeddings < _ROWS or 2 * len(seen) > table.num_embeddings:
        yield
        return
    ids = torch.from_numpy(seen.astype(np.int64)).to(table.weight.device)
    small = SeenRows(table, ids)
    model.set_input_embeddings(small)
    try:
        yield
    finally:
        with torch.no_grad():
            table.weight[ids.to(table.weight.device)] = small.weight.to(table.weight.device)
        model.set_input_embeddings(table)
