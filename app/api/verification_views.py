"""From entries and verification records to response bodies; nothing here decides who may see them."""

from __future__ import annotations

from typing import Any

from pydantic import JsonValue

from app.incidents.standing import masked
from app.incidents.store import EntryView
from app.verification.masks import is_personal
from app.verification.masks import masked as masked_record
from app.verification.rules import standing
from app.verification.store import View
from schemas.api.verification import (
    EntryShown,
    SignOff,
    VerificationShown,
    VerificationSummary,
    VerificationVersionShown,
)


def entry_shown(view: EntryView, *, personal: bool = False) -> EntryShown:
    """An entry in one version."""
    record = view.record
    return EntryShown(
        id=view.entry.id,
        kind=record.kind,
        ref=record.ref,
        case=record.case,
        version=record.number,
        sha256=view.sha256,
        body=record.body if personal else masked(record.body),
        standing=record.standing,
        reason=record.reason,
        author=record.author,
        created_at=record.created_at,
    )


def versions_shown(view: View, *, personal: bool = False) -> list[VerificationVersionShown]:
    """Every version of a record, oldest first."""
    return [VerificationVersionShown(**_version(view, place, personal=personal)) for place in range(len(view.versions))]


def summary_shown(view: View, *, personal: bool = False) -> VerificationSummary:
    """A record in its newest version with all reviews."""
    return VerificationSummary(**_summary(view, personal=personal))


def verification_shown(view: View, sun: list[JsonValue], *, personal: bool = False) -> VerificationShown:
    """A record with the positions of the sun computed again."""
    return VerificationShown.model_validate({**_summary(view, personal=personal), "sun_again": sun})


def _summary(view: View, *, personal: bool) -> dict[str, Any]:
    stands = {one.review for one in standing(view.versions, view.reviews)}
    reviews = [
        SignOff(
            review=one.review,
            version=one.version,
            version_sha256=one.version_sha256,
            decision=one.decision,
            comment=one.comment,
            reviewer=one.reviewer,
            created_at=one.created_at,
            stands=one.review in stands,
        )
        for one in view.reviews
    ]
    return {
        **_version(view, -1, personal=personal),
        "id": view.row.id,
        "ref": view.row.ref,
        "kind": view.newest.kind,
        "case": view.row.case_id,
        "subjects": list(view.newest.subjects),
        "state": view.state,
        "reviews": reviews,
    }


def _version(view: View, place: int, *, personal: bool) -> dict[str, Any]:
    record = view.versions[place]
    hidden = is_personal(record.body) and not personal
    return {
        "version": record.number,
        "sha256": view.digests[place],
        "body": masked_record(record.body) if hidden else record.body,
        "computed": record.computed,
        "elsewhere": None if hidden else record.elsewhere,
        "reason": record.reason,
        "author": record.author,
        "created_at": record.created_at,
    }
