"""What came of checking a hash, signature or time stamp that a collector made."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

MAX_CHECK_BYTES = 16_384
"""Largest record of a check, in canonical bytes."""

CheckedBy = Literal["archive", "depositor"]
Verdict = Literal["passed", "failed", "not_checked"]


class CollectorCheckRecord(BaseModel):
    """A check; its canonical bytes are named by a "fixity check" event of the item (`outputs`).

    Attributes:
        check: UUID.
        item: UUID; `item_sha256` is the SHA-256 of its original.
        number: 1 for the item's first check, then without gaps.
        kind: what was checked, lower snake case.
        verdict: `not_checked` says that nothing was shown, neither for nor against.
        checked_by: `archive`: computed by this archive's program, on its own machine. `depositor`: computed on the
            depositor's machine, and taken on his word.
        details: what was compared, and for `failed` and `not_checked` the `reason`.
        created_at: RFC 3339 UTC, the archive's own clock: when it was recorded.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    v: Literal[1] = 1
    type: Literal["collector check"] = "collector check"
    check: str
    item: str
    item_sha256: str
    number: int = Field(ge=1)
    kind: str = Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")
    verdict: Verdict
    checked_by: CheckedBy
    details: dict[str, JsonValue]
    created_at: str
