"""QuantizeLinear and DequantizeLinear around activations: what is left of them is a cut at 0, if any."""

from __future__ import annotations

from potstill.compile.rewrites.grids import Grids
from potstill.compile.rewrites.writer import Writer

_INT8, _INT16, _INT4 = 3, 5, 22  # TensorProto: the signed types that a QuantizeLinear without zero point may ask for
_LOWEST = {_INT8: -128, _INT16: -32768, _INT4: -8}


def _quantize(w: Writer, grids: Grids) -> None:
    lowest = _LOWEST.get(w.whole("output_dtype", 0), 0)
    grids.settle(w, w.needed(0), w.needed(1), w.input(2), lowest)


def _dequantize(w: Writer, grids: Grids) -> None:
    w.result(grids.number(w, w.needed(0), w.needed(1), w.input(2)))


REWRITES = {"QuantizeLinear": _quantize, "DequantizeLinear": _dequantize}
