"""What people state on top of links: where an element stands, answers to the mandatory panels, and assessments.

Each person states his own. Statements that differ stand side by side; none wins by being the last.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import JsonValue

from app.access.service import Principal
from app.assessment import rules
from app.assessment.desk import DECIDE, WRITE, Desk, cited_element, following, own_thread
from app.assessment.ledger import Ledger, Line
from app.assessment.models import AssessmentEntry
from app.errors import ConflictError
from app.incidents.models import IncidentEntry
from app.law.incident_suggestions import gathered
from app.law.rules import clean_text
from app.law.suggestions_applicability import Days, applies, packaged_status
from schemas.records.v1.assessment import (
    MAX_REASONING,
    AssessmentRecord,
    ElementStateRecord,
    PanelRecord,
    RestedOn,
)
from schemas.records.v1.provision import Provision


class Judgements:
    """States, panel answers and assessments of one archive."""

    def __init__(self, desk: Desk) -> None:
        """Bind to an archive."""
        self._desk = desk

    def state(
        self, who: Principal, name: str, provision_id: str, element_id: str, state: str, reasoning: str
    ) -> AssessmentEntry:
        """State where an element stands; a later statement of the same person supersedes his earlier one.

        Raises:
            NotFoundError: `unknown_incident`, `unknown_provision`, `unknown_element`.
            DeniedError: `not_allowed`.
            InvalidInputError: `bad_state`, `reasoning_required`, `text_too_long`, `bad_text`.
        """
        desk = self._desk
        incident = desk.incident(who, name, WRITE)
        provision, catalogue = desk.provision(provision_id)
        element = cited_element(provision, element_id)
        stated, reasons = rules.parse_choice(state, rules.STATES, "state"), rules.parse_reasoning(reasoning)
        with desk.archive.db.write() as session:
            desk.archive.custody.lock(session)
            earlier = Ledger.read(session, incident.id).of_kind("state", provision.id, element.id)
            fields = self._fields(who, incident, provision, earlier)
            record = ElementStateRecord(**fields, catalogue=catalogue, element=element, state=stated, reasoning=reasons)
            return desk.put(session, who, record)

    def answer(
        self,
        who: Principal,
        name: str,
        provision_id: str,
        panel: str,
        answer: str,
        text: str = "",
        searches: Sequence[object] = (),
    ) -> AssessmentEntry:
        """Answer a mandatory panel, or record that a search found nothing.

        Args:
            who: the author.
            name: of the incident.
            provision_id: id in the newest catalogue.
            panel: `contradicting` or `loss_of_protection`.
            answer: `answered` (with text) or `searched_none_found` (with searches).
            text: the answer, at most 8,000 characters.
            searches: `what`, `where`, `when`, `by` of each.

        Raises:
            NotFoundError: `unknown_incident`, `unknown_provision`.
            DeniedError: `not_allowed`.
            InvalidInputError: `bad_panel`, `bad_answer`, `bad_search`, `reasoning_required`, `search_required`,
                `panel_not_empty`, `text_too_long`, `bad_text`.
        """
        desk = self._desk
        incident = desk.incident(who, name, WRITE)
        provision, catalogue = desk.provision(provision_id)
        which = rules.parse_choice(panel, rules.PANELS, "panel")
        how = rules.parse_choice(answer, rules.ANSWERS, "answer")
        said, made = clean_text(text, MAX_REASONING, "answer"), rules.parse_searches(searches)
        with desk.archive.db.write() as session:
            desk.archive.custody.lock(session)  # what the panel holds now, it holds until the commit
            ledger = Ledger.read(session, incident.id)
            held = [line.row.id for line, _ in ledger.held(provision.id, which, desk.sorting())]
            rules.check_answer(how, said, made, held)
            fields = self._fields(who, incident, provision, ledger.of_kind("panel", provision.id, which))
            record = PanelRecord(
                **fields, catalogue=catalogue, panel=which, answer=how, text=said, searches=made, saw=tuple(held)
            )
            return desk.put(session, who, record)

    def assess(
        self,
        who: Principal,
        name: str,
        provision_id: str,
        standard: str,
        outcome: str,
        reasoning: str,
        applicability: str = "",
    ) -> AssessmentEntry:
        """State whether a standard is reached; only on both panels answered, and never one that belongs to a court.

        Args:
            who: the author; legal staff.
            name: of the incident.
            provision_id: id in the newest catalogue.
            standard: `reasonable_basis`, `reasonable_grounds` or `substantial_grounds`.
            outcome: `reached` or `not_reached`.
            reasoning: why, 1 to 8,000 characters.
            applicability: what the author says of the provision's application, beside what the status data say.

        Raises:
            NotFoundError: `unknown_incident`, `unknown_provision`.
            DeniedError: `not_allowed`, `court_only`.
            ConflictError: `panel_unanswered`, also where links came after the answer.
            InvalidInputError: `bad_standard`, `bad_outcome`, `reasoning_required`, `text_too_long`, `bad_text`.
        """
        desk = self._desk
        incident = desk.incident(who, name, DECIDE)
        provision, catalogue = desk.provision(provision_id)
        level = rules.parse_standard(standard)
        reached, reasons = rules.parse_choice(outcome, rules.OUTCOMES, "outcome"), rules.parse_reasoning(reasoning)
        own_words = clean_text(applicability, MAX_REASONING, "applicability")
        application = {**self.application(who, incident, provision), "statement": own_words}
        with desk.archive.db.write() as session:
            desk.archive.custody.lock(session)  # what it rests on now, it rests on when it is recorded
            ledger = Ledger.read(session, incident.id)
            require_panels(desk, ledger, provision.id)
            fields = self._fields(who, incident, provision, ledger.of_kind("assessment", provision.id))
            record = AssessmentRecord(
                **fields,
                catalogue=catalogue,
                standard=level,
                outcome=reached,
                reasoning=reasons,
                applicability=application,
                rests_on=tuple(rested_on(ledger, provision.id)),
            )
            return desk.put(session, who, record)

    def application(self, who: Principal, incident: IncidentEntry, provision: Provision) -> dict[str, JsonValue]:
        """What the status data say of a provision's application to an incident; it decides nothing."""
        found = self._desk.incidents.assessed(who, incident.id)
        days = None if found.days is None else Days(*found.days)
        told = applies(provision, gathered(found.facts.stated), days, packaged_status(), type_decided=False)
        return {"status_data": told.shown, "stops": told.stops, "as_of": packaged_status().as_of}

    def _fields(
        self, who: Principal, incident: IncidentEntry, provision: Provision, earlier: Sequence[Line]
    ) -> dict[str, Any]:
        before = own_thread(earlier, who)
        return {**self._desk.fields(who, incident, provision), **({} if before is None else following(before))}


def require_panels(desk: Desk, ledger: Ledger, provision: str) -> None:
    """Refuse while a mandatory panel has no answer that covers all that it holds.

    Raises:
        ConflictError: `panel_unanswered`.
    """
    sorting = desk.sorting()
    for panel in rules.PANELS:
        standing = ledger.panel(provision, panel, sorting)
        if standing in {"unanswered", "outdated"}:
            why = "has no answer" if standing == "unanswered" else "holds links that came after its answer"
            raise ConflictError("panel_unanswered", f"the panel {panel!r} {why}: answer it, or record a search")


def rested_on(ledger: Ledger, provision: str) -> list[RestedOn]:
    """What lies before whoever assesses a provision: all that stands, for and against."""
    return [
        RestedOn.model_validate({"kind": line.row.kind, "entry": line.row.id, "sha256": line.sha256})
        for line in ledger.basis(provision)
    ]
