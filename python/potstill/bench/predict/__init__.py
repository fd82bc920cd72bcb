"""Predicted time, memory and size on boards, from a table of modelled cycles; see README.md here."""

from __future__ import annotations

from potstill.bench.predict.predict import Prediction, predict
from potstill.bench.predict.shape import ModelShape, shape_of

__all__ = ["ModelShape", "Prediction", "predict", "shape_of"]
