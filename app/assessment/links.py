"""Links from evidence to elements as use-cases. Append-only: a change is a further version, so is a withdrawal."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlmodel import Session

from app.access.service import Principal
from app.assessment.desk import WRITE, Desk, cited_element, following, must_stand
from app.assessment.models import AssessmentEntry
from app.assessment.reviews import Done, check_number, each
from app.assessment.rules import DIRECTIONS, WEIGHTS, parse_choice, parse_reason, parse_reasoning, parse_segment
from app.errors import InvalidInputError, NotFoundError
from app.evidence.service import item_or_none
from app.incidents import store
from app.incidents.bodies import storable
from app.incidents.models import IncidentEntry
from app.incidents.records import claim_row
from schemas.records.v1.assessment import ElementLinkRecord, LinkSource

SOURCES = ("item", "claim", "statement")


@dataclass(frozen=True, slots=True)
class LinkGiven:
    """A link as its author gives it.

    Attributes:
        source: `item`, `claim` or `statement`.
        ref: UUID of the item; UUID or id for people of a claim of the incident; id for people of a statement.
        segment: of an item: seconds `12.5-19`, or pixels `x,y,width,height`; None for the whole.
        direction: supports, contradicts, neutral, excluded.
        weight: direct, circumstantial, background.
        reasoning: why, 1 to 8,000 characters.
        provision: id in the newest catalogue; `element` is one of its elements. A change has neither: they stay.
    """

    source: str
    ref: str
    direction: str
    weight: str
    reasoning: str
    segment: str | None = None
    provision: str = ""
    element: str = ""


class ElementLinks:
    """Links of one archive."""

    def __init__(self, desk: Desk) -> None:
        """Bind to an archive."""
        self._desk = desk

    def add(self, who: Principal, name: str, given: LinkGiven, case_id: str | None = None) -> AssessmentEntry:
        """State that evidence speaks for or against an element.

        Args:
            who: the author.
            name: UUID of the incident, or its id for people.
            given: the link.
            case_id: of this case only.

        Raises:
            NotFoundError: `unknown_incident`, `unknown_provision`, `unknown_element`, `unknown_item`, `unknown_claim`,
                `unknown_statement`.
            DeniedError: `not_allowed`.
            InvalidInputError: `bad_direction`, `bad_weight`, `bad_source`, `bad_segment`, `reasoning_required`,
                `text_too_long`, `bad_text`.
        """
        desk = self._desk
        incident = desk.incident(who, name, WRITE, case_id)
        provision, catalogue = desk.provision(given.provision)
        element = cited_element(provision, given.element)
        said = _said(given)
        custody = desk.archive.custody
        with desk.archive.db.write() as session:
            custody.lock(session)
            record = ElementLinkRecord(
                **desk.fields(who, incident, provision),
                **said,
                catalogue=catalogue,
                element=element,
                source=self._source(session, incident, given),
            )
            return desk.put(session, who, record)

    def add_many(self, who: Principal, name: str, given: Sequence[LinkGiven], case_id: str | None = None) -> list[Done]:
        """Make many links, each by itself: what is refused is told in its place and stops no other.

        Raises:
            NotFoundError: `unknown_incident`.
            DeniedError: `not_allowed`.
            InvalidInputError: `too_many` over 500.
        """
        incident = self._desk.incident(who, name, WRITE, case_id)
        check_number(given)
        return each(partial(self._add_id, who, incident.id, one) for one in given)

    def _add_id(self, who: Principal, incident_id: str, one: LinkGiven) -> str:
        return self.add(who, incident_id, one).id

    def change(self, who: Principal, thread: str, given: LinkGiven, reason: str) -> AssessmentEntry:
        """State a link of one's own anew; the version before stays on record, and reviews of it do not carry over.

        Args:
            who: its author.
            thread: UUID of the link.
            given: the link as it is now. Provision and element stay: moved away, it would be lost where it was. One
                that belongs elsewhere is withdrawn and made there.
            reason: why, 1 to 2,000 characters.

        Raises:
            NotFoundError: `unknown_entry`, and as `add`.
            DeniedError: `not_allowed`, `not_own_entry`.
            ConflictError: `entry_withdrawn`.
            InvalidInputError: `not_a_link`, `reason_required`, and as `add`.
        """
        desk = self._desk
        row = desk.own(who, thread)
        if row.kind != "link":
            raise InvalidInputError("not_a_link", f"this is a {row.kind}: state it anew")
        incident = desk.incident(who, row.incident_id, WRITE)
        provision, catalogue = desk.provision(row.provision_id)
        element, because = cited_element(provision, row.part), parse_reason(reason)
        said = _said(given)
        custody = desk.archive.custody
        with desk.archive.db.write() as session:
            custody.lock(session)
            before = must_stand(session, row.thread_id)
            record = ElementLinkRecord(
                **{**desk.fields(who, incident, provision), **following(before), "reason": because},
                **said,
                catalogue=catalogue,
                element=element,
                source=self._source(session, incident, given),
            )
            return desk.put(session, who, record)

    def _source(self, session: Session, incident: IncidentEntry, given: LinkGiven) -> LinkSource:
        if given.source not in SOURCES:
            raise InvalidInputError("bad_source", f"a source is one of {', '.join(SOURCES)}")
        segment = parse_segment(given.segment)
        if segment is not None and given.source != "item":
            raise InvalidInputError("bad_segment", "only an item has seconds or a region")
        ref = given.ref if storable(given.ref) else ""
        if given.source == "item":
            found = item_or_none(session, ref)
            if found is None or found[0].case_id != incident.case_id:
                raise NotFoundError("unknown_item", "the case has no such item")
            item, blob = found
            return LinkSource(kind="item", id=item.id, ref=item.original_name, sha256=blob.sha256, segment=segment)
        if given.source == "claim":
            claim = store.claim_of(session, incident.id, ref) or store.claim_named(session, incident.id, ref)
            if claim is None:
                raise NotFoundError("unknown_claim", "the incident has no such claim")
            sha256 = hashlib.sha256(claim_row(claim).record).hexdigest()
            return LinkSource(kind="claim", id=claim.claim, ref=claim.ref, sha256=sha256, segment=None)
        entry = store.entry_named(session, incident.case_id, "statement", ref)
        if entry is None:
            raise NotFoundError("unknown_statement", "the case has no such statement")
        (view,) = store.newest(session, [entry])
        return LinkSource(kind="statement", id=entry.id, ref=entry.ref, sha256=view.sha256, segment=None)


def _said(given: LinkGiven) -> dict[str, Any]:
    return {
        "direction": parse_choice(given.direction, DIRECTIONS, "direction"),
        "weight": parse_choice(given.weight, WEIGHTS, "weight"),
        "reasoning": parse_reasoning(given.reasoning),
    }
