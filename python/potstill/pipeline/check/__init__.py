"""What can be known of a build before its first stage: one place for `build`, `recipe check` and `doctor`."""

from potstill.pipeline.check.findings import Findings
from potstill.pipeline.check.recipe import check_recipe

__all__ = ["Findings", "check_recipe"]
