"""ONNX -> one `.still` file: `compile_onnx` is the whole public interface; `read_still` looks into a file.

| module | step |
|---|---|
| load | parse and check the ONNX, widen half precision |
| specialise | fix length and mask, fold what no longer depends on the text |
| interpret, matmul, layout, views, expr | give every value its meaning |
| fuse, passes/ | build the core's operators |
| positions | find the position table |
| lower, pack | weights in the scheme's types and the kernels' layouts |
| verify | compare with onnxruntime |
| writer, reader | the file |
| tokenizer | WordPiece tables |
"""

from __future__ import annotations

from potstill.compile.compiler import CompileReport, compile_onnx

__all__ = ["CompileReport", "compile_onnx"]
