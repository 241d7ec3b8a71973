"""Incidents, claims about them, files of incidents, and what an incident may bear on."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Path, Query, Response
from pydantic import JsonValue

from app.api.deps import PageCursor, PageLimit, Serv, Who, case_for
from app.api.described import sent_as
from app.api.guards import Guard, GuardedRoute, needs
from app.api.incident_views import claim_shown, incident_shown, incident_summary
from app.incidents.dossier import take_apart
from app.incidents.double_tap import Limits, as_json
from app.incidents.facts import Scope
from app.law.suggestions_applicability import parse_days
from schemas.api.incidents import (
    FILE_EXAMPLE,
    INCIDENT_ID,
    ClaimCreate,
    ClaimShown,
    DoubleTaps,
    ImportShown,
    IncidentCreate,
    IncidentList,
    IncidentRevise,
    IncidentShown,
    SuggestionsShown,
)

router = APIRouter(tags=["incidents"], route_class=GuardedRoute)
IncidentRef = Annotated[str, Path(description="Id, or the id for people.", max_length=200, examples=[INCIDENT_ID])]
CaseRef = Annotated[str, Query(max_length=64, description="Id or reference of the case.", examples=["T1"])]


def _in_case() -> Guard:
    return lambda services, who, request: case_for(
        services, who, request.query_params.get("case", ""), "incident.write"
    )


def _on_incident() -> Guard:
    return lambda services, who, request: services.incidents.permitted(
        who, request.path_params["incident"], "incident.write"
    )


@router.post("/incidents", status_code=201)
@needs(_in_case())
def add_incident(case: CaseRef, body: IncidentCreate, who: Who, services: Serv, response: Response) -> IncidentShown:
    """Enter an incident in a case."""
    found = case_for(services, who, case, "incident.write")
    made = services.incidents.add(who, found, body.ref, body.body)
    response.headers["Location"] = f"/api/v1/incidents/{made.entry.id}"
    return incident_shown(made, [], services.incidents.unresolved(made))


@router.post("/incidents/import")
@needs(_in_case())
def import_incidents(
    case: CaseRef,
    body: Annotated[
        dict[str, JsonValue], Body(description="A file of incidents; see docs/incidents.md.", examples=[FILE_EXAMPLE])
    ],
    who: Who,
    services: Serv,
    update: Annotated[str | None, Query(max_length=2000, description="Why what differs is stated anew.")] = None,
) -> ImportShown:
    """Import a file: once however often it is sent. What the archive states otherwise is told and left alone.

    Ids that lead nowhere and dates that are not understood are taken in and told under `warnings`.
    """
    found = case_for(services, who, case, "incident.write")
    done = services.incident_files.take_in(who, found, take_apart(body), update)
    return ImportShown.model_validate(done.as_json())


@router.get("/incidents")
def list_incidents(
    who: Who,
    services: Serv,
    cursor: PageCursor,
    case: Annotated[str | None, Query(max_length=64, description="Of this case only.")] = None,
    limit: PageLimit = 50,
) -> IncidentList:
    """Incidents that you may read, by case and in the order in which they were entered."""
    case_id = None if case is None else case_for(services, who, case, "incident.read").id
    page = services.incidents.list_incidents(who, case_id, cursor=cursor, limit=limit)
    return IncidentList(incidents=[incident_summary(view) for view in page.incidents], cursor=page.cursor)


@router.get(
    "/incidents/export",
    response_class=Response,
    responses=sent_as("application/json", "The file.", {**FILE_EXAMPLE}),
)
def export_incidents(
    case: CaseRef,
    who: Who,
    services: Serv,
    incident: Annotated[list[str] | None, Query(max_length=100, description="These only; else all.")] = None,
) -> Response:
    """A file of the case's incidents, in the shape that imports take; denials always go along. It is recorded."""
    found = case_for(services, who, case, "export.create")
    return Response(services.incident_files.give_out(who, found, incident or []), media_type="application/json")


@router.get("/incidents/double-taps")
def list_double_taps(
    case: CaseRef,
    who: Who,
    services: Serv,
    minutes: Annotated[float, Query(gt=0, le=1_000_000, description="Triage limit, no law.")] = 60,
    metres: Annotated[float, Query(gt=0, le=1_000_000, description="Triage limit, no law.")] = 300,
) -> DoubleTaps:
    """Pairs of strikes that lie, or may lie, within the limits: with the gaps that uncertainty allows. Triage only."""
    found = case_for(services, who, case, "incident.read")
    pairs, more = services.incidents.double_taps(who, found, Limits(minutes, metres))
    return DoubleTaps.model_validate({"pairs": [as_json(pair) for pair in pairs], "more": more})


@router.get("/incidents/{incident}")
def show_incident(
    incident: IncidentRef,
    who: Who,
    services: Serv,
    personal: Annotated[bool, Query(description="With the names of persons; the read is recorded.")] = False,  # noqa: FBT002
) -> IncidentShown:
    """An incident in its newest version with every claim about it, for and against."""
    found = services.incidents.get(who, incident, personal=personal)
    claims, warnings = services.incidents.claims(who, found.entry.id), services.incidents.unresolved(found)
    return incident_shown(found, claims, warnings, personal=personal)


@router.get("/incidents/{incident}/versions")
def list_incident_versions(incident: IncidentRef, who: Who, services: Serv) -> list[IncidentShown]:
    """Every version, oldest first."""
    return [incident_shown(view, []) for view in services.incidents.history(who, incident)]


@router.post("/incidents/{incident}/versions", status_code=201)
@needs(_on_incident())
def revise_incident(incident: IncidentRef, body: IncidentRevise, who: Who, services: Serv) -> IncidentShown:
    """State an incident anew; earlier versions stay."""
    made = services.incidents.revise(who, incident, body.body, body.reason, body.version)
    claims, warnings = services.incidents.claims(who, made.entry.id), services.incidents.unresolved(made)
    return incident_shown(made, claims, warnings)


@router.post("/incidents/{incident}/claims", status_code=201)
@needs(_on_incident())
def add_claim(incident: IncidentRef, body: ClaimCreate, who: Who, services: Serv) -> ClaimShown:
    """Record who says what of it; the claim stands beside all others, whatever they say."""
    given = body.model_dump(mode="json", exclude_none=True)
    return claim_shown(services.incidents.claim(who, incident, given), stands=True)


@router.get("/incidents/{incident}/suggestions")
def show_suggestions(
    incident: IncidentRef,
    who: Who,
    services: Serv,
    without: Annotated[list[str] | None, Query(max_length=100, description="Rules that are switched off.")] = None,
    date: Annotated[str | None, Query(max_length=30, description="Instead of what the incident says.")] = None,
    target: Annotated[str | None, Query(max_length=100, description="Asked of this target alone.")] = None,
    strike: Annotated[int | None, Query(ge=1, le=1_000, description="Asked of this strike alone.")] = None,
) -> SuggestionsShown:
    """Which provisions it may bear on, by rules that show their reasons; drafts, see docs/suggestions.md."""
    days = None if date is None else parse_days(date)
    told = services.suggestions.of(who, incident, without or [], days=days, scope=Scope(strike, target))
    return SuggestionsShown.model_validate(told)
