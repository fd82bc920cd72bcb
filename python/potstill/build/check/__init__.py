"""What can be known of a build before its first stage: one place for `build`, `recipe check` and `doctor`."""

from potstill.build.check.findings import Finding, Findings
from potstill.build.check.recipe import check_recipe

__all__ = ["Finding", "Findings", "check_recipe"]
