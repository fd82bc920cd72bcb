"""LiteRT as a backend: `.tflite` files with fixed lengths; padding to the next length happens inside.

`ai-edge-litert` is preferred; its predecessor `tflite-runtime` (last release 2.14, needs NumPy 1) is taken when it is
what the device has.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

from potstill.errors import InputError, missing_package
from potstill.runtime.backends import Output
from potstill.runtime.backends.outside import (
    Facts,
    Texts,
    check_finite,
    check_ids,
    check_types,
    existing,
    facts_from,
    score_of,
    thread_count,
    unreadable,
)

# Where `potstill.export.tflite` puts the facts; the runtime imports nothing of the export.
_METADATA = "potstill.json"
_INPUTS = {"input_ids", "attention_mask", "token_type_ids"}
_ENGINES = (("ai_edge_litert.interpreter", "ai-edge-litert"), ("tflite_runtime.interpreter", "tflite-runtime"))


class LiteRtBackend:
    """A LiteRT interpreter. One sequence at a time, padded to the shortest signature that holds it."""

    def __init__(self, path: Path, threads: int | None) -> None:
        """Load the file.

        Args:
            path: the `.tflite` file.
            threads: worker threads, or None for POTSTILL_NUM_THREADS, else the CPUs this process may use.

        Raises:
            InputError: a bad thread count; no such file; the engine refuses it; other inputs or
                outputs than ours; tflite-runtime with NumPy 2; an int8 file that tflite-runtime would
                compute wrongly.
            SystemFailure: no engine is installed.
        """
        existing(path)
        self._threads = thread_count(threads)
        interpreter, package = _engine()
        try:
            with _silent_engine():
                self._interpreter = interpreter(model_path=str(path), num_threads=self._threads)
                # Otherwise the first answer pays for packing the weights.
                self._interpreter.allocate_tensors()
            signatures = self._interpreter.get_signature_list()
        except Exception as error:  # the engine's exception classes share no base but Exception
            if package == "tflite-runtime" and "Didn't find op" in str(error):
                raise _too_new(path) from error
            raise unreadable(path, error) from error
        if package == "tflite-runtime":
            _refuse_per_channel(self._interpreter, path)
        self._runners: dict[int, Any] = {}
        for name, ends in signatures.items():
            wanted = {"logits", "embedding"} & set(ends["outputs"])
            inputs = set(ends["inputs"])
            if not {"input_ids", "attention_mask"} <= inputs <= _INPUTS or not wanted:
                raise InputError(
                    "I053",
                    f"signature {name} has the inputs {', '.join(ends['inputs'])}",
                    str(path),
                    "give a model with input_ids, attention_mask and the output logits or embedding",
                )
            runner = self._interpreter.get_signature_runner(name)
            details = runner.get_input_details()["input_ids"]
            self._runners[int(details["shape"][1])] = runner
        if not self._runners:
            raise InputError("I053", "the model has no signature", str(path), "export it with potstill")
        self._lock = threading.Lock()
        facts = _facts(path)
        self._facts = Facts(
            facts.labels,
            min(facts.max_tokens, max(self._runners)),
            facts.pad_id,
            facts.vocabulary,
            facts.producer,
            facts.multi_label,
            facts.pairs,
            facts.per_token,
            score_of(facts, self._logits()),
            facts.pad_known,
            facts.normalized,
        )
        self._texts = Texts(path, self._facts)
        self._info = {
            "name": path.stem,
            "backend": "litert",
            "engine": f"{package} {version(package)}",
            "labels": list(self._facts.labels),
            "multi_label": self._facts.multi_label,
            "pairs": self._facts.pairs,
            "per_token": self._facts.per_token,
            "normalized": self._facts.normalized,
            "score": self._facts.score,
            "max_tokens": self._facts.max_tokens,
            "lengths": sorted(self._runners),
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
        """Longest sequence accepted: the longest signature."""
        return self._facts.max_tokens

    @property
    def info(self) -> Mapping[str, Any]:
        """Engine and version, labels, limits, the fixed lengths, bytes, threads."""
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
        """Run sequence by sequence."""
        import numpy as np

        check_ids(ids, self._facts)
        check_types(ids, types, self._facts)
        rows: dict[str, list[Any]] = {"logits": [], "embedding": []}
        # The interpreter owns its buffers: one call at a time.
        with self._lock:
            for index, row in enumerate(ids):
                length = self.padded_length(len(row))
                feed = self._feed(row, length, None if types is None else types[index])
                found = self._runners[length](**feed)
                for name, kept in rows.items():
                    if name in found and self._facts.per_token:
                        kept.append(found[name][0, : len(row)])
                    elif name in found:
                        kept.append(found[name])
        if not ids:
            return Output(np.empty((0, len(self._facts.labels)), np.float32), None)
        logits, embedding = (np.concatenate(kept) if kept else None for kept in rows.values())
        return check_finite(Output(logits, embedding), self._texts.where)

    def prepared(self, ids: Sequence[int], length: int) -> Callable[[], Any]:
        """A call that runs one sequence, padded to `length` beforehand, for measuring the engine alone.

        Not locked: one thread only.
        """
        check_ids([ids], self._facts)
        feed, runner = self._feed(ids, length), self._runners[length]
        return lambda: runner(**feed)

    def _feed(self, row: Sequence[int], length: int, types: Sequence[int] | None = None) -> dict[str, Any]:
        """One row padded to a signature's length, int32, with its mask."""
        import numpy as np

        padded, mask = np.full((1, length), self._facts.pad_id, np.int32), np.zeros((1, length), np.int32)
        padded[0, : len(row)] = row
        mask[0, : len(row)] = 1
        feed = {"input_ids": padded, "attention_mask": mask}
        if self._facts.pairs:
            feed["token_type_ids"] = np.zeros_like(mask)
            feed["token_type_ids"][0, : len(types or ())] = types or ()
        return feed

    def _logits(self) -> int | None:
        """Columns of the logits; None without any."""
        details = next(iter(self._runners.values())).get_output_details().get("logits")
        return None if details is None else int(details["shape"][-1])

    def padded_length(self, tokens: int) -> int:
        """The fixed length that a sequence of so many tokens is padded to."""
        return min(length for length in self._runners if length >= tokens)


