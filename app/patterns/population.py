"""Reading what is counted: the incidents of a case today, or the very versions that a release names."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from sqlmodel import Session, col, select

from app.errors import CatenaError
from app.incidents import store
from app.incidents.bodies import Body
from app.incidents.facts import stated_facts
from app.incidents.models import IncidentClaim, IncidentEntry, IncidentVersion
from app.incidents.records import claim_record, entry_record
from app.incidents.store import EntryView
from app.law.incident_suggestions import gathered
from app.patterns.counting import Seen
from schemas.records.v1.incident import IncidentClaimRecord
from schemas.records.v1.pattern import CitedEntry, FrozenReleaseRecord, Member

_CHUNK = 500
Claims = list[tuple[IncidentClaimRecord, str]]


class MemberGoneError(CatenaError):
    """A version or claim that a release names is not here as it was; its detail says which."""

    def __init__(self, detail: str) -> None:
        super().__init__("member_gone", detail, status=500)


def cited(view: EntryView) -> CitedEntry:
    """An entry in the version that a view shows."""
    return CitedEntry(entry=view.entry.id, ref=view.entry.ref, number=view.record.number, sha256=view.sha256)


def read_incidents(session: Session, case_id: str) -> Iterator[tuple[EntryView, Claims]]:
    """All incidents of a case in their newest versions, with the claims that stand; read as they are asked for."""
    wanted = select(IncidentClaim).join(IncidentEntry, col(IncidentEntry.id) == col(IncidentClaim.incident_id))
    wanted = wanted.where(IncidentEntry.case_id == case_id)
    claims: dict[str, Claims] = {}
    for row in session.exec(wanted.order_by(col(IncidentClaim.created_at), col(IncidentClaim.id))):
        claims.setdefault(row.incident_id, []).append((claim_record(row), hashlib.sha256(row.record).hexdigest()))
    entries = store.entries_of(session, case_id, ["incident"])
    for start in range(0, len(entries), _CHUNK):
        for view in store.newest(session, entries[start : start + _CHUNK]):
            yield view, store.standing_claims(claims.get(view.entry.id, []))


def seen_today(session: Session, case_id: str) -> Iterator[Seen]:
    """The same, ready to be counted."""
    for view, claims in read_incidents(session, case_id):
        yield _seen(cited(view), view.record.body, claims)


def aggregates_today(session: Session, case_id: str) -> list[EntryView]:
    """Counts that others published, by ref."""
    found = store.newest(session, store.entries_of(session, case_id, ["aggregate"]))
    return sorted(found, key=lambda one: (one.entry.ref, one.entry.id))


def seen_then(session: Session, release: FrozenReleaseRecord) -> Iterator[Seen]:
    """The incidents of a release, in the versions and with the claims that it names; read as they are asked for.

    Raises:
        MemberGoneError: one of them is not here, or is not what it was.
    """
    for start in range(0, len(release.members), _CHUNK):
        members = release.members[start : start + _CHUNK]
        bodies = _bodies(session, members)
        digests = {digest for member in members for digest in member.claims}
        claims = _claims(session, [member.entry for member in members if member.claims], digests)
        for member in members:
            lost = next((digest for digest in member.claims if digest not in claims), None)
            if lost is not None:
                raise MemberGoneError(f"a claim about {member.ref} is not here as it was: {lost}")
            known = CitedEntry(entry=member.entry, ref=member.ref, number=member.number, sha256=member.sha256)
            yield _seen(known, bodies[member.entry], [(claims[digest], digest) for digest in member.claims])


def require_entries(session: Session, entries: Sequence[CitedEntry]) -> None:
    """Each of these entries is here in the version that is named.

    Raises:
        MemberGoneError: one is not.
    """
    _bodies(session, entries)


def _bodies(session: Session, entries: Sequence[CitedEntry | Member]) -> dict[str, Body]:
    wanted = {one.entry: one for one in entries}
    found: dict[str, Body] = {}
    for ids in _batched(wanted, _CHUNK):
        for row in session.exec(select(IncidentVersion).where(col(IncidentVersion.entry_id).in_(ids))):
            one = wanted[row.entry_id]
            if row.number == one.number and _digest(row.record) == one.sha256:
                found[row.entry_id] = entry_record(row).body
    lost = next((one for one in entries if one.entry not in found), None)
    if lost is not None:
        raise MemberGoneError(f"version {lost.number} of {lost.ref} is not here as it was: {lost.sha256}")
    return found


def _claims(session: Session, incidents: Iterable[str], digests: set[str]) -> dict[str, IncidentClaimRecord]:
    found: dict[str, IncidentClaimRecord] = {}
    for ids in _batched(incidents, _CHUNK):
        for row in session.exec(select(IncidentClaim).where(col(IncidentClaim.incident_id).in_(ids))):
            digest = _digest(row.record)
            if digest in digests:
                found[digest] = claim_record(row)
    return found


def _batched(ids: Iterable[str], size: int) -> Iterator[list[str]]:
    waiting = iter(ids)
    while batch := list(islice(waiting, size)):
        yield batch


def _digest(record: object) -> str:
    return hashlib.sha256(record).hexdigest() if isinstance(record, bytes) else ""  # SQLite may hold text there


def _seen(entry: CitedEntry, body: Body, claims: Claims) -> Seen:
    facts = gathered(stated_facts(body, {}, claims).stated)
    return Seen(entry, body, tuple(digest for _, digest in claims), facts)
