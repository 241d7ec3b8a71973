"""Incidents as shapes, timelines and pictures; everything is drawn here, and nothing asks another host."""

from __future__ import annotations

import json
from typing import Annotated

from fastapi import APIRouter, Query, Response

from app.api.deps import PageCursor, PageLimit, Serv, Spoken, Who, case_for
from app.api.described import sent_as
from app.strings import Language
from schemas.api.shapes import FEATURES_EXAMPLE, TimelineShown

router = APIRouter(tags=["shapes"])
MaybeCase = Annotated[str | None, Query(max_length=64, description="Of this case only.", examples=["T1"])]
CaseRef = Annotated[str, Query(max_length=64, description="Id or reference of the case.", examples=["T1"])]
RuleRef = Annotated[str, Query(max_length=220, description="An inclusion rule: NAME or NAME@NUMBER.")]
MaybeRule = Annotated[str | None, Query(max_length=220, description="What it includes only; else all of the case.")]
Lang = Annotated[Language | None, Query(description="Of the labels; as `language`.")]
SVG, KML, CSV, HTML = "image/svg+xml", "application/vnd.google-earth.kml+xml", "text/csv", "text/html"


@router.get(
    "/incidents.geojson",
    response_class=Response,
    responses=sent_as("application/geo+json", "A feature collection (RFC 7946).", FEATURES_EXAMPLE),
)
def incident_features(
    who: Who, services: Serv, cursor: PageCursor, case: MaybeCase = None, limit: PageLimit = 500
) -> Response:
    """Incidents with their precision as geometry: a circle, or none; never a bare point. A page at a time."""
    found = None if case is None else case_for(services, who, case, "incident.read")
    made = services.drawings.features(who, found, cursor=cursor, limit=limit)
    written = json.dumps(made, ensure_ascii=False, separators=(",", ":"))  # no model: a page holds 30,000 numbers
    return Response(written, media_type="application/geo+json")


@router.get("/incidents.kml", response_class=Response, responses=sent_as(KML, "A KML 2.2 document.", "<kml/>"))
def incidents_kml(case: CaseRef, who: Who, services: Serv) -> Response:
    """All incidents of a case as KML 2.2, each with its time span and, where there is one, its polygon."""
    found = case_for(services, who, case, "incident.read")
    return Response(services.drawings.file(who, found, "kml"), media_type=KML)


@router.get("/incidents.csv", response_class=Response, responses=sent_as(CSV, "RFC 4180, UTF-8.", "id,ref,version"))
def incidents_csv(case: CaseRef, who: Who, services: Serv) -> Response:
    """All incidents of a case as a table, with uncertainty and basis beside every place."""
    found = case_for(services, who, case, "incident.read")
    return Response(services.drawings.file(who, found, "csv"), media_type=f"{CSV}; charset=utf-8")


@router.get("/incidents/timeline")
def incident_timeline(
    who: Who, services: Serv, cursor: PageCursor, case: MaybeCase = None, limit: PageLimit = 500
) -> TimelineShown:
    """Incidents by day, as intervals with their precision; those without a date apart. Each page is in order."""
    found = None if case is None else case_for(services, who, case, "incident.read")
    return TimelineShown.model_validate(services.drawings.timeline(who, found, cursor=cursor, limit=limit))


@router.get("/patterns/months.svg", response_class=Response, responses=sent_as(SVG, "A picture.", "<svg/>"))
def months_picture(
    case: CaseRef, rule: RuleRef, who: Who, services: Serv, spoken: Spoken, lang: Lang = None
) -> Response:
    """Counts by month as bars: what is sure, and framed what could be at most."""
    found = case_for(services, who, case, "incident.read")
    said = lang or spoken
    return Response(services.drawings.months(who, found, rule, said), media_type=SVG, headers=_in(said))


@router.get("/patterns/map.svg", response_class=Response, responses=sent_as(SVG, "A picture.", "<svg/>"))
def map_picture(
    case: CaseRef, who: Who, services: Serv, spoken: Spoken, rule: MaybeRule = None, lang: Lang = None
) -> Response:
    """Incidents on an outline of land, each as the circle within which it lies."""
    found = case_for(services, who, case, "incident.read")
    said = lang or spoken
    return Response(services.drawings.map(who, found, rule, said), media_type=SVG, headers=_in(said))


@router.get("/patterns/page.html", response_class=Response, responses=sent_as(HTML, "A page.", "<!doctype html>"))
def pictures_page(
    case: CaseRef, rule: RuleRef, who: Who, services: Serv, spoken: Spoken, lang: Lang = None
) -> Response:
    """Both pictures with the same as tables, for print and for whoever cannot see pictures."""
    found = case_for(services, who, case, "incident.read")
    said = lang or spoken
    return Response(
        services.drawings.page(who, found, rule, said), media_type=f"{HTML}; charset=utf-8", headers=_in(said)
    )


def _in(language: Language) -> dict[str, str]:
    return {"Content-Language": language, "Vary": "Accept-Language"}
