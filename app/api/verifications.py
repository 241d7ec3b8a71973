"""Verification records: places, times, corroborations, translations, attributions, decisions; and their sign-off."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import HTMLResponse

from app.access.rules import Action
from app.api.deps import ItemRef, PageCursor, PageLimit, Serv, Spoken, Who, case_for, known_id
from app.api.entries import CaseRef, Personal
from app.api.guards import Guard, GuardedRoute, needs, role_for
from app.api.incidents import IncidentRef
from app.api.verification_views import summary_shown, verification_shown, versions_shown
from app.verification.page import record_page, status_page
from app.verification.reading import Wanted
from app.verification.service import Review
from schemas.api.incidents import ImportShown
from schemas.api.verification import (
    VERIFICATION_ID,
    ConflictList,
    ConflictShown,
    Decide,
    DecideMany,
    StatusShown,
    VerificationCreate,
    VerificationImport,
    VerificationList,
    VerificationRevise,
    VerificationShown,
    VerificationSummary,
    VerificationVersionShown,
)

router = APIRouter(tags=["verification"], route_class=GuardedRoute)
Ref = Annotated[str, Path(description="Id, or the id for people.", max_length=200, examples=[VERIFICATION_ID])]


def _in_case() -> Guard:
    return lambda services, who, request: case_for(
        services, who, request.query_params.get("case", ""), "incident.write"
    )


def _on_record(action: Action) -> Guard:
    return lambda services, who, request: services.verifications.permitted(
        who, request.path_params["verification"], action
    )


@router.post("/verifications", status_code=201)
@needs(_in_case())
def add_verification(
    case: CaseRef, body: VerificationCreate, who: Who, services: Serv, response: Response
) -> VerificationSummary:
    """Enter a record in a case; it is proposed until a second person signs it off."""
    found = case_for(services, who, case, "incident.write")
    made = services.verifications.add(who, found, body.kind, body.ref, body.body)
    response.headers["Location"] = f"/api/v1/verifications/{made.row.id}"
    return summary_shown(made, personal=True)


@router.post("/verifications/import")
@needs(_in_case())
def import_verifications(case: CaseRef, body: VerificationImport, who: Who, services: Serv) -> ImportShown:
    """Import records, all or none. Each is your own and proposed, whatever the file says of reviews."""
    found = case_for(services, who, case, "incident.write")
    done = services.verification_files.take_in(who, found, body.verifications)
    return ImportShown.model_validate(done.as_json())


@router.post("/verifications/reviews", status_code=201)
@needs(role_for("verification.review"))
def review_many(body: DecideMany, who: Who, services: Serv) -> list[VerificationSummary]:
    """Decide on records that others made: all of the list, or none of it."""
    given = [Review(one.verification, one.decision, one.version, one.comment) for one in body.reviews]
    return [summary_shown(view) for view in services.verifications.review_all(who, given)]


@router.get("/verifications")
def list_verifications(
    who: Who,
    services: Serv,
    cursor: PageCursor,
    case: Annotated[str | None, Query(max_length=64, description="Of this case only.")] = None,
    kind: Annotated[str | None, Query(max_length=20, description="Of this kind only.")] = None,
    subject: Annotated[str | None, Query(max_length=36, description="About the item or entry of this id.")] = None,
    limit: PageLimit = 50,
) -> VerificationList:
    """Records of your cases, by case and in the order in which they were entered."""
    case_id = None if case is None else case_for(services, who, case, "incident.read").id
    about = None if subject is None else known_id(subject, "subject")
    page = services.verified.list_records(who, Wanted(case_id, kind, about), cursor=cursor, limit=limit)
    return VerificationList(verifications=[summary_shown(view) for view in page.records], cursor=page.cursor)


@router.get("/verifications/{verification}")
def show_verification(verification: Ref, who: Who, services: Serv, personal: Personal = False) -> VerificationShown:  # noqa: FBT002
    """A record in its newest version with every review; the sun is computed again from the stored inputs."""
    view = services.verified.get(who, verification, personal=personal)
    return verification_shown(view, services.verified.repeat(view), personal=personal)


@router.get("/verifications/{verification}/print", response_class=HTMLResponse)
def print_verification(
    verification: Ref,
    who: Who,
    services: Serv,
    spoken: Spoken,
    personal: Personal = False,  # noqa: FBT002
) -> HTMLResponse:
    """A record as one page to be printed, in English or Ukrainian."""
    view = services.verified.get(who, verification, personal=personal)
    page = record_page(view, services.verified.repeat(view), spoken, personal=personal)
    return HTMLResponse(page, headers={"Content-Language": spoken})


@router.get("/verifications/{verification}/versions")
def list_verification_versions(
    verification: Ref,
    who: Who,
    services: Serv,
    personal: Personal = False,  # noqa: FBT002
) -> list[VerificationVersionShown]:
    """Every version, oldest first."""
    return versions_shown(services.verified.get(who, verification, personal=personal), personal=personal)


@router.post("/verifications/{verification}/versions", status_code=201)
@needs(_on_record("incident.write"))
def revise_verification(verification: Ref, body: VerificationRevise, who: Who, services: Serv) -> VerificationSummary:
    """State a record anew: earlier versions and their reviews stay, and it is proposed again."""
    made = services.verifications.revise(who, verification, body.body, body.reason, body.version)
    return summary_shown(made, personal=True)


@router.post("/verifications/{verification}/reviews", status_code=201)
@needs(_on_record("verification.review"))
def review_verification(verification: Ref, body: Decide, who: Who, services: Serv) -> VerificationSummary:
    """Approve or reject what somebody else made, or dissent from it."""
    given = Review(verification, body.decision, body.version, body.comment)
    return summary_shown(services.verifications.review(who, given))


@router.get("/items/{item}/status")
def show_item_status(item: ItemRef, who: Who, services: Serv) -> StatusShown:
    """Where an item stands: collected, located, time-fixed, corroborated, reviewed; with its history and dissent."""
    return StatusShown.model_validate(services.verified.status_of_item(who, known_id(item, "item")))


@router.get("/incidents/{incident}/status")
def show_incident_status(incident: IncidentRef, who: Who, services: Serv) -> StatusShown:
    """Where an incident stands: as of an item."""
    return StatusShown.model_validate(services.verified.status_of_incident(who, incident))


@router.get("/incidents/{incident}/status/print", response_class=HTMLResponse)
def print_incident_status(incident: IncidentRef, who: Who, services: Serv, spoken: Spoken) -> HTMLResponse:
    """Where an incident stands, as one page to be printed."""
    page = status_page(services.verified.status_of_incident(who, incident), spoken)
    return HTMLResponse(page, headers={"Content-Language": spoken})


@router.get("/incidents/{incident}/conflicts")
def list_conflicts(incident: IncidentRef, who: Who, services: Serv) -> ConflictList:
    """Facts on which sources differ, with every value, and which one a signed-off decision holds, if any."""
    found = services.verified.conflicts(who, incident)
    return ConflictList(conflicts=[ConflictShown.model_validate(one.as_json()) for one in found])
