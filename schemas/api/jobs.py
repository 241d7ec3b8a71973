"""Background work: what waits, what is being done, what was given up."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from schemas.api.base import ITEM_ID, TIME, Cursor, Shown


class JobShown(Shown):
    """One piece of work."""

    id: str = Field(examples=["17"])
    kind: str = Field(examples=["fingerprint"])
    item: str | None = Field(description="Id of the item it is about; null for work about none.", examples=[ITEM_ID])
    state: Literal["ready", "running", "done", "dead"] = Field(
        description="`dead`: given up after all attempts, with its reason, until somebody has it tried again."
    )
    attempt: int = Field(description="How often it was begun.", examples=[1])
    max_attempts: int = Field(examples=[3])
    created_at: str = Field(examples=[TIME])
    run_after: str | None = Field(default=None, description="While it waits: not before this time.", examples=[None])
    started_at: str | None = Field(default=None, description="Of the newest attempt.", examples=[TIME])
    finished_at: str | None = Field(default=None, description="When it was done or given up.", examples=[None])
    progress_done: int | None = Field(default=None, description="In steps of its own: seconds of video.", examples=[61])
    progress_total: int | None = Field(default=None, description="Of how many, where known.", examples=[1800])
    reason: str | None = Field(default=None, description="Why the last attempt failed: `code: words`.", examples=[None])


class JobList(Shown):
    """Jobs, oldest first."""

    jobs: list[JobShown]
    cursor: Cursor
