"""Statements, aggregates, organisations and observations."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from app.api.deps import PageCursor, PageLimit, Serv, Who, case_for
from app.api.guards import Guard, GuardedRoute, needs
from app.api.verification_views import entry_shown
from schemas.api.verification import ENTRY_ID, EntryCreate, EntryList, EntryRevise, EntryShown

router = APIRouter(tags=["incidents"], route_class=GuardedRoute)
EntryRef = Annotated[str, Path(description="Id, or the id for people.", max_length=200, examples=[ENTRY_ID])]
CaseRef = Annotated[str, Query(max_length=64, description="Id or reference of the case.", examples=["T1"])]
Personal = Annotated[bool, Query(description="With personal data; the read is recorded.")]


def _in_case() -> Guard:
    return lambda services, who, request: case_for(
        services, who, request.query_params.get("case", ""), "incident.write"
    )


def _on_entry() -> Guard:
    return lambda services, who, request: services.entries.permitted(
        who, request.path_params["entry"], "incident.write"
    )


@router.post("/entries", status_code=201)
@needs(_in_case())
def add_entry(case: CaseRef, body: EntryCreate, who: Who, services: Serv, response: Response) -> EntryShown:
    """Enter a statement, an aggregate, an organisation or an observation in a case."""
    found = case_for(services, who, case, "incident.write")
    made = services.entries.add(who, found, body.kind, body.ref, body.body)
    response.headers["Location"] = f"/api/v1/entries/{made.entry.id}"
    return entry_shown(made)


@router.get("/entries")
def list_entries(
    who: Who,
    services: Serv,
    cursor: PageCursor,
    case: Annotated[str | None, Query(max_length=64, description="Of this case only.")] = None,
    kind: Annotated[str | None, Query(max_length=20, description="Of this kind only.")] = None,
    limit: PageLimit = 50,
) -> EntryList:
    """What your cases hold beside incidents, by case and in the order in which it was entered."""
    case_id = None if case is None else case_for(services, who, case, "incident.read").id
    page = services.entries.list_entries(who, case_id, kind, cursor=cursor, limit=limit)
    return EntryList(entries=[entry_shown(view) for view in page.entries], cursor=page.cursor)


@router.get("/entries/{entry}")
def show_entry(entry: EntryRef, who: Who, services: Serv, personal: Personal = False) -> EntryShown:  # noqa: FBT002
    """An entry in its newest version."""
    return entry_shown(services.entries.get(who, entry, personal=personal), personal=personal)


@router.get("/entries/{entry}/versions")
def list_entry_versions(entry: EntryRef, who: Who, services: Serv) -> list[EntryShown]:
    """Every version, oldest first."""
    return [entry_shown(view) for view in services.entries.history(who, entry)]


@router.post("/entries/{entry}/versions", status_code=201)
@needs(_on_entry())
def revise_entry(entry: EntryRef, body: EntryRevise, who: Who, services: Serv) -> EntryShown:
    """State an entry anew; earlier versions stay."""
    return entry_shown(services.entries.revise(who, entry, body.body, body.reason, body.version))
