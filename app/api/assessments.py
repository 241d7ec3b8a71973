"""Links to elements, states, panels, assessments, four eyes over them, and the element matrix of an incident."""

from __future__ import annotations

from fastapi import APIRouter

from app.access.rules import Action
from app.api.assessment_views import entry_review_shown, entry_shown, many_shown, version_shown
from app.api.deps import Serv, Who, known_id
from app.api.guards import Guard, GuardedRoute, needs, role_for
from app.api.incidents import IncidentRef
from app.assessment.desk import DECIDE, WRITE
from app.assessment.links import LinkGiven
from app.assessment.reviews import ReviewGiven
from schemas.api.assessment import (
    AssessmentCreate,
    ElementLinkChange,
    ElementLinkCreate,
    ElementLinksCreate,
    ElementStateCreate,
    EntryReviewCreate,
    EntryReviewsCreate,
    EntryReviewShown,
    EntryShown,
    EntryVersionShown,
    EntryWithdraw,
    ManyShown,
    PanelCreate,
)

router = APIRouter(tags=["assessments"], route_class=GuardedRoute)


def _on_incident(action: Action) -> Guard:
    return lambda services, who, request: services.assessments.desk.incident(
        who, request.path_params["incident"], action
    )


def _on_entry(action: Action) -> Guard:
    return lambda services, who, request: services.assessments.desk.entry(
        who, known_id(request.path_params["entry"], "entry"), action
    )


@router.post("/incidents/{incident}/element-links", status_code=201)
@needs(_on_incident(WRITE))
def create_element_link(incident: IncidentRef, body: ElementLinkCreate, who: Who, services: Serv) -> EntryVersionShown:
    """State that evidence speaks for or against an element: in which direction, with which weight, and why."""
    made = services.assessments.links.add(who, incident, LinkGiven(**body.model_dump()))
    return version_shown(services.assessments.line(made))


@router.post("/incidents/{incident}/element-links/bulk")
@needs(_on_incident(WRITE))
def create_element_links(incident: IncidentRef, body: ElementLinksCreate, who: Who, services: Serv) -> ManyShown:
    """Many links, each by itself: what is refused is told in its place and stops no other."""
    given = [LinkGiven(**one.model_dump()) for one in body.links]
    return many_shown(services.assessments.links.add_many(who, incident, given))


@router.post("/incidents/{incident}/element-states", status_code=201)
@needs(_on_incident(WRITE))
def state_element(incident: IncidentRef, body: ElementStateCreate, who: Who, services: Serv) -> EntryVersionShown:
    """State where an element stands; yours stands beside what others state."""
    judgements = services.assessments.judgements
    made = judgements.state(who, incident, body.provision, body.element, body.state, body.reasoning)
    return version_shown(services.assessments.line(made))


@router.post("/incidents/{incident}/panels", status_code=201)
@needs(_on_incident(WRITE))
def answer_panel(incident: IncidentRef, body: PanelCreate, who: Who, services: Serv) -> EntryVersionShown:
    """Answer what contradicts, or what may have ended protection; or record a search that found nothing."""
    judgements = services.assessments.judgements
    made = judgements.answer(who, incident, body.provision, body.panel, body.answer, body.text, body.searches)
    return version_shown(services.assessments.line(made))


@router.post("/incidents/{incident}/assessments", status_code=201)
@needs(_on_incident(DECIDE))
def assess_provision(incident: IncidentRef, body: AssessmentCreate, who: Who, services: Serv) -> EntryVersionShown:
    """State whether a standard is reached; refused while a mandatory panel has no answer."""
    made = services.assessments.judgements.assess(
        who, incident, body.provision, body.standard, body.outcome, body.reasoning, body.applicability
    )
    return version_shown(services.assessments.line(made))


@router.get("/assessment-entries/{entry}")
def show_assessment_entry(entry: str, who: Who, services: Serv) -> EntryShown:
    """A link, state, answer or assessment in all its versions with their reviews; by the id of it or of a version."""
    return entry_shown(services.assessments.entry(who, known_id(entry, "entry")))


@router.post("/assessment-entries/{entry}/versions", status_code=201)
@needs(_on_entry(WRITE))
def change_element_link(entry: str, body: ElementLinkChange, who: Who, services: Serv) -> EntryVersionShown:
    """State a link of your own anew; the version before stays on record, and its reviews do not carry over."""
    given = LinkGiven(**body.model_dump(exclude={"reason"}))
    made = services.assessments.links.change(who, known_id(entry, "entry"), given, body.reason)
    return version_shown(services.assessments.line(made))


@router.post("/assessment-entries/{entry}/withdrawal", status_code=201)
@needs(_on_entry(WRITE))
def withdraw_entry(entry: str, body: EntryWithdraw, who: Who, services: Serv) -> EntryVersionShown:
    """Take an entry of your own back; it stays on record and in the matrix, marked as withdrawn."""
    made = services.assessments.desk.withdraw(who, known_id(entry, "entry"), body.reason)
    return version_shown(services.assessments.line(made))


@router.post("/assessment-entries/{entry}/review", status_code=201)
@needs(_on_entry(DECIDE))
def review_entry(entry: str, body: EntryReviewCreate, who: Who, services: Serv) -> EntryReviewShown:
    """Approve or reject the newest version of somebody else's entry, by that version's id."""
    reviews = services.assessments.reviews
    return entry_review_shown(reviews.review(who, known_id(entry, "entry"), body.decision, body.comment))


@router.post("/assessment-entries/reviews")
@needs(role_for(DECIDE))
def review_entries(body: EntryReviewsCreate, who: Who, services: Serv) -> ManyShown:
    """Many decisions, each by itself and under the same rules as one; what is refused stops no other."""
    given = [ReviewGiven(one.entry, one.decision, one.comment) for one in body.reviews]
    return many_shown(services.assessments.reviews.review_many(who, given))
