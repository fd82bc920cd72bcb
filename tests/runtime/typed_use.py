"""What a user writes, for `mypy --strict`: the session lint checks it, nothing runs it."""

from __future__ import annotations

import potstill


def main() -> int:
    try:
        with potstill.load("model.still", threads=2) as model:
            vectors = model.embed(text for text in ("a", "b"))
            first: float = vectors[0][1]
            rows: list[list[float]] = [row.tolist() for row in vectors] + vectors.tolist()
            view = memoryview(model.logits(["a"]))
            shape: tuple[int, int] = vectors.shape
            found: dict[str, object] = model.classify({"a": "b"}.items())[0].as_dict()
            ids: list[list[int]] = model.tokenize(["a"], truncate=True)
            model.logits_from_ids(ids)
            words: list[str] = [token.word for token in model.tag([["a", "b"], "c d"])[0]]
    except potstill.InputError as error:
        return error.exit_code
    return len(rows) + len(view) + len(shape) + len(found) + len(words) + int(first)
