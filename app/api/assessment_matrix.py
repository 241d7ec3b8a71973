"""The element matrix of an incident over HTTP: JSON, HTML or CSV. No parameter leaves out a direction."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from typing import Annotated, Final

from fastapi import APIRouter, Header, Query, Response

from app.api.deps import Serv, Spoken, Who
from app.api.described import sent_as
from app.api.incidents import IncidentRef
from app.assessment.printed import STYLE, matrix_html
from app.assessment.shown import Shown
from app.assessment.tabular import COLUMNS, matrix_csv
from app.strings import DEFAULT, Language
from schemas.api.assessment import MatrixShown

router = APIRouter(tags=["assessments"])

JSON, HTML, CSV = "application/json", "text/html", "text/csv"
_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
_INERT: Final = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
}
_WEIGHT = re.compile(r"q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)", re.ASCII)
Provisions = Annotated[
    list[str] | None,
    Query(max_length=200, description="These only; what speaks against others is listed nevertheless."),
]


@router.get(
    "/incidents/{incident}/matrix",
    response_model=MatrixShown,
    responses={200: {"content": {HTML: {"schema": {"type": "string"}}, CSV: {"schema": {"type": "string"}}}}},
)
def show_matrix(
    incident: IncidentRef,
    who: Who,
    services: Serv,
    spoken: Spoken,
    provision: Provisions = None,
    accept: Annotated[str | None, Header(max_length=1_000, description="JSON unless HTML or CSV is preferred.")] = None,
) -> Response:
    """Each element with what supports and what contradicts it, panels, assessments, gaps, tasks, and every denial."""
    return _sent(services.assessments.matrix(who, incident, provision or []), preferred(accept), spoken)


@router.get("/incidents/{incident}/matrix.json", response_model=MatrixShown)
def show_matrix_json(incident: IncidentRef, who: Who, services: Serv, provision: Provisions = None) -> Response:
    """The matrix as JSON."""
    return _sent(services.assessments.matrix(who, incident, provision or []), JSON)


@router.get(
    "/incidents/{incident}/matrix.html",
    response_class=Response,
    responses=sent_as(HTML, "One file to read and print.", "<!doctype html>..."),
)
def show_matrix_html(
    incident: IncidentRef, who: Who, services: Serv, spoken: Spoken, provision: Provisions = None
) -> Response:
    """The matrix to read and print: both sides side by side, with the words around it in English or Ukrainian."""
    return _sent(services.assessments.matrix(who, incident, provision or []), HTML, spoken)


@router.get(
    "/incidents/{incident}/matrix.csv",
    response_class=Response,
    responses=sent_as(CSV, "One row for each thing that the matrix says.", ",".join(COLUMNS)),
)
def show_matrix_csv(incident: IncidentRef, who: Who, services: Serv, provision: Provisions = None) -> Response:
    """The matrix as a table, guarded against formulas."""
    return _sent(services.assessments.matrix(who, incident, provision or []), CSV)


def preferred(accept: str | None) -> str:
    """The media type that an Accept field wants most (RFC 9110, section 12.5.1); JSON where it is not decided."""
    best, most = JSON, 0.0
    for part in (accept or "").lower().split(","):
        name, *parameters = (piece.strip() for piece in part.split(";"))
        found = next((match for one in parameters if (match := _WEIGHT.fullmatch(one))), None)
        weight = 1.0 if found is None else float(found[1])
        if name in {JSON, HTML, CSV} and weight > most:
            best, most = name, weight
    return best


def _sent(document: Shown, media_type: str, language: Language = DEFAULT) -> Response:
    headers = {"Vary": "Accept, Accept-Language"}
    if media_type == HTML:
        text, headers = matrix_html(document, language), {**headers, **_INERT, "Content-Language": language}
    else:
        text = matrix_csv(document) if media_type == CSV else json.dumps(document, ensure_ascii=False)
    return Response(text.encode("utf-8", "replace"), media_type=media_type, headers=headers)
