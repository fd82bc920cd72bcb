"""OpenVINO's CPU plugin on the ONNX file, or on an int8 copy made by NNCF.

On CPUs with bf16 instructions it computes in bf16 unless told otherwise; both are measured, each under its own name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from potstill.bench.engine import AnyLength
from potstill.errors import InputError, missing_package
from potstill.runtime.rows import TokenRows


class OpenVinoRunner(AnyLength):
    """A compiled model with a dynamic length; a batch is padded to its longest sentence."""

    def __init__(self, path: Path, threads: int, precision: str) -> None:
        try:
            import openvino
        except ImportError as error:
            raise missing_package(error.name or "openvino", "peers", "measuring OpenVINO") from error
        core = openvino.Core()
        if precision == "bf16" and "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            raise InputError("I065", "this CPU has no bf16 instructions", "OpenVINO bf16", "see its fp32 line")
        settings = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
            # Pinning puts every process of this benchmark on the same cores.
            "ENABLE_CPU_PINNING": False,
            "INFERENCE_PRECISION_HINT": precision,
        }
        self._request = core.compile_model(core.read_model(path), "CPU", settings).create_infer_request()
        self._tensor = openvino.Tensor

    def prepare(self, batch: Sequence[Sequence[int]]) -> Callable[[], Any]:
        """See `Runner`; tensors share the arrays made here, and the answer is copied out as onnxruntime does."""
        request, arrays = self._request, TokenRows(batch).padded()
        feed = {name: self._tensor(array) for name, array in arrays.items()}

        def call() -> Any:
            request.infer(feed)
            return request.get_tensor("logits").data.copy()

        return call


def convert_int8(onnx: Path, out: Path) -> None:
    """Write an OpenVINO file (`out`, ending .xml) with int8 weights per channel; activations become int8 at run time.

    Raises:
        SystemFailure: openvino or nncf is missing.
    """
    try:
        import nncf
        import openvino
    except ImportError as error:
        raise missing_package(error.name or "nncf", "peers", "making OpenVINO's int8 model") from error
    model = nncf.compress_weights(openvino.Core().read_model(onnx), mode=nncf.CompressWeightsMode.INT8_SYM)
    openvino.save_model(model, out, compress_to_fp16=False)


def open_peer(path: Path, threads: int, precision: str = "f32") -> OpenVinoRunner:
    """Load an ONNX or OpenVINO file; `precision` ``"f32"`` or ``"bf16"``. InputError: no bf16 here."""
    return OpenVinoRunner(path, threads, precision)


def version() -> str:
    """Package and version."""
    from potstill.compare.peers import package_version

    return package_version("openvino")
