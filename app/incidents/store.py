"""Reading and writing the rows of incidents inside a unit of work; who may do so has been asked before."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import cast

from sqlmodel import Session, col, func, select

from app.access.service import Principal
from app.custody.outputs import output
from app.custody.service import Custody
from app.errors import NotFoundError
from app.evidence.service import item_or_none
from app.incidents.bodies import Body, count_sources
from app.incidents.models import IncidentClaim, IncidentEntry, IncidentVersion
from app.incidents.records import claim_record, claim_row, entry_record, new_entry, version_row
from app.incidents.statement_kinds import Against, earlier_along, why_along
from schemas.records.v1.incident import EntryKind, IncidentClaimRecord, IncidentEntryRecord

ENTRY_ROLE, CLAIM_ROLE = "entry", "claim"
_CHUNK = 500  # ids of one query


@dataclass(frozen=True, slots=True)
class EntryView:
    """An entry with one of its versions, the newest as a rule."""

    entry: IncidentEntry
    record: IncidentEntryRecord
    sha256: str


@dataclass(frozen=True, slots=True)
class Speaking:
    """Why a statement goes along, and the numbers of earlier versions that are or may be denials, or contradict."""

    why: Against
    earlier: tuple[int, ...]


def view(entry: IncidentEntry, version: IncidentVersion) -> EntryView:
    """An entry with a version of it."""
    return EntryView(entry, entry_record(version), hashlib.sha256(version.record).hexdigest())


def put_entry(
    session: Session, custody: Custody, who: Principal, case_id: str, kind: EntryKind, ref: str, body: Body
) -> EntryView:
    """A new entry with its first version; the log is locked."""
    now = custody.now()
    newest = session.exec(select(func.max(IncidentEntry.place)).where(IncidentEntry.case_id == case_id)).one()
    entry = new_entry(who, case_id, kind, ref, (newest or 0) + 1, now)
    version = version_row(who, entry, kind, body, now)
    session.add(entry)
    session.flush()  # the version refers to it
    custody.record(
        session,
        f"{kind}:{entry.id}",
        "annotation",
        who.actor,
        details={"kind": kind, "number": 1, "outputs": [output(ENTRY_ROLE, version.record, version=version.id)]},
        rows=[entry, version],
    )
    return view(entry, version)


def put_version(
    session: Session, custody: Custody, who: Principal, entry: IncidentEntry, body: Body, reason: str
) -> EntryView:
    """A further version of an entry; the log is locked."""
    kind = cast("EntryKind", entry.kind)
    before = versions(session, entry.id)[-1]
    version = version_row(who, entry, kind, body, custody.now(), before=before, reason=reason)
    custody.record(
        session,
        f"{kind}:{entry.id}",
        "metadata modification",
        who.actor,
        details={
            "kind": kind,
            "number": version.number,
            "reason": reason,
            "outputs": [output(ENTRY_ROLE, version.record, version=version.id)],
        },
        rows=[version],
    )
    return view(entry, version)


def put_claim(session: Session, custody: Custody, who: Principal, record: IncidentClaimRecord) -> None:
    """A new claim; the log is locked."""
    row = claim_row(record)
    custody.record(
        session,
        f"incident:{record.incident}",
        "annotation",
        who.actor,
        details={
            "claim": record.claim,
            "kind": record.kind,
            "supersedes": record.supersedes,
            "outputs": [output(CLAIM_ROLE, row.record, claim=row.id)],
        },
        rows=[row],
    )


def versions(session: Session, entry_id: str) -> list[IncidentVersion]:
    """All versions of an entry, oldest first."""
    found = select(IncidentVersion).where(IncidentVersion.entry_id == entry_id)
    return list(session.exec(found.order_by(col(IncidentVersion.number))))


def body_digests(session: Session, case_id: str) -> dict[str, set[str]]:
    """The digests of all bodies that any version of an entry states, by entry."""
    found: dict[str, set[str]] = {}
    stated = select(IncidentVersion.entry_id, IncidentVersion.body_sha256)
    stated = stated.join(IncidentEntry, col(IncidentEntry.id) == col(IncidentVersion.entry_id))
    for entry_id, digest in session.exec(stated.where(IncidentEntry.case_id == case_id)):
        found.setdefault(entry_id, set()).add(digest)
    return found


def speaking_against(session: Session, case_id: str, incidents: Collection[str] = ()) -> dict[str, Speaking]:
    """The statements of a case, by UUID, that are or may be denials, or contradict, in any version: always along.

    With the ids of incidents, for people or UUIDs, also those that say that they bear on one of them, of any kind.
    A case may hold thousands of statements, so their records are not checked here; a damaged one counts as a denial and
    is refused where it is read.
    """
    found = select(IncidentVersion.entry_id, IncidentVersion.record, IncidentVersion.number)
    found = found.join(IncidentEntry, col(IncidentEntry.id) == col(IncidentVersion.entry_id))
    found = found.where(IncidentEntry.case_id == case_id, IncidentEntry.kind == "statement")
    said: dict[str, dict[int, Body]] = {}
    for entry, record, number in session.exec(found.order_by(col(IncidentVersion.number))):
        said.setdefault(entry, {})[number] = _body_in(record)
    made: dict[str, Speaking] = {}
    for entry, known_ in said.items():
        bodies = [*known_.values()]
        why = why_along(bodies)
        if why is None and any(_bears_on(body, incidents) for body in bodies):
            why = "bears on the incident"
        if why is not None:
            made[entry] = Speaking(why, tuple([*known_][place] for place in earlier_along(bodies)))
    return made


def said_earlier(session: Session, entry: IncidentEntry, speaking: Speaking) -> list[EntryView]:
    """The earlier versions of a statement that are, or may be, denials, or contradict; oldest first."""
    known = versions(session, entry.id) if speaking.earlier else []
    return [view(entry, version) for version in known if version.number in speaking.earlier]


def _body_in(record: bytes) -> Body:
    try:
        body = json.loads(bytes(record))["body"]
    except (ValueError, TypeError, KeyError):
        body = None
    return body if isinstance(body, dict) else {"kind": "damaged"}


def _bears_on(body: Body, incidents: Collection[str]) -> bool:
    named = body.get("bears_on")
    return isinstance(named, list) and any(isinstance(one, str) and one in incidents for one in named)


def newest(session: Session, entries: Sequence[IncidentEntry]) -> list[EntryView]:
    """Entries with their newest versions, in the same order."""
    found: dict[str, IncidentVersion] = {}
    ids = [entry.id for entry in entries]
    for start in range(0, len(ids), _CHUNK):
        wanted = select(IncidentVersion).where(col(IncidentVersion.entry_id).in_(ids[start : start + _CHUNK]))
        for version in session.exec(wanted.order_by(col(IncidentVersion.number))):
            found[version.entry_id] = version
    return [view(entry, found[entry.id]) for entry in entries]


def entries_of(session: Session, case_id: str, kinds: Iterable[EntryKind] | None = None) -> list[IncidentEntry]:
    """The entries of a case in their order, of these kinds or of all."""
    found = select(IncidentEntry).where(IncidentEntry.case_id == case_id)
    if kinds is not None:
        found = found.where(col(IncidentEntry.kind).in_(list(kinds)))
    return list(session.exec(found.order_by(col(IncidentEntry.place))))


def entry_named(session: Session, case_id: str, kind: EntryKind, ref: str) -> IncidentEntry | None:
    """An entry of a case by its id for people."""
    return session.exec(
        select(IncidentEntry).where(
            IncidentEntry.case_id == case_id, IncidentEntry.kind == kind, IncidentEntry.ref == ref
        )
    ).one_or_none()


def refs_among(session: Session, case_id: str, kind: EntryKind, refs: Sequence[str]) -> set[str]:
    """Which of these are ids for people of the case's entries of a kind."""
    found: set[str] = set()
    for start in range(0, len(refs), _CHUNK):
        wanted = select(IncidentEntry.ref).where(IncidentEntry.case_id == case_id, IncidentEntry.kind == kind)
        found.update(session.exec(wanted.where(col(IncidentEntry.ref).in_(refs[start : start + _CHUNK]))))
    return found


