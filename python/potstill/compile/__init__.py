"""ONNX -> one `.still` file: `compile_onnx` is the whole public interface; `read_still` looks into a file.

| module | step |
|---|---|
| load, halves | parse and check the ONNX, widen half precision |
| rewrites/ | fused and quantized operators as standard ones; one file a family |
| specialise | fix length and mask, fold what no longer depends on the text |
| interpret, reading, matmul, layout, views, expr | give every value its meaning |
| fuse, activation, ops/ | build the core's operators; one file an operator |
| positions | find the position table |
| tokenizers/ | a tokenizer's folder as tables; one file a model |
| lower | weights in the scheme's types and the kernels' layouts |
| verify, evaluate | compare with onnxruntime |
| beside | what leaving out the rounding of a quantized ONNX changes |
"""

from __future__ import annotations

from potstill.compile.compiler import compile_onnx
from potstill.compile.report import CompileReport

__all__ = ["CompileReport", "compile_onnx"]
