"""Data of a build: hub data sets, local files, demo corpora; checked, deduplicated, split by a fixed seed."""

from __future__ import annotations

from potstill.data.demo import teacher_dir
from potstill.data.sources import load_data, source_identity
from potstill.data.splits import Splits
from potstill.recipe.base import resolve
from potstill.work.cache import cache_dir

__all__ = ["Splits", "cache_dir", "load_data", "resolve", "source_identity", "teacher_dir"]
