"""What records of verification about incidents name beside them: what they rest on, and what contradicts them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlmodel import Session, col, select

from app.incidents import store as incidents_store
from app.verification import store
from app.verification.models import Verification, VerificationSubject
from app.verification.store import View
from schemas.records.v1.incident import EntryKind

_CHUNK = 500
_ENTRIES: tuple[EntryKind, ...] = ("statement", "observation")


@dataclass
class Named:
    """What the records name, in any version.

    Attributes:
        entries: UUIDs of statements and observations.
        against: those of them that an attribution names as contradicting it.
        items: UUIDs of items.
    """

    entries: set[str] = field(default_factory=set)
    against: set[str] = field(default_factory=set)
    items: set[str] = field(default_factory=set)


def named_in(session: Session, case_id: str, incidents: Collection[str] | None = None) -> Named:
    """What records about these incidents (by UUID) name; None: all records of the case.

    Raises:
        EnvironmentFailedError: `verification_damaged`.
    """
    made, against, cited = Named(), set[tuple[str, str]](), set[tuple[str, str]]()
    for view in _about(session, case_id, incidents):
        for version in view.versions:
            made.items |= {str(one["item"]) for one in _objects(version.computed, "items")}
            cited |= {(str(one["kind"]), str(one["ref"])) for one in _objects(version.body, "supports")}
            against |= {(str(one["kind"]), str(one["ref"])) for one in _objects(version.body, "contradicts")}
    if any(kind in _ENTRIES for kind, _ in cited | against):
        for entry in incidents_store.entries_of(session, case_id, _ENTRIES):
            names = {(entry.kind, entry.ref), (entry.kind, entry.id)}  # by UUID: as records were written before
            made.entries |= {entry.id} if names & (cited | against) else set()
            made.against |= {entry.id} if names & against else set()
    return made


def _about(session: Session, case_id: str, incidents: Collection[str] | None) -> list[View]:
    rows = select(Verification).where(Verification.case_id == case_id)
    if incidents is None:
        return store.load(session, list(session.exec(rows)))
    found: dict[str, Verification] = {}
    wanted = sorted(incidents)
    for start in range(0, len(wanted), _CHUNK):
        about = select(VerificationSubject.verification_id)
        about = about.where(col(VerificationSubject.subject_id).in_(wanted[start : start + _CHUNK]))
        found |= {row.id: row for row in session.exec(rows.where(col(Verification.id).in_(about)))}
    return store.load(session, list(found.values()))


def _objects(value: Mapping[str, Any], name: str) -> Iterator[Mapping[str, Any]]:
    listed = value.get(name)
    yield from (one for one in listed if isinstance(one, dict)) if isinstance(listed, list | tuple) else ()
