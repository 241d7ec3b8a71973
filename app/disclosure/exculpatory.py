"""What speaks against and would not be in a bundle: links, findings of people, rejections, dissent, denials.

A bundle that leaves such things out is no lie only when it says so. The exporter is told before anything is signed, and
his reason stands in the log, in the register and in the signed manifest.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import cast

from sqlmodel import Session, col, select

from app.assessment.groups import Sorting
from app.assessment.ledger import Ledger
from app.assessment.models import AssessmentEntry
from app.assessment.records import Record
from app.assessment.rules import side_of
from app.disclosure.rules import Decision
from app.errors import ConflictError
from app.evidence.models import Item
from app.incidents.models import IncidentEntry, IncidentVersion
from app.incidents.statement_kinds import Against
from app.incidents.store import entries_of, speaking_against
from app.law.models import ProvisionLink
from app.law.versions import Catalogues
from app.review.models import LinkReview
from app.review.rules import standing
from app.verification.named import named_in
from app.verification.rules import standing as standing_of
from app.verification.store import about_any
from evidence_store.bundle.shapes import UUID
from evidence_store.canonical import JsonInput

LINK, ELEMENT_LINK, REVIEW, DENIAL = "contradicting link", "contradicting element link", "rejecting review", "denial"
POSSIBLE_DENIAL, STATEMENT = "statement of unknown kind", "contradicting statement"
_KINDS: dict[Against, str] = {"kind not known": POSSIBLE_DENIAL, "contradicts": STATEMENT}
STATE, PANEL, ASSESSMENT = "contested or contradicted element", "answer to a panel", "assessment: not reached"
DISSENT = "dissent on a verification"
FINDINGS: dict[str, tuple[str, frozenset[str]]] = {
    STATE: ("state", frozenset({"contested", "contradicted"})),
    PANEL: ("answer", frozenset({"answered"})),
    ASSESSMENT: ("outcome", frozenset({"not_reached"})),
}
"""What people find that speaks against: in which field of a record, by which words; not a panel searched in vain."""
_UUID = re.compile(UUID.encode())
_TOLD = 10
_CHUNK = 500


@dataclass(frozen=True, slots=True)
class LeftOut:
    """One thing that speaks against and is not in the bundle.

    Attributes:
        kind: `LINK`, `ELEMENT_LINK`, `REVIEW`, `DENIAL` (in any version of the statement), `POSSIBLE_DENIAL`,
            `STATEMENT` (it says that it contradicts, or an attribution names it so); what people found of an element
            or provision (`STATE`, `PANEL`, `ASSESSMENT`); `DISSENT`, a rejection included.
        id: UUID of the link, the review, the statement, the version of an entry, the verification.
        about: the item, incident, statement or verification, `kind:id`.
    """

    kind: str
    id: str
    about: str

    def as_json(self) -> dict[str, JsonInput]:
        """For the register and interfaces."""
        return {"kind": self.kind, "id": self.id, "about": self.about}


def kind_of(why: Against) -> str:
    """What a statement is called that is left out, by why it would go along."""
    return _KINDS.get(why, DENIAL)


def left_out(
    session: Session,
    catalogues: Catalogues,
    cases: Iterable[str],
    decisions: Mapping[str, Decision],
    entries: frozenset[str] = frozenset(),
) -> list[LeftOut]:
    """What of the cases concerned speaks against and is not in the bundle.

    Args:
        session: an open unit of work.
        catalogues: tell the elements that take protection away from those that make a rule apply.
        cases: UUIDs.
        decisions: what becomes of each item of the bundle.
        entries: UUIDs of the entries of incidents that are in the bundle. What of them names an item of which something
            is withheld is withheld with it, and therefore left out, too.
    """
    found: list[LeftOut] = []
    held = frozenset(item for item, decision in decisions.items() if decision.parts)
    for case in cases:
        links = session.exec(
            select(ProvisionLink).join(Item, col(Item.id) == col(ProvisionLink.item_id)).where(Item.case_id == case)
        ).all()
        reviews = session.exec(
            select(LinkReview)
            .join(ProvisionLink, col(ProvisionLink.id) == col(LinkReview.link_id))
            .join(Item, col(Item.id) == col(ProvisionLink.item_id))
            .where(Item.case_id == case)
        ).all()
        by_link: dict[str, list[LinkReview]] = {}
        for review in reviews:
            by_link.setdefault(review.link_id, []).append(review)
        for link in links:
            decision = decisions.get(link.item_id)
            gone = decision is None or bool(decision.parts & {"item", "links"})
            if gone and link.direction == "contradicts":
                found.append(LeftOut(LINK, link.id, f"item:{link.item_id}"))
            if decision is not None and (gone or "reviews" in decision.parts):
                found += [
                    LeftOut(REVIEW, review.id, f"item:{link.item_id}")
                    for review in standing(link.author_id, by_link.get(link.id, []))
                    if review.decision == "reject"
                ]
        found += _entries(session, catalogues, case, entries, held)
        found += _statements(session, case, entries, held)
    found += _dissents(session, decisions, entries, withholding=bool(held))
    return sorted(found, key=lambda one: (one.kind, one.about, one.id))


def _statements(session: Session, case: str, entries: frozenset[str], held: frozenset[str]) -> Iterator[LeftOut]:
    kinds = {entry: kind_of(one.why) for entry, one in speaking_against(session, case).items()}
    against = named_in(session, case).against
    spoken = [entry.id for entry in entries_of(session, case, ["statement"]) if entry.id in against]
    kinds = dict.fromkeys(spoken, STATEMENT) | kinds
    naming = _naming(session, kinds.keys() & entries, held)
    for entry, kind in kinds.items():
        if entry not in entries or entry in naming:
            yield LeftOut(kind, entry, f"statement:{entry}")


def _naming(session: Session, entries: Iterable[str], items: frozenset[str]) -> set[str]:
    """Those of some entries that name one of these items in any version."""
    wanted, found = sorted(entries) if items else [], set[str]()
    named = {item.encode() for item in items}
    for start in range(0, len(wanted), _CHUNK):
        chosen = col(IncidentVersion.entry_id).in_(wanted[start : start + _CHUNK])
        for entry, record in session.exec(select(IncidentVersion.entry_id, IncidentVersion.record).where(chosen)):
            if not named.isdisjoint(_UUID.findall(record)):
                found.add(entry)
    return found


def _entries(
    session: Session, catalogues: Catalogues, case: str, entries: frozenset[str], held: frozenset[str]
) -> Iterator[LeftOut]:
    """Standing entries that speak against, of incidents that are not in the bundle; links from withheld items as well.

    Links against are the matrix's: what contradicts an element, and what supports one that takes protection away, by
    the catalogue that the link was made against or by the newest one.
    """
    sorting = Sorting(catalogues.current()[0], catalogues.version)
    incidents = session.exec(
        select(AssessmentEntry.incident_id)
        .join(IncidentEntry, col(IncidentEntry.id) == col(AssessmentEntry.incident_id))
        .where(IncidentEntry.case_id == case)
        .distinct()
    ).all()
    for incident in sorted(set(incidents) if held else set(incidents) - entries):  # else nothing of theirs is left out
        ledger = Ledger.read(session, incident)
        for line, record in ledger.links():
            if incident in entries and record.source.id not in held:
                continue
            if record.direction == "contradicts" or side_of(record.direction, *sorting.of_link(record)) == "against":
                yield LeftOut(ELEMENT_LINK, line.row.id, f"incident:{incident}")
        for line in ledger.lines if incident not in entries else ():
            kind = _finding_against(line.record) if line.stands else None
            if kind is not None:
                yield LeftOut(kind, line.row.id, f"incident:{incident}")


def _finding_against(record: Record) -> str | None:
    """The kind of what a person found, where it speaks against."""
    return next((kind for kind, (name, words) in FINDINGS.items() if getattr(record, name, None) in words), None)


def _dissents(
    session: Session, decisions: Mapping[str, Decision], entries: frozenset[str], *, withholding: bool
) -> Iterator[LeftOut]:
    """Verifications of what is in the bundle that are not in it themselves, and that somebody did not agree with.

    A bundle that withholds has none; any other one has those that are about nothing but what is in it.
    """
    here = {*decisions, *entries}
    for view in about_any(session, sorted(here)):
        if not withholding and {one.id for one in view.newest.subjects} <= here:
            continue
        if any(one.decision != "approve" for one in standing_of(view.versions, view.reviews)):
            yield LeftOut(DISSENT, view.row.id, f"verification:{view.row.id}")


def counts(found: Iterable[LeftOut]) -> dict[str, JsonInput]:
    """How many of each kind."""
    return cast("dict[str, JsonInput]", dict(Counter(one.kind for one in found)))


def require_acknowledged(found: list[LeftOut], acknowledged: str) -> None:
    """Refuse while nobody has said why it is left out.

    Raises:
        ConflictError: `exculpatory_left_out`.
    """
    if not found or acknowledged.strip():
        return
    told = ", ".join(f"{one.kind} {one.id} ({one.about})" for one in found[:_TOLD])
    more = f" and {len(found) - _TOLD} more" if len(found) > _TOLD else ""
    raise ConflictError(
        "exculpatory_left_out",
        f"the bundle would leave out what speaks against: {told}{more}. Put it in, or acknowledge it with a reason, "
        "which stands in the bundle",
    )
