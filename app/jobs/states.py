"""The states of a job: what waits, what is being done, what is done, what was given up."""

from __future__ import annotations

from typing import Literal, get_args

JobState = Literal["ready", "running", "done", "dead"]
STATES: tuple[JobState, ...] = get_args(JobState)
READY: JobState = "ready"
RUNNING: JobState = "running"
DONE: JobState = "done"
DEAD: JobState = "dead"
