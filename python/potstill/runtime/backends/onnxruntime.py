"""onnxruntime as a backend: any ONNX file with `input_ids` and `attention_mask` in, `logits` or `embedding` out."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from potstill.errors import InputError, missing_package
from potstill.runtime.backends import Output
from potstill.runtime.backends.outside import (
    Facts,
    Texts,
    batches,
    check_finite,
    check_ids,
    check_types,
    existing,
    facts_from,
    score_of,
    thread_count,
    unreadable,
)


class OnnxRuntimeBackend:
    """A session of onnxruntime's CPU provider; a batch is sorted by length, cut into groups and padded inside.

    Note that an int8 file quantizes the activations of a whole group at once: a row's logits then depend on the rows
    beside it. Our own core has no such dependence.
    """

    def __init__(self, path: Path, threads: int | None) -> None:
        """Load the file.

        Args:
            path: the `.onnx` file.
            threads: threads of one operator, or None for POTSTILL_NUM_THREADS, else the CPUs this process may use.

        Raises:
            InputError: a bad thread count; no such file; the engine refuses it; other inputs or
                outputs than ours.
            SystemFailure: onnxruntime is missing.
        """
        existing(path)
        try:
            import onnxruntime
        except ImportError as error:
            raise missing_package("onnxruntime", "onnxruntime", "backend='onnxruntime'") from error
        self._threads = thread_count(threads)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.inter_op_num_threads = 1
        # Errors are raised; its warnings on standard error concern graph insides.
        options.log_severity_level = 4
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # the engine's exception classes share no base but Exception
            raise unreadable(path, error) from error
        self._inputs = {value.name for value in self._session.get_inputs()}
        names = [value.name for value in self._session.get_outputs()]
        if not {"input_ids", "attention_mask"} <= self._inputs <= {"input_ids", "attention_mask", "token_type_ids"}:
            raise InputError(
                "I053",
                f"the model's inputs are {', '.join(sorted(self._inputs))}",
                str(path),
                "give a model with input_ids and attention_mask",
            )
        self._outputs = [name for name in ("logits", "embedding") if name in names]
        if not self._outputs:
            raise InputError(
                "I053",
                f"the model's outputs are {', '.join(names)}",
                str(path),
                "give a model with the output logits or embedding",
            )
        shapes = {value.name: value.shape for value in self._session.get_outputs()}
        self._facts = replace(
            _facts(self._session.get_modelmeta().custom_metadata_map),
            per_token="logits" in shapes and len(shapes["logits"]) == 3,
        )
        self._facts = replace(
            self._facts, score=score_of(self._facts, self._width("logits") if "logits" in shapes else None)
        )
        self._texts = Texts(path, self._facts)
        self._info = {
            "name": path.stem,
            "backend": "onnxruntime",
            "engine": f"onnxruntime {onnxruntime.__version__}",
            "labels": list(self._facts.labels),
            "multi_label": self._facts.multi_label,
            "pairs": self._facts.pairs,
            "per_token": self._facts.per_token,
            "normalized": self._facts.normalized,
            "score": self._facts.score,
            "max_tokens": self._facts.max_tokens,
            "vocabulary": self._facts.vocabulary,
            "bytes": path.stat().st_size,
            "threads": self._threads,
            "producer": self._facts.producer,
        }

    @property
    def labels(self) -> tuple[str, ...]:
        """Class names in logit order; empty when the file has none."""
        return self._facts.labels

    @property
    def max_tokens(self) -> int:
        """Longest sequence accepted, specials included."""
        return self._facts.max_tokens

    @property
    def info(self) -> Mapping[str, Any]:
        """Engine and version, labels, limits, bytes, threads."""
        return self._info

    def tokenize(self, texts: Sequence[str], truncate: bool) -> list[list[int]]:
        """Token ids with specials; see `outside.Texts`."""
        return self._texts.tokenize(texts, truncate)

    def tokenize_pairs(
        self, first: Sequence[str], second: Sequence[str], truncate: bool
    ) -> tuple[list[list[int]], list[list[int]]]:
        """Token ids and token types; see `outside.Texts`."""
        return self._texts.tokenize_pairs(first, second, truncate)

    def tokenize_words(self, texts: Sequence[Sequence[str]], truncate: bool) -> tuple[list[list[int]], list[list[int]]]:
        """Token ids and places of words; see `outside.Texts`."""
        return self._texts.tokenize_words(texts, truncate)

    def run(self, ids: Sequence[Sequence[int]], types: Sequence[Sequence[int]] | None = None) -> Output:
        """Run one ragged batch."""
        import numpy as np

        check_ids(ids, self._facts)
        check_types(ids, types, self._facts)
        found: dict[str, Any] = {}
        if self._facts.per_token:
            return check_finite(Output(self._per_token(ids), None), self._texts.where)
        for group in batches(ids):
            feed = self._feed([ids[i] for i in group], None if types is None else [types[i] for i in group])
            for name, values in zip(self._outputs, self._session.run(self._outputs, feed), strict=True):
                if name not in found:
                    found[name] = np.empty((len(ids), values.shape[1]), np.float32)
                found[name][group] = values
        if not ids:
            found = {name: np.empty((0, self._width(name)), np.float32) for name in self._outputs}
        return check_finite(Output(found.get("logits"), found.get("embedding")), self._texts.where)

    def _per_token(self, ids: Sequence[Sequence[int]]) -> Any:
        """Logits of all tokens, [tokens, labels]; padding is left out."""
        import numpy as np

        rows: list[Any] = [None] * len(ids)
        for group in batches(ids):
            values = self._session.run(self._outputs[:1], self._feed([ids[i] for i in group]))[0]
            for place, index in enumerate(group):
                rows[index] = values[place, : len(ids[index])]
        return np.concatenate(rows) if rows else np.empty((0, len(self._facts.labels)), np.float32)

    def prepared(self, ids: Sequence[Sequence[int]]) -> Callable[[], Any]:
        """A call that runs one batch whose arrays exist already, for measuring the engine.

        It gives a list of the model's answer alone: the logits, of a model without head the vectors.
        """
        check_ids(ids, self._facts)
        feed, session, outputs = self._feed(ids), self._session, self._outputs[:1]
        return lambda: session.run(outputs, feed)

    def _feed(self, rows: Sequence[Sequence[int]], types: Sequence[Sequence[int]] | None = None) -> dict[str, Any]:
        """Rows padded to the longest, int64, with their mask."""
        import numpy as np

        shape = (len(rows), max(map(len, rows)))
        padded, mask = np.full(shape, self._facts.pad_id, np.int64), np.zeros(shape, np.int64)
        for index, row in enumerate(rows):
            padded[index, : len(row)] = row
            mask[index, : len(row)] = 1
        feed = {"input_ids": padded, "attention_mask": mask}
        if "token_type_ids" in self._inputs:
            feed["token_type_ids"] = np.zeros_like(mask)
            for index, kinds in enumerate(types or ()):
                feed["token_type_ids"][index, : len(kinds)] = kinds
        return feed

    def _width(self, name: str) -> int:
        shape = next(value.shape for value in self._session.get_outputs() if value.name == name)
        return int(shape[1]) if isinstance(shape[1], int) else 0


def _facts(metadata: Mapping[str, str]) -> Facts:
    """The facts in `metadata_props`; values of other programs that do not parse are left out."""
    values: dict[str, Any] = {}
    for key in ("labels", "max_tokens", "pad_id", "vocabulary", "multi_label", "pairs", "normalized"):
        try:
            values[key] = json.loads(metadata[key])
        except (KeyError, ValueError):
            continue
    words = {key: metadata[key] for key in ("producer", "score") if key in metadata}
    return facts_from({**values, **words})


def open_backend(path: str | os.PathLike[str], threads: int | None) -> OnnxRuntimeBackend:
    """Load an `.onnx` file; see `OnnxRuntimeBackend`."""
    return OnnxRuntimeBackend(Path(path), threads)
