"""Audits of the whole archive over HTTP."""

from __future__ import annotations

from fastapi import APIRouter, Response

from app.api.deps import Serv, Who, known_id
from app.api.guards import GuardedRoute, needs, role_for
from app.api.slots import AUDITS
from schemas.api.audits import AuditCreate, AuditReport

router = APIRouter(prefix="/audits", tags=["audits"], route_class=GuardedRoute)


@router.post("", status_code=201)
@needs(role_for("audit.run"))
async def run_audit(who: Who, services: Serv, response: Response, body: AuditCreate | None = None) -> AuditReport:
    """Check blobs, events, proofs, receipts and rows. The answer comes when it is done; it may take a while."""
    report = await AUDITS.run(services.audits.run, who, sample=None if body is None else body.sample)
    response.headers["Location"] = f"/api/v1/audits/{report['id']}"
    return AuditReport(**report)


@router.get("/{audit}")
def show_audit(audit: str, who: Who, services: Serv) -> AuditReport:
    """A past audit."""
    return AuditReport(**services.audits.get(who, known_id(audit, "audit")))
