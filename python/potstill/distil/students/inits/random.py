"""Random initialisation: what the model's constructor gave (normal, 0.02), for comparison and for foreign teachers."""

from __future__ import annotations

from potstill.distil.students.job import Job


def initialise(job: Job) -> None:
    """Leave the student's random weights as they are; the seed was set when it was built."""
    del job
