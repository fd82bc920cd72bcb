"""Predicted time, memory and size on boards, from a table of modelled cycles; see README.md here."""

from __future__ import annotations

from potstill.bench.predict.model import CostModel, model_of, student
from potstill.bench.predict.predict import Prediction, predict

__all__ = ["CostModel", "Prediction", "model_of", "predict", "student"]
