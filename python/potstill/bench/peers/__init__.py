"""The engines we measure against, and our own. One module a peer; to add one, write it and add its lines here.

A peer module has ``open_peer(path, threads)``, which returns a `Runner`, ``version()``, and if need be
``environment(option)``. Preparing an input is outside the measured time: what counts is the call an application makes
once its token ids are in the engine's own form. A peer that needs a file of its own kind names it in `export`;
`potstill.bench.exports` makes it from the model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol


class Runner(Protocol):
    """A loaded model, ready to be timed."""

    def prepare(self, batch: Sequence[Sequence[int]]) -> Callable[[], Any]:
        """A call without arguments that runs one batch and gives its logits, ``[sequences, labels]`` in given order."""

    def padded(self, tokens: int) -> int:
        """The length the engine computes for a sentence of so many tokens, batch 1."""


@dataclass(frozen=True)
class Peer:
    """One line of the table.

    Attributes:
        engine: name shown.
        precision: ``fp32``, ``bf16`` or ``int8``: numbers of the linear layers.
        export: key of the file it loads, as in `potstill.bench.exports`; ``"pytorch"`` is the model folder.
        module: module name in this package.
        option: passed to ``open_peer`` when not empty.
        settings: what was set for it, in words, beside the thread count.
    """

    engine: str
    precision: str
    export: str
    module: str
    option: str = ""
    settings: str = "its defaults"

    @property
    def name(self) -> str:
        """Engine and precision."""
        return f"{self.engine} {self.precision}"

    def open(self, path: Path, threads: int) -> Runner:
        """Load the model.

        Raises:
            PotstillError: the package is missing or the file is refused.
        """
        module = import_module(f"{__name__}.{self.module}")
        runner: Runner = (
            module.open_peer(path, threads, self.option) if self.option else module.open_peer(path, threads)
        )
        return runner

    def environment(self) -> dict[str, str]:
        """Variables the engine's process gets beside the usual ones: settings it reads when it is loaded."""
        wanted = getattr(import_module(f"{__name__}.{self.module}"), "environment", None)
        return dict(wanted(self.option)) if wanted is not None else {}

    def version(self) -> str:
        """Package and version of the engine; it has been loaded before."""
        return str(import_module(f"{__name__}.{self.module}").version())


_ORT = "all graph optimizations, threads spin between calls"
_LITERT = "XNNPACK, the shortest static length that holds the sentence"
_PADDED = "XNNPACK, every sentence padded to the one length people deploy"
_OPENVINO = "latency hint, one stream, no pinning, dynamic shapes"

# What a build of `potstill build` measures: the files it has written.
PEERS: tuple[Peer, ...] = (
    Peer("PyTorch", "fp32", "pytorch", "pytorch", settings="eager mode under inference_mode, SDPA"),
    Peer("onnxruntime", "fp32", "onnx", "onnxruntime", settings=_ORT),
    Peer("onnxruntime", "int8", "onnx_int8", "onnxruntime", settings=f"dynamic int8 per channel, {_ORT}"),
    Peer("LiteRT", "fp32", "tflite", "litert", settings=_LITERT),
    Peer("LiteRT", "int8", "tflite_int8", "litert", settings=f"dynamic-range int8, {_LITERT}"),
    # What an owner of a file with one fixed length pays: every sentence costs the longest.
    Peer("LiteRT, padded", "int8", "tflite_int8", "litert", "longest", f"dynamic-range int8, {_PADDED}"),
    Peer("Potstill", "fp32", "still_fp32", "potstill"),
    Peer("Potstill", "int8", "still", "potstill"),
)

# What `potstill bench --peers` measures. LiteRT's padded lines hold 64 tokens, or a multiple for longer sentences.
COMPARED: tuple[Peer, ...] = (
    *(peer for peer in PEERS if peer.engine not in ("Potstill", "LiteRT, padded")),
    Peer("LiteRT, padded", "fp32", "tflite", "litert", "deployed", _PADDED),
    Peer("LiteRT, padded", "int8", "tflite_int8", "litert", "deployed", f"dynamic-range int8, {_PADDED}"),
    Peer("CTranslate2", "fp32", "ctranslate2", "ctranslate2", "float32", "MKL on x86-64, head in NumPy"),
    Peer(
        "CTranslate2",
        "int8",
        "ctranslate2",
        "ctranslate2",
        "int8",
        "its own GEMM choice, AVX-512 where there is, head in NumPy",
    ),
    Peer("OpenVINO", "fp32", "onnx", "openvino", "f32", f"f32 asked for, {_OPENVINO}"),
    Peer("OpenVINO", "bf16", "onnx", "openvino", "bf16", f"bf16 as it picks itself where the CPU has it, {_OPENVINO}"),
    Peer("OpenVINO", "int8", "openvino_int8", "openvino", "f32", f"NNCF int8 weights, dynamic int8, {_OPENVINO}"),
    Peer("ExecuTorch", "fp32", "executorch", "executorch", settings="XNNPACK, dynamic length"),
    Peer("ExecuTorch", "int8", "executorch_int8", "executorch", settings="XNNPACK dynamic int8, dynamic length"),
)


def package_version(package: str) -> str:
    """``package version`` of an installed package."""
    from importlib.metadata import version

    return f"{package} {version(package)}"
