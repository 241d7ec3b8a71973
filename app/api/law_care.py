"""Versions, sign-offs and applicability of the catalogue; changes of the suggestion rules."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import JsonValue
from starlette.concurrency import run_in_threadpool

from app.api.deps import Serv, Who
from app.api.described import sent_as
from app.api.guards import GuardedRoute, needs, role_for
from app.errors import InvalidInputError
from app.law.rule_care import Switch, as_json
from app.law.rules_in_force import Change
from app.law.suggestions_applicability import Days, parse_days
from schemas.api.law_care import (
    ApplicabilityList,
    ApplicabilityShown,
    CatalogueImported,
    CatalogueVersions,
    CatalogueVersionShown,
    RuleChangeCreate,
    RuleChanges,
    RuleChangeShown,
    RuleReviewCreate,
    RulesShown,
    SignoffCreate,
    SignoffList,
)
from schemas.records.v1.law_care import ProvisionSignoffRecord

router = APIRouter(tags=["law"], route_class=GuardedRoute)
ProvisionId = Annotated[str, Path(max_length=64)]
Reason = Annotated[str, Query(max_length=8000, description="Why.", examples=["Corrected by the legal team"])]
Version = Annotated[int | None, Query(ge=1, le=1_000_000, description="Of the catalogue; else the newest.")]
Conflict = Annotated[str | None, Query(max_length=20, description="iac or niac.", examples=["iac"])]
Party = Annotated[str | None, Query(max_length=40, description="Who acted.", examples=["rf_forces"])]
Day = Annotated[str | None, Query(max_length=30, description="A day, or two with a slash.", examples=["2025-07-06"])]
Territory = Annotated[str | None, Query(max_length=80, description="State on whose territory.", examples=["Ukraine"])]


def _file(example: JsonValue) -> dict[str, Any]:
    content = {"application/json": {"schema": {"examples": [example]}}}
    return {"requestBody": {"required": True, "description": "The file, byte for byte.", "content": content}}


@router.get("/provisions/versions")
def list_catalogue_versions(who: Who, services: Serv) -> CatalogueVersions:
    """Every version of the catalogue, with who brought it and why."""
    found = services.catalogue_care.versions(who)
    return CatalogueVersions(versions=[CatalogueVersionShown.model_validate(one) for one in found])


@router.get(
    "/provisions/export",
    response_class=Response,
    responses=sent_as("application/json", "The file, byte for byte.", {"id": "ap1-art62"}),
)
def export_catalogue(who: Who, services: Serv, version: Version = None) -> Response:
    """The very bytes of a version of the catalogue."""
    return Response(services.catalogue_care.give_out(who, version), media_type="application/json")


@router.post("/provisions/import", status_code=201, openapi_extra=_file([{"id": "ap1-art62"}]))
@needs(role_for("law.manage"))
async def import_catalogue(reason: Reason, who: Who, services: Serv, request: Request) -> CatalogueImported:
    """Bring a catalogue file as a further version; links keep theirs."""
    data = await request.body()
    done = await run_in_threadpool(services.catalogue_care.take_in, who, data, reason)
    return CatalogueImported.model_validate(done)


@router.get("/provisions/applicability")
def list_applicability(
    who: Who,
    services: Serv,
    conflict_type: Conflict = None,
    actor: Party = None,
    date: Day = None,
    territory: Territory = None,
) -> ApplicabilityList:
    """What the status data say of the application of every provision: yes, no or unknown, with the facts."""
    facts, days = _known(conflict_type, actor), _days(date)
    found = services.catalogue_care.applicability(who, None, facts, days, territory)
    return ApplicabilityList(provisions=[ApplicabilityShown.model_validate(one) for one in found])


@router.get("/provisions/{provision}/applicability")
def show_applicability(
    provision: ProvisionId,
    who: Who,
    services: Serv,
    conflict_type: Conflict = None,
    actor: Party = None,
    date: Day = None,
    territory: Territory = None,
) -> ApplicabilityShown:
    """What the status data say of the application of one provision."""
    facts, days = _known(conflict_type, actor), _days(date)
    (found,) = services.catalogue_care.applicability(who, provision, facts, days, territory)
    return ApplicabilityShown.model_validate(found)


@router.get("/provisions/{provision}/signoffs")
def list_signoffs(provision: ProvisionId, who: Who, services: Serv) -> SignoffList:
    """Every sign-off of an entry and every withdrawal, in all versions."""
    return SignoffList(provision=provision, signoffs=services.catalogue_care.history(who, provision))


@router.post("/provisions/{provision}/signoffs", status_code=201)
@needs(role_for("law.sign"))
def sign_provision(provision: ProvisionId, body: SignoffCreate, who: Who, services: Serv) -> ProvisionSignoffRecord:
    """Sign an entry off in exactly one version, as a lawyer with a name; or withdraw it."""
    return services.catalogue_care.sign(who, provision, body.decision, body.scope, body.version)


@router.get("/rules")
def show_rules(who: Who, services: Serv) -> RulesShown:
    """The suggestion rules in force: version, thresholds, what is off, and the changes that hold."""
    services.access.require(who, "law.read")
    return RulesShown.model_validate(as_json(services.rule_care.in_force()))


@router.get(
    "/rules/file",
    response_class=Response,
    responses=sent_as("application/json", "The file, byte for byte.", {"version": "0.1"}),
)
def rule_file(who: Who, services: Serv) -> Response:
    """The rule file in force, byte for byte."""
    return Response(services.rule_care.file(who), media_type="application/json")


@router.post("/rules/import", status_code=201, openapi_extra=_file({"version": "0.2"}))
@needs(role_for("law.sign"))
async def import_rules(reason: Reason, who: Who, services: Serv, request: Request) -> RuleChangeShown:
    """Bring another rule file; it holds once a second lawyer has confirmed it."""
    data = await request.body()
    return _shown(await run_in_threadpool(services.rule_care.change, who, Switch(data=data), reason))


@router.get("/rules/changes")
def list_rule_changes(who: Who, services: Serv) -> RuleChanges:
    """Every change of the rules, with its reason and where it stands."""
    return RuleChanges(changes=[_shown(one) for one in services.rule_care.changes(who)])


@router.post("/rules/changes", status_code=201)
@needs(role_for("law.sign"))
def change_rules(body: RuleChangeCreate, who: Who, services: Serv) -> RuleChangeShown:
    """Switch a rule on or off, or set a threshold. It holds at once, marked as unconfirmed; suggestions say so."""
    switch = body.rule is not None and body.on is not None and body.threshold is None and body.value is None
    limit = body.threshold is not None and body.rule is None and body.on is None
    if not switch and not limit:
        raise InvalidInputError("bad_rule_change", "name a rule with on, or a threshold with value")
    asked = Switch(body.rule, body.on, body.threshold, body.value)
    return _shown(services.rule_care.change(who, asked, body.reason))


@router.post("/rules/changes/{number}/review", status_code=201)
@needs(role_for("law.sign"))
def review_rule_change(
    number: Annotated[int, Path(ge=1, le=1_000_000)], body: RuleReviewCreate, who: Who, services: Serv
) -> RuleChangeShown:
    """Confirm or refuse a change that another lawyer made."""
    return _shown(services.rule_care.review(who, number, body.decision, body.comment))


def _shown(change: Change) -> RuleChangeShown:
    return RuleChangeShown.model_validate(change.as_json())


def _known(conflict_type: str | None, actor: str | None) -> dict[str, JsonValue]:
    return {name: value for name, value in (("conflict_type", conflict_type), ("actor", actor)) if value is not None}


def _days(text: str | None) -> Days | None:
    return None if text is None else parse_days(text)
