"""Which statements stand beside an incident's matrix: those that speak against or may, that bear on it, or are named.

The incident, a link to an element or a record of verification names them.
A statement that was a denial in an earlier version is one of them, with what that version said. A case may hold
thousands of statements: only those that go along are parsed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import JsonValue
from sqlmodel import Session, col, select

from app.assessment.ledger import Ledger
from app.assessment.shown import Shown
from app.incidents import store
from app.incidents.models import IncidentEntry
from app.incidents.standing import masked
from app.incidents.store import EntryView, Speaking
from app.verification.named import named_in as verification_names

_CHUNK = 500


@dataclass(frozen=True, slots=True)
class Named:
    """Statements that an incident names by their ids for people, and those that are named of it by UUID.

    Attributes:
        incident: the ids of the incident itself.
    """

    refs: frozenset[str]
    ids: frozenset[str]
    incident: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Bearing:
    """A statement in its newest version.

    Attributes:
        against: why it goes along whoever names it; None where it is only named.
        earlier: its earlier versions that are, or may be, denials, or contradict.
    """

    view: EntryView
    against: Speaking | None
    earlier: list[EntryView]


def named_in(session: Session, incident: EntryView, ledger: Ledger) -> Named:
    """The statements that an incident's body, a link or a record of verification of it names."""
    given, entry = incident.record.body.get("statements"), incident.entry
    refs = frozenset(one for one in given if isinstance(one, str)) if isinstance(given, list) else frozenset()
    linked = frozenset(record.source.id for _, record in ledger.links() if record.source.kind == "statement")
    verified = verification_names(session, entry.case_id, [entry.id]).entries
    return Named(refs, linked | verified, frozenset({entry.id, entry.ref}))


def statements_of(session: Session, case_id: str, named: Named) -> list[Bearing]:
    """The statements of a case that are or may be denials, contradict, bear on it or are named; in the case's order."""
    speaking = store.speaking_against(session, case_id, named.incident)
    known = select(IncidentEntry.id, IncidentEntry.ref)
    known = known.where(IncidentEntry.case_id == case_id, IncidentEntry.kind == "statement")
    wanted = [
        entry for entry, ref in session.exec(known) if entry in speaking or entry in named.ids or ref in named.refs
    ]
    entries: list[IncidentEntry] = []
    for start in range(0, len(wanted), _CHUNK):
        chosen = select(IncidentEntry).where(col(IncidentEntry.id).in_(wanted[start : start + _CHUNK]))
        entries += session.exec(chosen)
    entries.sort(key=lambda entry: entry.place)
    return [_bearing(session, view, speaking.get(view.entry.id)) for view in store.newest(session, entries)]


def bearing_on(statements: Sequence[Bearing], ledger: Ledger) -> list[Shown]:
    """The statements as the matrix shows them: denials first, whether anybody linked them or not."""
    linked: dict[str, list[str]] = {}
    for line, record in ledger.links():
        if record.source.kind == "statement":
            linked.setdefault(record.source.id, []).append(line.row.id)
    found = [_statement(one, linked.get(one.view.entry.id, [])) for one in statements]
    return sorted(found, key=lambda one: not one["denial"])  # stable: the case's order within each


def _bearing(session: Session, view: EntryView, speaking: Speaking | None) -> Bearing:
    return Bearing(view, speaking, [] if speaking is None else store.said_earlier(session, view.entry, speaking))


def _statement(one: Bearing, links: Sequence[str]) -> Shown:
    view, standing = one.view, one.view.record.standing
    why = None if one.against is None else one.against.why
    return {
        "statement": view.entry.id,
        "ref": view.entry.ref,
        **_said(view),
        "denial": why in {"denial", "earlier denial"},
        "goes_along": why,
        "conditional": standing.get("conditional", False),
        "author": standing.get("author"),
        "authentication": standing.get("authentication"),
        "directions": standing.get("directions"),
        "links": [*links],
        "earlier": [{**_said(version)} for version in one.earlier],
    }


def _said(view: EntryView) -> dict[str, JsonValue]:
    body = masked(view.record.body)
    return {
        "version": view.record.number,
        "sha256": view.sha256,
        "speaker": body.get("speaker"),
        "kind": body.get("kind"),
        "summary": body.get("summary"),
    }
