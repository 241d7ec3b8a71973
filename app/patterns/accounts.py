"""What stands beside an incident in every shape: counts on which sources differ, and what speaks against.

1. Of dead and injured all that is stated is told. Where sources differ, no number stands alone: none, until a decision
   that a second person signed off holds one; then it, with the others beside it.
2. Statements that are or may be denials, or contradict, stand with every incident of their case, as in its matrix:
   first those that the incident names and those that an attribution of it names as contradicting.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import JsonValue
from sqlmodel import Session, col, select

from app.incidents import store
from app.incidents.bodies import Body
from app.incidents.facts import COUNTS, Stated, stated_facts
from app.incidents.models import IncidentClaim
from app.incidents.records import read_claim
from app.incidents.store import EntryView
from app.verification import store as verification_store
from app.verification.models import Verification, VerificationSubject
from app.verification.reading import Conflict, conflict_on, distinct
from app.verification.store import View
from schemas.records.v1.incident import IncidentClaimRecord

DIFFER = "sources differ"
_CHUNK = 500
_STATES = tuple(f'"fact":"{fact}"'.encode() for fact in COUNTS)
_NAMED_AT_MOST = 20
Claims = list[tuple[IncidentClaimRecord, str]]


@dataclass(frozen=True, slots=True)
class Count:
    """What is stated of one count.

    Attributes:
        stated: the values, each once, in the order in which they were stated; the record's own first.
        conflict: where they differ, with what was decided.
    """

    stated: tuple[JsonValue, ...] = ()
    conflict: Conflict | None = None

    @property
    def value(self) -> JsonValue:
        """The one value that nobody contradicts, or that is held; None where there is none."""
        if self.conflict is not None:
            return self.conflict.held if self.conflict.decided else None
        return self.stated[0] if self.stated else None

    @property
    def standing(self) -> str:
        """In words: `not stated`, `stated`, `sources differ`, or which decision holds a value or none."""
        if self.conflict is None:
            return "stated" if self.stated else "not stated"
        if not self.conflict.decided:
            return DIFFER
        return f"{'none ' if self.conflict.held is None else ''}held by decision {self.conflict.by}"

    @property
    def text(self) -> str:
        """For a cell: the value, or all of them with the mark that they differ."""
        if self.conflict is not None and self.value is None:
            return f"{' | '.join(map(str, self.stated))} ({self.standing})"
        return "" if self.value is None else str(self.value)


@dataclass(frozen=True, slots=True)
class Beside:
    """What stands beside an incident.

    Attributes:
        counts: of dead and injured.
        against: ids for people of statements that speak against, or may; the first ones.
        against_in_all: how many there are.
    """

    counts: Mapping[str, Count] = field(default_factory=lambda: {name: Count() for name in COUNTS})
    against: tuple[str, ...] = ()
    against_in_all: int = 0


def beside(session: Session, views: Sequence[EntryView]) -> Iterator[tuple[EntryView, Beside]]:
    """Incidents, of one case or of several, with what stands beside each; in few queries for all of them.

    Raises:
        EnvironmentFailedError: `incident_damaged`, `verification_damaged`.
    """
    cases = {view.entry.case_id for view in views}
    readings = {case: _readings(session, case) for case in cases}
    spoken = {case: _spoken(session, case) for case in cases}
    for start in range(0, len(views), _CHUNK):
        page = views[start : start + _CHUNK]
        ids = [view.entry.id for view in page]
        claims, verified = _claims(session, ids), _verified(session, ids)
        for view in page:
            case, its = view.entry.case_id, verified.get(view.entry.id, [])
            body, read = view.record.body, readings[case].get(view.entry.ref, {})
            stated = stated_facts(body, read, claims.get(view.entry.id, [])).stated
            against = _against(view, spoken[case], its)
            counts = {name: _count(name, stated, its) for name in COUNTS}
            yield view, Beside(counts, against[:_NAMED_AT_MOST], len(against))


def _count(name: str, stated: Sequence[Stated], verified: Sequence[View]) -> Count:
    said = [one for one in stated if one.fact == name]
    decisions = [view for view in verified if view.row.kind == "decision"]
    return Count(tuple(distinct(name, said)), conflict_on(name, said, decisions))


def _claims(session: Session, incidents: Sequence[str]) -> dict[str, Claims]:
    """Standing claims that state a count, by incident; a page may hold thousands of others, which are not parsed."""
    wanted = select(IncidentClaim.id, IncidentClaim.incident_id, IncidentClaim.supersedes, IncidentClaim.record)
    wanted = wanted.where(col(IncidentClaim.incident_id).in_(incidents))
    rows = session.exec(wanted.order_by(col(IncidentClaim.created_at), col(IncidentClaim.id))).all()
    replaced = {supersedes for _, _, supersedes, _ in rows}
    found: dict[str, Claims] = {}
    for identity, incident, _, record in rows:
        states = not isinstance(record, bytes) or any(name in record for name in _STATES)  # SQLite may hold text there
        if identity not in replaced and states:
            found.setdefault(incident, []).append((read_claim(record, incident), _digest(record)))
    return found


def _readings(session: Session, case: str) -> dict[str, dict[str, Body]]:
    found: dict[str, dict[str, Body]] = {}
    for one in store.newest(session, store.entries_of(session, case, ["reading"])):
        found.setdefault(str(one.record.body.get("incident")), {})[one.entry.ref] = one.record.body
    return found


def _spoken(session: Session, case: str) -> dict[str, str]:
    """Ids for people of the case's statements that speak against, by UUID, in the case's order."""
    against = store.speaking_against(session, case)
    entries = store.entries_of(session, case, ["statement"])
    return {entry.id: entry.ref for entry in entries if entry.id in against}


def _verified(session: Session, incidents: Sequence[str]) -> dict[str, list[View]]:
    """Decisions on and attributions of incidents, by incident."""
    wanted = select(VerificationSubject.subject_id, Verification)
    wanted = wanted.join(Verification, col(Verification.id) == col(VerificationSubject.verification_id))
    wanted = wanted.where(
        col(VerificationSubject.subject_id).in_(incidents), col(Verification.kind).in_(("decision", "attribution"))
    )
    rows = session.exec(wanted.order_by(col(Verification.place))).all()
    views = {view.row.id: view for view in verification_store.load(session, [row for _, row in rows])}
    found: dict[str, list[View]] = {}
    for incident, row in rows:
        found.setdefault(incident, []).append(views[row.id])
    return found


def _against(view: EntryView, spoken: Mapping[str, str], verified: Sequence[View]) -> tuple[str, ...]:
    """Ids for people of statements that speak against, those that the incident or an attribution of it names first."""
    refs = spoken.values()
    named = view.record.body.get("statements")
    first = [one for one in named if one in refs] if isinstance(named, list) else []
    for one in verified:
        evidence = one.newest.body.get("contradicts") if one.row.kind == "attribution" else None
        listed = evidence if isinstance(evidence, list) else []
        first += [str(each["ref"]) for each in listed if isinstance(each, dict) and each.get("kind") == "statement"]
    return tuple(dict.fromkeys([*(spoken.get(str(one), str(one)) for one in first), *refs]))


def _digest(record: object) -> str:
    return hashlib.sha256(record).hexdigest() if isinstance(record, bytes) else ""
