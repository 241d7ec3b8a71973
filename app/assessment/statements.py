"""Which statements stand beside an incident's matrix: all denials, and what the incident or a link names.

A case may hold thousands of statements: their bytes are looked through for the mark of a denial, and only those that
have it, or that are named, are parsed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlmodel import Session, col, select

from app.assessment.ledger import Ledger
from app.assessment.shown import Shown
from app.incidents import store
from app.incidents.bodies import Body
from app.incidents.models import IncidentEntry, IncidentVersion
from app.incidents.standing import is_denial
from app.incidents.store import EntryView

_SIGN = b'"denial":true'  # in the standing of a canonical record; a body that holds it as well is sorted out below
_CHUNK = 500


@dataclass(frozen=True, slots=True)
class Named:
    """Statements that an incident names by their ids for people, and those that links rest on, by UUID."""

    refs: frozenset[str]
    ids: frozenset[str]


def named_in(incident: Body, ledger: Ledger) -> Named:
    """The statements that an incident's body or a link of it names."""
    given = incident.get("statements")
    refs = frozenset(one for one in given if isinstance(one, str)) if isinstance(given, list) else frozenset()
    linked = frozenset(record.source.id for _, record in ledger.links() if record.source.kind == "statement")
    return Named(refs, linked)


def statements_of(session: Session, case_id: str, named: Named) -> list[EntryView]:
    """Denials and counter-allegations of a case, and the statements that are named, each in its newest version."""
    found = select(IncidentEntry.id, IncidentEntry.ref, IncidentVersion.record)
    found = found.join(IncidentVersion, col(IncidentVersion.entry_id) == col(IncidentEntry.id))
    found = found.where(IncidentEntry.case_id == case_id, IncidentEntry.kind == "statement")
    wanted = [
        entry
        for entry, ref, record in session.exec(found)
        if entry in named.ids or ref in named.refs or _SIGN in bytes(record)
    ]
    entries: list[IncidentEntry] = []
    for start in range(0, len(wanted), _CHUNK):
        chosen = select(IncidentEntry).where(col(IncidentEntry.id).in_(wanted[start : start + _CHUNK]))
        entries += session.exec(chosen)
    entries.sort(key=lambda entry: entry.place)
    return [
        view
        for view in store.newest(session, entries)
        if view.entry.id in named.ids or view.entry.ref in named.refs or is_denial(view.record.body)
    ]


def bearing_on(statements: Sequence[EntryView], ledger: Ledger) -> list[Shown]:
    """The statements as the matrix shows them: denials first, whether anybody linked them or not."""
    linked: dict[str, list[str]] = {}
    for line, record in ledger.links():
        if record.source.kind == "statement":
            linked.setdefault(record.source.id, []).append(line.row.id)
    found = [_statement(one, linked.get(one.entry.id, [])) for one in statements]
    return sorted(found, key=lambda one: not one["denial"])  # stable: the case's order within each


def _statement(view: EntryView, links: Sequence[str]) -> Shown:
    body, standing = view.record.body, view.record.standing
    return {
        "statement": view.entry.id,
        "ref": view.entry.ref,
        "version": view.record.number,
        "sha256": view.sha256,
        "speaker": body.get("speaker"),
        "kind": body.get("kind"),
        "summary": body.get("summary"),
        "denial": is_denial(body),
        "conditional": standing.get("conditional", False),
        "author": standing.get("author"),
        "authentication": standing.get("authentication"),
        "directions": standing.get("directions"),
        "links": [*links],
    }
