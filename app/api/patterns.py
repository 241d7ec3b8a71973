"""Inclusion rules, counts under them, and frozen releases."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response

from app.access.rules import Action
from app.api.deps import Serv, Who, case_for
from app.api.described import sent_as
from app.api.guards import Guard, GuardedRoute, needs
from app.api.services import Services
from app.api.views import stamps_shown
from app.patterns.releases import ReleaseView, as_shown
from schemas.api.patterns import (
    CountsShown,
    ReleaseCreate,
    ReleaseDifferences,
    ReleaseList,
    ReleaseShown,
    ReleaseSummary,
    ReleaseVerified,
    RuleCreate,
    RuleList,
    RuleShown,
)

router = APIRouter(tags=["patterns"], route_class=GuardedRoute)
CaseRef = Annotated[str, Query(max_length=64, description="Id or reference of the case.", examples=["T1"])]
RuleRef = Annotated[str, Query(max_length=220, description="NAME, or NAME@NUMBER.", examples=["vehicles"])]
ReleaseRef = Annotated[str, Path(max_length=200, description="Its name, or its id.", examples=["82-incidents"])]


def _in_case(action: Action) -> Guard:
    return lambda services, who, request: case_for(services, who, request.query_params.get("case", ""), action)


@router.post("/patterns/rules", status_code=201)
@needs(_in_case("incident.write"))
def put_rule(case: CaseRef, body: RuleCreate, who: Who, services: Serv) -> RuleShown:
    """State an inclusion rule; with a reason, state it anew. Earlier versions stay."""
    found = case_for(services, who, case, "incident.write")
    made = services.patterns.put_rule(who, found, body.ref, body.body, body.reason)
    return RuleShown.model_validate(made.as_json())


@router.get("/patterns/rules")
def list_rules(case: CaseRef, who: Who, services: Serv) -> RuleList:
    """Every version of every inclusion rule of a case."""
    found = case_for(services, who, case, "incident.read")
    rules = services.patterns.rules(who, found)
    return RuleList(rules=[RuleShown.model_validate(one.as_json()) for one in rules])


@router.get("/patterns/counts")
def show_counts(case: CaseRef, rule: RuleRef, who: Who, services: Serv) -> CountsShown:
    """Count a case's incidents under a rule: sure, uncertain and unknown apart; counts by others stand beside."""
    found = case_for(services, who, case, "incident.read")
    return CountsShown.model_validate(services.patterns.count(who, found, rule))


@router.post("/releases", status_code=201)
@needs(_in_case("export.create"))
def freeze_release(case: CaseRef, body: ReleaseCreate, who: Who, services: Serv) -> ReleaseShown:
    """Freeze what a rule counts today: named, sealed, recorded, and never changed."""
    found = case_for(services, who, case, "export.create")
    made = services.releases.freeze(who, found, body.ref, body.rule, body.title)
    return _shown(services, made)


@router.get("/releases")
def list_releases(case: CaseRef, who: Who, services: Serv) -> ReleaseList:
    """The frozen releases of a case, oldest first."""
    found = case_for(services, who, case, "incident.read")
    return ReleaseList(releases=[summary(one) for one in services.releases.list_releases(who, found)])


@router.get("/releases/{release}")
def show_release(release: ReleaseRef, case: CaseRef, who: Who, services: Serv) -> ReleaseShown:
    """A release with its rule, its members and its numbers."""
    found = case_for(services, who, case, "incident.read")
    return _shown(services, services.releases.get(who, found, release))


@router.get(
    "/releases/{release}/statement.json",
    response_class=Response,
    responses=sent_as("application/json", "The sealed bytes.", {"type": "frozen release", "ref": "82-incidents"}),
)
def release_statement(release: ReleaseRef, case: CaseRef, who: Who, services: Serv) -> Response:
    """The sealed bytes of a release (RFC 8785), for whoever checks its seal."""
    found = case_for(services, who, case, "incident.read")
    return Response(services.releases.get(who, found, release).statement, media_type="application/json")


@router.get(
    "/releases/{release}/statement.p7s",
    response_class=Response,
    responses=sent_as("application/pkcs7-signature", "A detached CAdES signature (DER)."),
)
def release_seal(release: ReleaseRef, case: CaseRef, who: Who, services: Serv) -> Response:
    """The seal over the statement of a release: CAdES B-T with the time stamps that are there, else B-B."""
    found = case_for(services, who, case, "incident.read")
    seal = services.releases.stamped_seal(services.releases.get(who, found, release))
    return Response(seal, media_type="application/pkcs7-signature")


@router.get("/releases/{release}/verification")
def verify_release(release: ReleaseRef, case: CaseRef, who: Who, services: Serv) -> ReleaseVerified:
    """Count it again from the versions that it names; compare byte for byte; check the seal and the log."""
    found = case_for(services, who, case, "incident.read")
    return ReleaseVerified.model_validate(services.releases.verify(who, found, release).as_json())


@router.get("/releases/{release}/differences")
def release_differences(release: ReleaseRef, case: CaseRef, who: Who, services: Serv) -> ReleaseDifferences:
    """What is different today: each changed, added and gone member, and why."""
    found = case_for(services, who, case, "incident.read")
    return ReleaseDifferences.model_validate(services.releases.diff(who, found, release))


def _shown(services: Services, view: ReleaseView) -> ReleaseShown:
    stamps = [one.model_dump(mode="json") for one in stamps_shown(services.releases.stamps(view))]
    return ReleaseShown.model_validate({**as_shown(view), "timestamps": stamps})


def summary(view: ReleaseView) -> ReleaseSummary:
    """A release as lists show it."""
    record, numbers = view.record, view.record.numbers
    shown: dict[str, Any] = {
        **record.model_dump(include={"release", "ref", "title", "created_at"}),
        "included": numbers["included"],
        "unknown": numbers["unknown"],
        "author": record.author.name,
        "sha256": view.sha256,
    }
    return ReleaseSummary.model_validate(shown)
