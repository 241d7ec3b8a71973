"""Where entries are made: who may, on which incident and provision, and the one way in which a version is written."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any, Final

from pydantic import JsonValue
from sqlmodel import Session, col, select

from app.access.rules import Action
from app.access.service import Access, Principal
from app.archive import Archive
from app.assessment.groups import Sorting
from app.assessment.ledger import Line
from app.assessment.models import AssessmentEntry
from app.assessment.records import ROLES, Record, digest, entry_record, entry_row, kind_of, part_of
from app.assessment.rules import parse_reason
from app.custody.outputs import output
from app.errors import ConflictError, DeniedError, NotFoundError
from app.incidents.models import IncidentEntry
from app.incidents.records import person
from app.incidents.service import Incidents
from app.law.catalogue import element_of
from app.law.versions import Catalogues
from evidence_store.bundle.shapes import is_uuid
from schemas.records.v1.assessment import ElementLinkRecord
from schemas.records.v1.event import EventType
from schemas.records.v1.link import CitedElement, CitedProvision
from schemas.records.v1.provision import CatalogueReference, Element, Provision

WRITE: Final[Action] = "link.create"
DECIDE: Final[Action] = "link.review"
READ: Final[Action] = "incident.read"


class Desk:
    """Entries of one archive."""

    def __init__(self, archive: Archive, access: Access, incidents: Incidents, catalogues: Catalogues) -> None:
        """Bind to an archive."""
        self.archive = archive
        self.access = access
        self.incidents = incidents
        self.catalogues = catalogues

    # -- finding ------------------------------------------------------------------------------

    def incident(self, who: Principal, name: str, action: Action, case_id: str | None = None) -> IncidentEntry:
        """An incident of a case in which the actor may do this.

        Raises:
            NotFoundError: `unknown_incident`.
            DeniedError: `not_allowed`, which is recorded.
            ConflictError: `ambiguous_incident`.
        """
        return self.incidents.permitted(who, name, action, case_id)

    def provision(self, name: str) -> tuple[Provision, CatalogueReference]:
        """A provision of the newest catalogue, with that catalogue's version.

        Raises:
            NotFoundError: `unknown_provision`.
        """
        version, catalogue = self.catalogues.current()
        found = catalogue.provisions.get(name)
        if found is None:
            raise NotFoundError("unknown_provision", f"the catalogue has no provision {name[:64]!r}")
        return found, CatalogueReference(version=version, sha256=catalogue.sha256)

    def entry(self, who: Principal, entry_id: str, action: Action) -> AssessmentEntry:
        """A version of an entry, or the newest one of a thread, when the actor may do this in its case.

        Raises:
            NotFoundError: `unknown_entry`, also for one of which the actor may not know.
            DeniedError: `not_allowed`, which is recorded.
        """
        self.access.require_role(who, action)
        with self.archive.db.read() as session:
            known = is_uuid(entry_id)
            found = (newest_of(session, entry_id) or session.get(AssessmentEntry, entry_id)) if known else None
        unknown = NotFoundError("unknown_entry", "there is no such entry, or you are not a member of its case")
        if found is None:
            self.access.record_denial(who.actor, self.archive.about, action)
            raise unknown
        try:
            self.incidents.permitted(who, found.incident_id, action)
        except NotFoundError:
            raise unknown from None
        return found

    def sorting(self) -> Sorting:
        """The groups of elements as the catalogue has them now, and as it had them when links were made."""
        return Sorting(self.catalogues.current()[0], self.catalogues.version)

    # -- writing ------------------------------------------------------------------------------

    def fields(self, who: Principal, incident: IncidentEntry, provision: Provision) -> dict[str, Any]:
        """What every new entry says; its first version as long as nobody says otherwise."""
        return {
            "thread": str(uuid.uuid4()),
            "entry": str(uuid.uuid4()),
            "number": 1,
            "incident": incident.id,
            "provision": cited(provision),
            "withdrawn": False,
            "reason": None,
            "supersedes": None,
            "author": person(who),
            "created_at": self.archive.custody.now(),
        }

    def put(self, session: Session, who: Principal, record: Record) -> AssessmentEntry:
        """Write a version; the log is locked."""
        row, kind = entry_row(record), kind_of(record)
        details: dict[str, JsonValue] = {
            "entry": row.id,
            "thread": row.thread_id,
            "kind": kind,
            "number": row.number,
            "provision": row.provision_id,
            "part": part_of(record),
            "withdrawn": record.withdrawn,
            "outputs": [output(ROLES[kind], row.record, entry=row.id)],
        }
        if isinstance(record, ElementLinkRecord):
            details["direction"] = record.direction
        what: EventType = "link" if kind == "link" else "annotation"
        self.archive.custody.record(
            session, f"incident:{record.incident}", what, who.actor, details=details, rows=[row]
        )
        return row

    def own(self, who: Principal, thread: str) -> AssessmentEntry:
        """The newest version of an entry of the actor's own.

        Raises:
            NotFoundError: `unknown_entry`.
            DeniedError: `not_own_entry`: others state their own beside it; it is recorded.
            ConflictError: `entry_withdrawn`.
        """
        row = self.entry(who, thread, WRITE)
        if row.author_id != who.user_id:
            self.access.record_denial(who.actor, f"incident:{row.incident_id}", "change of somebody else's entry")
            raise DeniedError("not_own_entry", "only its author can change or withdraw it; state your own beside it")
        return row

    def withdraw(self, who: Principal, thread: str, reason: str) -> AssessmentEntry:
        """Take an entry back: a further version, which stays on record and is shown as withdrawn. Nothing is deleted.

        Raises:
            NotFoundError: `unknown_entry`.
            DeniedError: `not_allowed`, `not_own_entry`.
            ConflictError: `entry_withdrawn`.
            InvalidInputError: `reason_required`, `text_too_long`, `bad_text`.
        """
        row, because = self.own(who, thread), parse_reason(reason)
        custody = self.archive.custody
        with self.archive.db.write() as session:
            custody.lock(session)
            before = must_stand(session, row.thread_id)
            changed = {**following(before), "withdrawn": True, "reason": because}
            changed |= {"author": person(who), "created_at": custody.now()}
            return self.put(session, who, entry_record(before).model_copy(update=changed))


def cited(provision: Provision) -> CitedProvision:
    """A provision as records cite it."""
    return CitedProvision(
        id=provision.id,
        instrument=provision.instrument,
        article=provision.article,
        confidence=provision.confidence,
        verified_scope=provision.verified_scope,
    )


def cited_element(provision: Provision, element_id: str) -> CitedElement:
    """An element as records cite it.

    Raises:
        NotFoundError: `unknown_element`.
    """
    found: Element | None = element_of(provision, element_id)
    if found is None:
        raise NotFoundError("unknown_element", f"{provision.id} has no element {element_id[:64]!r}")
    return CitedElement(id=found.id, text=found.text)


def newest_of(session: Session, thread: str) -> AssessmentEntry | None:
    """The newest version of a thread."""
    versions = select(AssessmentEntry).where(AssessmentEntry.thread_id == thread)
    return session.exec(versions.order_by(col(AssessmentEntry.number).desc()).limit(1)).one_or_none()


def must_stand(session: Session, thread: str) -> AssessmentEntry:
    """The newest version of a thread that was not withdrawn.

    Raises:
        ConflictError: `entry_withdrawn`.
    """
    found = newest_of(session, thread)
    if found is None or entry_record(found).withdrawn:
        raise ConflictError("entry_withdrawn", "it was withdrawn, and stays so: make a new one")
    return found


def following(before: AssessmentEntry) -> dict[str, Any]:
    """The fields by which a version follows another one."""
    return {
        "thread": before.thread_id,
        "entry": str(uuid.uuid4()),
        "number": before.number + 1,
        "supersedes": digest(before),
    }


def own_thread(lines: Iterable[Line], who: Principal) -> AssessmentEntry | None:
    """The newest version of what the actor stated before, withdrawn or not."""
    mine = [line.row for line in lines if line.newest and line.row.author_id == who.user_id]
    return mine[-1] if mine else None
