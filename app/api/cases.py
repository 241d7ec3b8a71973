"""Cases and their members."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from starlette.responses import StreamingResponse

from app.analysis.case_table import MEDIA_TYPE, CaseTable, csv_lines
from app.api.deps import PageCursor, PageLimit, Serv, Who, case_for, readable_case
from app.api.described import sent_as
from app.api.fields import attachment
from app.api.guards import GuardedRoute, in_case, needs, role_for
from app.api.paging import page_of
from app.api.views import case_shown
from schemas.api.cases import CaseCreate, CaseList, CaseShown, MemberAdd, MemberShown

router = APIRouter(prefix="/cases", tags=["cases"], route_class=GuardedRoute)
UserName = Annotated[str, Path(max_length=64, pattern=r"^[a-z0-9._-]+$", examples=["ana"])]


@router.post("", status_code=201)
@needs(role_for("case.create"))
def create_case(body: CaseCreate, who: Who, services: Serv, response: Response) -> CaseShown:
    """Open a case. Who opens it is its first member."""
    case = services.evidence.create_case(who, body.ref, body.title)
    response.headers["Location"] = f"/api/v1/cases/{case.id}"
    return case_shown(case)


@router.get("")
def list_cases(who: Who, services: Serv, cursor: PageCursor, limit: PageLimit = 50) -> CaseList:
    """The cases that you may read, oldest first."""
    services.access.require_role(who, "case.read")
    page, after = page_of(services.evidence.list_cases(who), lambda case: case.id, cursor, limit)
    return CaseList(cases=[case_shown(case) for case in page], cursor=after)


@router.get("/{case}")
def show_case(case: str, who: Who, services: Serv) -> CaseShown:
    """A case by id or reference."""
    return case_shown(readable_case(services, who, case))


@router.get(
    "/{case}/metadata.csv",
    response_class=Response,
    responses=sent_as("text/csv", "One row for each item (RFC 4180, UTF-8, CR LF).", "item,case,original_name,...\r\n"),
)
def metadata_table(
    case: str,
    who: Who,
    services: Serv,
    *,
    bom: Annotated[bool, Query(description="Begin with a byte order mark, by which Excel knows UTF-8.")] = False,
) -> Response:
    """What the items of a case say of themselves, for spreadsheets; the read is recorded before the first row leaves.

    Cells that a spreadsheet would take for a formula begin with an apostrophe.
    """
    tables = CaseTable(services.archive, services.evidence)
    table = tables.open(who, readable_case(services, who, case).id)
    headers = {
        "Content-Type": MEDIA_TYPE,
        "Content-Disposition": attachment(f"{table.case.ref}-metadata.csv"),
        "Cache-Control": "private, no-store",
    }
    return StreamingResponse(csv_lines(tables.rows(who, table), bom=bom), headers=headers)


@router.post("/{case}/members", status_code=201)
@needs(in_case("case.manage"))
def add_member(case: str, body: MemberAdd, who: Who, services: Serv) -> MemberShown:
    """Let a user into a case."""
    found = case_for(services, who, case, "case.manage")
    member = services.access.add_member(who.actor, found.id, body.user)
    return MemberShown(case=found.id, user=body.user, user_id=member.user_id, added_at=member.added_at)


@router.delete("/{case}/members/{user}", status_code=204)
@needs(in_case("case.manage"))
def remove_member(case: str, user: UserName, who: Who, services: Serv) -> None:
    """End a user's membership; what they did stays."""
    found = case_for(services, who, case, "case.manage")
    services.access.remove_member(who.actor, found.id, user)
