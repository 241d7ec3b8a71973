"""What is stated of an item's source, and checks that a depositor's machine made."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, JsonValue

from schemas.api.base import ITEM_ID, TIME, USER_ID, Sent, Shown
from schemas.api.items import CheckShown

_SOURCE = {"url": "https://example.org/post/1", "platform": "Telegram", "caption": "seen", "handling": ["minors"]}


class SourceVersionShown(Shown):
    """One version."""

    version: int = Field(description="1 is what was stated at the deposit.", examples=[2])
    source: dict[str, JsonValue] = Field(description="A source context; see docs/sources.md.", examples=[_SOURCE])
    reason: str | None = Field(description="Why it was stated anew; null for the first.", examples=["link was wrong"])
    author: str = Field(description="User id.", examples=[USER_ID])
    created_at: str = Field(examples=[TIME])


class SourceShown(Shown):
    """The newest version beside the first."""

    item: str = Field(examples=[ITEM_ID])
    current: SourceVersionShown
    first: SourceVersionShown
    versions: int = Field(description="How many there are.", examples=[2])


class SourceVersionList(Shown):
    """Every version, the first first."""

    item: str = Field(examples=[ITEM_ID])
    versions: list[SourceVersionShown]


class SourceRevise(Sent):
    """A new version: whole, for what it leaves out is no longer stated."""

    source: dict[str, JsonValue] = Field(examples=[_SOURCE])
    reason: str = Field(max_length=4_000, description="1 to 2,000 characters.", examples=["link was wrong"])
    expected_version: int = Field(ge=1, le=2**31, description="The version you had before you.", examples=[1])


class CheckSent(Sent):
    """What the depositor's machine found."""

    kind: str = Field(max_length=40, examples=["proofmode_hash"])
    verdict: Literal["passed", "failed", "not_checked"]
    record: dict[str, JsonValue] = Field(description="What was compared; `reason` unless it passed.", examples=[{}])


class ChecksSent(Sent):
    """Checks of one item."""

    checks: list[CheckSent] = Field(min_length=1, max_length=50)


class CheckList(Shown):
    """All checks of an item."""

    item: str = Field(examples=[ITEM_ID])
    checks: list[CheckShown]
