"""Bundles of other archives that were received, and what their people say."""

from __future__ import annotations

from pydantic import Field, JsonValue

from schemas.api.base import CASE_ID, EVENT_ID, ITEM_ID, SHA256, TIME, USER_ID, Cursor, Shown


class ReceivedItemShown(Shown):
    """One item of theirs, and the item that it is here."""

    item: str = Field(description="Id here.", examples=[ITEM_ID])
    partner_item: str = Field(description="Id at the partner's.", examples=[ITEM_ID])
    matched: bool = Field(description="The case held the same bytes already: no second item was made.")


class ReceivedFinding(Shown):
    """What the offline verifier remarked when the bundle came."""

    code: str = Field(examples=["trust_not_anchored"])
    severity: str = Field(description="`warning` or `info`; a bundle with errors is refused.", examples=["warning"])
    subject: str
    detail: str


class ReceivedBundleShown(Shown):
    """A partner's bundle. Times and people in `partner` are the partner's; `received_at` is ours."""

    id: str = Field(examples=[EVENT_ID])
    case: str = Field(description="Id of the case here.", examples=[CASE_ID])
    sha256: str = Field(description="Of the bundle's ZIP, which is kept as it came.", examples=[SHA256])
    state: str = Field(description="`receiving` or `done`.", examples=["done"])
    received_at: str = Field(examples=[TIME])
    received_by: str = Field(description="User id.", examples=[USER_ID])
    verdict: str = Field(
        description="The verifier's word: verified with keys that were given for it, or whole, with its own keys.",
        examples=["whole"],
    )
    not_proven: list[ReceivedFinding] = Field(description="What the check left open.")
    partner: JsonValue = Field(description="What the bundle says of itself: archive, log, checkpoint, purpose.")
    claims: JsonValue = Field(description="The verifier's sentences on what is proven and what is not.")
    items: list[ReceivedItemShown]
    repeated: bool = Field(default=False, description="It was here already: nothing was added.")


class ReceivedBundleList(Shown):
    """Received bundles, newest first; without their items."""

    bundles: list[ReceivedBundleShown]
    cursor: Cursor = None


class PartnersWord(Shown):
    """What a partner says of one of its items: never work of this archive, and not reviewed here."""

    whose: str = Field(description="The partner's organisation, as its bundle says.", examples=["Example Centre"])
    status: str = Field(examples=["said by the partner, not reviewed here"])
    item: str = Field(description="Id here.", examples=[ITEM_ID])
    partner_item: str = Field(examples=[ITEM_ID])
    original_name: str = Field(examples=["video.mp4"])
    received_at: str = Field(description="When the partner received it, by the partner's clock.", examples=[TIME])
    sha256: str = Field(examples=[SHA256])
    events: list[JsonValue] = Field(description="The partner's custody events of it, oldest first.")
    records: list[JsonValue] = Field(description="The partner's links, reviews, matches and other records.")


class PartnersRecord(Shown):
    """One record of a partner's bundle, as the partner wrote it."""

    role: str = Field(
        description="`entry` (an incident, a statement and others), `claim`, `matrix`, `element link`, "
        "`element state`, `panel answer`, `assessment`, `assessment review`, `verification`, "
        "`verification review`, or `dossier`: entries and claims once more, as one file.",
        examples=["element link"],
    )
    object: str | None = Field(description="The partner's object that it is about.", examples=[f"incident:{EVENT_ID}"])
    path: str = Field(description="In the bundle.", examples=[f"data/assessments/{EVENT_ID}.json"])
    sha256: str = Field(examples=[SHA256])
    record: JsonValue = Field(description="The record; null where it is no JSON.")


class PartnersDossier(Shown):
    """What a partner's people say of incidents, for and against: never work of this archive, and not reviewed here."""

    whose: str = Field(description="The partner's organisation, as its bundle says.", examples=["Example Centre"])
    status: str = Field(examples=["said by the partner, not reviewed here"])
    bundle: str = Field(description="Id of the received bundle here.", examples=[EVENT_ID])
    records: list[PartnersRecord]
    not_shown: int = Field(description="Records too large to show here; the bundle's file has them.")
    left_out_there: JsonValue = Field(
        description="What speaks against and was left out of the partner's own bundle, as its manifest says; or empty."
    )