def claims_of(session: Session, incident_id: str) -> list[tuple[IncidentClaimRecord, str]]:
    """All claims about an incident with the SHA-256 of their records, oldest first; replaced ones included."""
    found = select(IncidentClaim).where(IncidentClaim.incident_id == incident_id)
    rows = session.exec(found.order_by(col(IncidentClaim.created_at), col(IncidentClaim.id)))
    return [(claim_record(row), hashlib.sha256(row.record).hexdigest()) for row in rows]


def claim_named(session: Session, incident_id: str, ref: str) -> IncidentClaimRecord | None:
    """A claim about an incident by its id for people; a file may hold thousands, so none but this one is read."""
    found = select(IncidentClaim).where(IncidentClaim.incident_id == incident_id, IncidentClaim.ref == ref)
    row = session.exec(found).one_or_none()
    return None if row is None else claim_record(row)


def claim_of(session: Session, incident_id: str, identity: str) -> IncidentClaimRecord | None:
    """A claim about an incident by its UUID."""
    row = session.get(IncidentClaim, identity)
    return None if row is None or row.incident_id != incident_id else claim_record(row)


def standing_claims(claims: Sequence[tuple[IncidentClaimRecord, str]]) -> list[tuple[IncidentClaimRecord, str]]:
    """Those that no later one has replaced."""
    replaced = {claim.supersedes for claim, _ in claims}
    return [(claim, digest) for claim, digest in claims if claim.claim not in replaced]


def require_item(session: Session, case_id: str, body: Body) -> None:
    """Refuse an observation in an item that the case does not have.

    Raises:
        NotFoundError: `unknown_item`.
    """
    found = item_or_none(session, str(body.get("item")))
    if found is None or found[0].case_id != case_id:
        raise NotFoundError("unknown_item", "the case has no such item")


def require_sources(session: Session, entry: IncidentEntry, body: Body) -> None:
    """Refuse counts of dead and injured that rest on what the case does not have.

    Raises:
        NotFoundError: `unknown_item`, `unknown_statement`, `unknown_claim`.
    """
    for one in count_sources(body):
        if one.kind == "item":
            require_item(session, entry.case_id, {"item": one.ref})
        elif one.kind == "statement" and entry_named(session, entry.case_id, "statement", one.ref) is None:
            raise NotFoundError("unknown_statement", "the case has no such statement")
        elif one.kind == "claim" and claim_named(session, entry.id, one.ref) is None:
            raise NotFoundError("unknown_claim", "the incident has no such claim")


def statements_cited(session: Session, incidents: Iterable[str]) -> set[str]:
    """Statements, by their ids for people, on which claims about these incidents rest; replaced claims included."""
    claims = [claim for incident in incidents for claim, _ in claims_of(session, incident)]
    return {one.ref for claim in claims for one in claim.rests_on if one.kind == "statement"}


def entry_of(session: Session, case_id: str, kind: str, name: str) -> IncidentEntry | None:
    """An entry of a case by its UUID, or by its id for people."""
    found = session.get(IncidentEntry, name)
    if found is not None and (found.case_id, found.kind) == (case_id, kind):
        return found
    return entry_named(session, case_id, cast("EntryKind", kind), name)
