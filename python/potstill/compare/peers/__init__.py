"""The engines we measure against, and our own. One module an engine; to add one, write it and add its lines here.

A peer that needs a file of its own kind names it in `export`; `potstill.compare.exports` makes it from the model.
"""

from __future__ import annotations

from potstill.bench.engine import OWN, Peer

_AT = f"{__name__}."
_ORT = "all graph optimizations, threads spin between calls"
_LITERT = "XNNPACK, the shortest static length that holds the sentence"
_PADDED = "XNNPACK, every sentence padded to the one length people deploy"
_OWN_GEMM = "its own GEMM choice, AVX-512 where the CPU has it, head in NumPy"
_OPENVINO = "latency hint, one stream, no pinning, dynamic shapes"

# What a build of `potstill build` measures: the files it has written.
PEERS: tuple[Peer, ...] = (
    Peer("PyTorch", "fp32", "pytorch", _AT + "pytorch", settings="eager mode under inference_mode, SDPA"),
    Peer("onnxruntime", "fp32", "onnx", _AT + "onnxruntime", settings=_ORT),
    Peer("onnxruntime", "int8", "onnx_int8", _AT + "onnxruntime", settings=f"dynamic int8 per channel, {_ORT}"),
    Peer("LiteRT", "fp32", "tflite", _AT + "litert", settings=_LITERT),
    Peer("LiteRT", "int8", "tflite_int8", _AT + "litert", settings=f"dynamic-range int8, {_LITERT}"),
    # What an owner of a file with one fixed length pays: every sentence costs the longest.
    Peer("LiteRT, padded", "int8", "tflite_int8", _AT + "litert", "longest", f"dynamic-range int8, {_PADDED}"),
    Peer("Potstill", "fp32", "still_fp32", OWN),
    Peer("Potstill", "int8", "still", OWN),
)

# What `potstill bench --peers` measures. LiteRT's padded lines hold 64 tokens, or a multiple for longer sentences.
COMPARED: tuple[Peer, ...] = (
    *(peer for peer in PEERS if peer.engine not in ("Potstill", "LiteRT, padded")),
    Peer("LiteRT, padded", "fp32", "tflite", _AT + "litert", "deployed", _PADDED),
    Peer("LiteRT, padded", "int8", "tflite_int8", _AT + "litert", "deployed", f"dynamic-range int8, {_PADDED}"),
    Peer("CTranslate2", "fp32", "ctranslate2", _AT + "ctranslate2", "float32", "MKL on x86-64, head in NumPy"),
    Peer("CTranslate2", "int8", "ctranslate2", _AT + "ctranslate2", "int8", _OWN_GEMM),
    Peer("OpenVINO", "fp32", "onnx", _AT + "openvino", "f32", f"f32 asked for, {_OPENVINO}"),
    Peer("OpenVINO", "bf16", "onnx", _AT + "openvino", "bf16", f"bf16 as it picks where the CPU has it, {_OPENVINO}"),
    Peer("OpenVINO", "int8", "openvino_int8", _AT + "openvino", "f32", f"NNCF int8 weights, dynamic int8, {_OPENVINO}"),
    Peer("ExecuTorch", "fp32", "executorch", _AT + "executorch", settings="XNNPACK, dynamic length"),
    Peer("ExecuTorch", "int8", "executorch_int8", _AT + "executorch", settings="XNNPACK dynamic int8, dynamic length"),
)


def package_version(package: str) -> str:
    """``package version`` of an installed package."""
    from importlib.metadata import version

    return f"{package} {version(package)}"
