"""Audits of the whole archive over HTTP: asked for here, made in the background, read here."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Response

from app.api.deps import PageCursor, PageLimit, Serv, Who, known_id
from app.api.described import sent_as
from app.api.files import INERT
from app.api.guards import GuardedRoute, needs, role_for
from app.api.paging import page_of
from app.audit.checks import Options
from app.errors import NotFoundError
from schemas.api.audits import AuditCreate, AuditLine, AuditList, AuditShown
from schemas.api.base import EVENT_ID
from schemas.records.v1.audit_report import AuditReport

router = APIRouter(prefix="/audits", tags=["audits"], route_class=GuardedRoute)
SEAL_TYPE = "application/pkcs7-signature"
AuditRef = Annotated[str, Path(description="Audit id.", examples=[EVENT_ID])]


@router.post("", status_code=202)
@needs(role_for("audit.run"))
def start_audit(who: Who, services: Serv, response: Response, body: AuditCreate | None = None) -> AuditShown:
    """Ask for an audit; a server or worker makes it. One at a time: 409 `audit_running` while one is made."""
    asked = body or AuditCreate()
    given = None if asked.checkpoint is None else asked.checkpoint.encode("utf-8", "surrogatepass")
    row = services.audits.start(who, Options(asked.sample, given, all_digests=asked.all_digests))
    response.headers["Location"] = f"/api/v1/audits/{row.id}"
    return AuditShown.model_validate(services.audits.get(who, row.id))


@router.get("")
def list_audits(who: Who, services: Serv, cursor: PageCursor, limit: PageLimit = 50) -> AuditList:
    """Audits that are under way, were given up or were made, newest first."""
    lines = [AuditLine.model_validate(row) for row in services.audits.list(who)]
    page, after = page_of(lines, lambda line: line.id, cursor, limit)
    return AuditList(audits=page, cursor=after)


@router.get("/{audit}")
def show_audit(audit: AuditRef, who: Who, services: Serv) -> AuditShown:
    """How far an audit has come; once it is done, its report."""
    return AuditShown.model_validate(services.audits.get(who, known_id(audit, "audit")))


@router.get(
    "/{audit}/report.json",
    response_class=Response,
    responses={200: {"model": AuditReport, "description": "The record, canonical JSON: the bytes that are sealed."}},
)
def audit_report(audit: AuditRef, who: Who, services: Serv) -> Response:
    """The report of a finished audit, byte for byte as it was sealed."""
    record = services.audits.files(who, known_id(audit, "audit")).record
    return Response(record, media_type="application/json", headers=_named(f"audit-{audit}.json"))


@router.get(
    "/{audit}/report.p7s", response_class=Response, responses=sent_as(SEAL_TYPE, "Detached CAdES signature (DER).")
)
def audit_seal(audit: AuditRef, who: Who, services: Serv) -> Response:
    """The seal over the report of a finished audit."""
    seal = services.audits.files(who, known_id(audit, "audit")).seal
    if seal is None:
        raise NotFoundError("audit_unsigned", "the report of this audit is not signed, or its seal is gone")
    return Response(seal, media_type=SEAL_TYPE, headers=_named(f"audit-{audit}.p7s"))


def _named(name: str) -> dict[str, str]:
    return {**INERT, "Content-Disposition": f'attachment; filename="{name}"'}
