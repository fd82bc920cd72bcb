"""onnxruntime as a backend: any ONNX file with `input_ids` and `attention_mask` in, `logits` or `embedding` out."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from potstill.card.notes import card_from, notes_in
from potstill.errors import missing_package
from potstill.runtime.backends.outside import OutsideBackend, check_ends, checked, unreadable
from potstill.runtime.rows import TokenRows


class OnnxRuntimeBackend(OutsideBackend):
    """A session of onnxruntime's CPU provider; a batch is sorted by length, cut into groups and padded inside.

    Note that an int8 file quantizes the activations of a whole group at once: a row's logits then depend on the rows
    beside it. Our own core has no such dependence.
    """

    backend = "onnxruntime"

    def __init__(self, path: Path, threads: int | None) -> None:
        """Load the file.

        Args:
            path: the `.onnx` file.
            threads: threads of one operator, or None for POTSTILL_NUM_THREADS, else the CPUs this process may use.

        Raises:
            InputError: a bad thread count, no such file, the engine refuses it, other inputs or
                outputs than ours.
            SystemFailure: onnxruntime is missing.
        """
        super().__init__(path, threads)
        try:
            import onnxruntime
        except ImportError as error:
            raise missing_package("onnxruntime", "onnxruntime", "backend='onnxruntime'") from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.inter_op_num_threads = 1
        # Errors are raised; its warnings on standard error concern graph insides.
        options.log_severity_level = 4
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # the engine's exception classes share no base but Exception
            raise unreadable(path, error) from error
        inputs = [value.name for value in self._session.get_inputs()]
        shapes = {value.name: value.shape for value in self._session.get_outputs()}
        check_ends(inputs, shapes, str(path))
        notes = notes_in(self._session.get_modelmeta().custom_metadata_map)
        card = card_from(notes, path.stem, shapes.get("logits"), embedding="embedding" in shapes)
        self._outputs = list(card.outputs)
        columns = {name: shapes[name][-1] for name in self._outputs}
        widths = {name: width if isinstance(width, int) else 0 for name, width in columns.items()}
        self._describe(f"onnxruntime {onnxruntime.__version__}", card, inputs, widths)

    def _call(self, rows: TokenRows) -> Mapping[str, Any]:
        found = self._session.run(self._outputs, self._feed(rows, None, "int64"))
        return dict(zip(self._outputs, found, strict=True))

    def prepared(self, rows: TokenRows) -> Callable[[], Any]:
        """A call that runs one batch whose arrays exist already, for measuring the engine.

        It gives a list of the model's answer alone: the logits, of a model without head the vectors.
        """
        feed = self._feed(checked(rows, self.card), None, "int64")
        session, outputs = self._session, self._outputs[:1]
        return lambda: session.run(outputs, feed)


def open_backend(path: str | os.PathLike[str], threads: int | None) -> OnnxRuntimeBackend:
    """Load an `.onnx` file; see `OnnxRuntimeBackend`."""
    return OnnxRuntimeBackend(Path(path), threads)
