"""Counts under an inclusion rule, and frozen releases of them."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field, JsonValue

from schemas.api.base import CASE_ID, EVENT_ID, SHA256, TIME, USER_ID, Sent, Shown
from schemas.api.timestamps import Stamp
from schemas.records.v1.incident import MAX_REASON
from schemas.records.v1.pattern import CitedEntry, CitedRule, CountingProgram, Member

RULE_EXAMPLE: dict[str, JsonValue] = {
    "title": "Attacks on fire engines and ambulances, by drone",
    "unit": "incident",
    "period": {"from": "2024-01-01", "to": "2025-08-15"},
    "where": {
        "all": [
            {"field": "target", "op": "mentions", "value": ["fire engine", "ambulance"]},
            {"field": "method", "op": "mentions", "value": ["drone"]},
        ]
    },
}
NUMBERS_EXAMPLE: dict[str, JsonValue] = {
    "unit": "incident",
    "included": 16,
    "unknown": 2,
    "excluded": 5,
    "at_most": 18,
    "undecided": [{"unit": "INC-9", "open": ["target mentions fire engine, ambulance"]}],
    "by": {
        "month": {
            "rows": [{"key": "2025-07", "count": 15, "at_most": 18}],
            "uncertain": [{"unit": "INC-7", "possible": ["2025-06", "2025-07"]}],
            "unknown": [],
            "several_keys": False,
        }
    },
}


class RuleCreate(Sent):
    """State an inclusion rule, or state it anew: then with a reason."""

    ref: str = Field(max_length=200, description="Its name, unique in the case, without @.", examples=["vehicles"])
    body: dict[str, JsonValue] = Field(description="See docs/patterns.md.", examples=[RULE_EXAMPLE])
    reason: str | None = Field(default=None, max_length=MAX_REASON, examples=[None])


class RuleShown(Shown):
    """One version of an inclusion rule."""

    rule: str = Field(description="UUID, the same in every version.", examples=[EVENT_ID])
    case: str = Field(examples=[CASE_ID])
    ref: str = Field(examples=["vehicles"])
    number: int = Field(examples=[1])
    body: dict[str, JsonValue] = Field(examples=[RULE_EXAMPLE])
    reason: str | None = Field(examples=[None])
    author: str = Field(examples=[USER_ID])
    created_at: str = Field(examples=[TIME])
    sha256: str = Field(description="Of the record.", examples=[SHA256])


class RuleList(Shown):
    """Every version of every rule of a case, by name."""

    rules: list[RuleShown]


class CountsShown(Shown):
    """A case's incidents counted under a rule. Nothing unknown is in or out in silence: it is listed."""

    wording: str = Field(examples=["counts what records say under the rule; no finding of fact or law"])
    case: str = Field(examples=["T1"])
    counted_at: str = Field(examples=[TIME])
    rule: CitedRule
    members: list[dict[str, JsonValue]] = Field(
        description="Every incident of the case, with its verdict and the parts of the rule that decide it.",
        examples=[[{"ref": "INC-1", "verdict": "included", "counted": 1, "because": ["target mentions fire engine"]}]],
    )
    numbers: dict[str, JsonValue] = Field(examples=[NUMBERS_EXAMPLE])
    published_by_others: list[dict[str, JsonValue]] = Field(
        description="Beside our numbers; never merged with them, never expanded into incidents.",
        examples=[[{"ref": "AGG-1", "claim": "16 attacks in July", "value": 16, "expanded": False}]],
    )


class ReleaseCreate(Sent):
    """Freeze what a rule counts today."""

    ref: str = Field(max_length=200, description="Its name, unique in the case.", examples=["82-incidents"])
    rule: str = Field(max_length=220, description="An inclusion rule: NAME or NAME@NUMBER.", examples=["vehicles@1"])
    title: str | None = Field(default=None, max_length=500, description="The rule's title when left out.")


class ReleaseSummary(Shown):
    """A release as lists show it."""

    release: str = Field(examples=[EVENT_ID])
    ref: str = Field(examples=["82-incidents"])
    title: str = Field(examples=["82 incidents of emergency vehicles"])
    included: int = Field(examples=[82])
    unknown: int = Field(examples=[3])
    created_at: str = Field(examples=[TIME])
    author: str = Field(examples=["leo"])
    sha256: str = Field(description="Of the sealed statement.", examples=[SHA256])


class ReleaseList(Shown):
    """The releases of a case, oldest first."""

    releases: list[ReleaseSummary]


class ReleaseShown(Shown):
    """A release whole: the rule, every incident that was looked at in the version that it then had, the numbers."""

    model_config = ConfigDict(frozen=True, extra="allow")

    release: str = Field(examples=[EVENT_ID])
    ref: str = Field(examples=["82-incidents"])
    title: str = Field(examples=["82 incidents of emergency vehicles"])
    rule: CitedRule
    members: list[Member]
    numbers: dict[str, JsonValue] = Field(examples=[NUMBERS_EXAMPLE])
    aggregates: list[CitedEntry]
    method: int = Field(description="Version number of the way of counting.", examples=[1])
    program: CountingProgram | None = Field(description="That counted; null in releases made before it was named.")
    created_at: str = Field(examples=[TIME])
    sha256: str = Field(description="Of the sealed statement.", examples=[SHA256])
    timestamps: list[Stamp] = Field(description="Over its seal; see /timestamps?subject=release:ID.")


class ReleaseFinding(Shown):
    """What is wrong with a release."""

    code: str = Field(examples=["release_differs"])
    severity: Literal["error"]
    detail: str = Field(examples=["counted again from its members it gives other bytes than were sealed"])


class ReleaseVerified(Shown):
    """A release counted again from the versions that it names, byte for byte; its seal; its place in the log."""

    ok: bool
    identical: bool = Field(description="The very bytes that were sealed came out.", examples=[True])
    members: int = Field(examples=[90])
    sealed_at: str | None = Field(description="As the seal claims it.", examples=["2026-11-22T10:31:00+00:00"])
    findings: list[ReleaseFinding]


class ReleaseDifferences(Shown):
    """A release against today: each member that changed, came or went, and why."""

    model_config = ConfigDict(frozen=True, extra="allow")

    release: str = Field(examples=["82-incidents"])
    frozen_at: str = Field(examples=[TIME])
    same: bool = Field(examples=[False])
    changed: list[dict[str, JsonValue]]
    added: list[dict[str, JsonValue]]
    gone: list[dict[str, JsonValue]] = Field(
        examples=[[{"incident": "INC-3", "why": ["version 2 by leo, 2026-11-22T10:31:00Z: the date was wrong"]}]]
    )
    others: list[dict[str, JsonValue]] = Field(description="Not counted then and not now, and not as they were.")
    aggregates: list[dict[str, JsonValue]] = Field(
        description="Counts that others published, restated or entered since."
    )
    numbers: dict[str, JsonValue]
