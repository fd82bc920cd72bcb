"""What can be known of a build before its first stage: one place for `build`, `recipe check` and `doctor`."""

from potstill.pipeline.check.findings import Finding, Findings
from potstill.pipeline.check.recipe import check_recipe

__all__ = ["Finding", "Findings", "check_recipe"]
