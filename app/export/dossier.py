"""What of a case's dossier leaves with a bundle: the entries that must go along, and the items that they refer to.

1. An incident goes with the statements that it, a link, a claim or a record of verification names, those that bear on
   it, every one of its case that is or may be a denial or contradicts, the readings, aggregates and accounts about it,
   and all claims, replaced ones included: `app.incidents.files` decides.
2. An item that an entry, a claim, a link to an element or a record of verification names by its id goes along.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from pydantic import JsonValue
from sqlmodel import Session, col, select

from app.assessment.ledger import Ledger
from app.evidence.models import Item
from app.incidents import store
from app.incidents.files import going_along
from app.incidents.models import IncidentEntry
from app.verification.named import named_in
from evidence_store.bundle.shapes import is_uuid
from schemas.records.v1.assessment import ElementLinkRecord
from schemas.records.v1.incident import IncidentClaimRecord

_CHUNK = 500


def entries_to_go(session: Session, case_id: str, incident: str | None) -> list[IncidentEntry]:
    """The entries of a case that leave with an incident, or all of them, in their order.

    Args:
        session: an open snapshot.
        case_id: UUID of the case.
        incident: UUID of the incident; None for the whole dossier.
    """
    entries = store.entries_of(session, case_id)
    if incident is None:
        return entries
    lines = Ledger.read(session, incident).lines  # every version: a link that was withdrawn goes along, too
    pointed = {line.record.source.id for line in lines if isinstance(line.record, ElementLinkRecord)}
    known = {incident, *(entry.ref for entry in entries if entry.id == incident)}
    must = pointed | store.speaking_against(session, case_id, known).keys()
    must |= named_in(session, case_id, [incident]).entries
    cited = store.statements_cited(session, [incident])
    return [one.entry for one in going_along(store.newest(session, entries), {incident}, must, cited)]


def items_named(
    session: Session, case_id: str, entries: Sequence[IncidentEntry], also: Collection[str] = ()
) -> list[str]:
    """UUIDs of the case's items that the entries, in any version, or claims about them name; in order of deposit.

    Args:
        session: an open snapshot.
        case_id: UUID of the case.
        entries: of its dossier.
        also: UUIDs that are named elsewhere.
    """
    said = set(also)
    for entry in entries:
        for version in store.versions(session, entry.id):
            said |= ids_in(store.view(entry, version).record.body)
        if entry.kind == "incident":
            said |= claimed(claim for claim, _ in store.claims_of(session, entry.id))
    found: list[tuple[str, str]] = []
    wanted = sorted(said)
    for start in range(0, len(wanted), _CHUNK):
        mine = select(Item.received_at, Item.id).where(
            Item.case_id == case_id, col(Item.id).in_(wanted[start : start + _CHUNK])
        )
        found += session.exec(mine)
    return [item for _, item in sorted(found)]


def claimed(claims: Iterator[IncidentClaimRecord] | Sequence[IncidentClaimRecord]) -> set[str]:
    """What claims say that they rest on, as far as it is an item."""
    return {one.ref for claim in claims for one in claim.rests_on if one.kind == "item"}


def ids_in(value: JsonValue) -> set[str]:
    """Every text of a JSON value that has the form of an id; pure."""
    if isinstance(value, str):
        return {value} if is_uuid(value) else set()
    inner: Collection[JsonValue] = (
        value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    )
    return {found for one in inner for found in ids_in(one)}