@contextlib.contextmanager
def _silent_engine() -> Iterator[None]:
    """Point standard error away while an interpreter is made and its tensors are placed.

    The engine announces its delegate there once a process, from C++ and without a switch. Failures are raised and keep
    their text.
    """
    try:
        kept = os.dup(2)
    except OSError:
        # No standard error at all: nothing to silence.
        yield
        return
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 2)
        os.close(nowhere)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _engine() -> tuple[Any, str]:
    """The interpreter class and its package.

    Raises:
        SystemFailure: none is installed.
        InputError: only tflite-runtime is, with NumPy 2.
    """
    for module, package in _ENGINES:
        try:
            found = import_module(module).Interpreter
        except ImportError:
            continue
        if package == "tflite-runtime" and int(version("numpy").partition(".")[0]) >= 2:
            raise InputError(
                "I054",
                "tflite-runtime cannot work with NumPy 2",
                f"numpy {version('numpy')}",
                "pip install ai-edge-litert, or 'numpy<2'",
            )
        return found, package
    raise missing_package("ai-edge-litert", "tflite", "backend='litert'")


def _refuse_per_channel(interpreter: Any, path: Path) -> None:
    """tflite-runtime 2.14 reads one scale of a per-channel int8 weight and gives wrong numbers without a word.

    Raises:
        InputError: the file has such weights.
    """
    for tensor in interpreter.get_tensor_details():
        if tensor["dtype"].__name__ == "int8" and len(tensor["quantization_parameters"]["scales"]) > 1:
            raise _too_new(path)


def _too_new(path: Path) -> InputError:
    return InputError(
        "I055",
        "tflite-runtime cannot compute int8 weights per channel",
        str(path),
        "pip install ai-edge-litert, or use the fp32 file or one quantized with per_channel=False",
    )


def _facts(path: Path) -> Facts:
    try:
        with zipfile.ZipFile(path) as archive:
            return facts_from(json.loads(archive.read(_METADATA)))
    except (zipfile.BadZipFile, KeyError, ValueError):
        # A file of another program: no facts, defaults apply.
        return Facts()


def open_backend(path: str | os.PathLike[str], threads: int | None) -> LiteRtBackend:
    """Load a `.tflite` file; see `LiteRtBackend`."""
    return LiteRtBackend(Path(path), threads)
