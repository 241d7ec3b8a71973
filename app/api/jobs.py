"""Background work over HTTP: the jobs about items that one may read, and trying again what was given up."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from app.api.deps import PageCursor, PageLimit, Serv, Who, known_id
from app.evidence.work import job_record
from schemas.api.base import ITEM_ID
from schemas.api.jobs import JobList, JobShown

router = APIRouter(prefix="/jobs", tags=["jobs"])
JobRef = Annotated[str, Path(max_length=100, description="Job id.", examples=["17"])]


@router.get("")
def list_jobs(
    who: Who,
    services: Serv,
    cursor: PageCursor,
    state: Annotated[str | None, Query(max_length=20, description="`ready`, `running`, `done` or `dead`.")] = None,
    item: Annotated[str | None, Query(max_length=100, description="Only about this item.", examples=[ITEM_ID])] = None,
    limit: PageLimit = 50,
) -> JobList:
    """Jobs about items that you may read, oldest first; admins see those about no item as well."""
    services.access.require_role(who, "item.read")
    about = None if item is None else services.evidence.find_item(who, known_id(item, "item"))[0].id
    page = services.work.find(who, state=state, item_id=about, cursor=cursor, limit=limit)
    return JobList(jobs=[JobShown.model_validate(job_record(job)) for job in page.jobs], cursor=page.cursor)


@router.get("/{job}")
def show_job(job: JobRef, who: Who, services: Serv) -> JobShown:
    """One job: its state, how far it has come, why it failed."""
    return JobShown.model_validate(job_record(services.work.get(who, job)))


@router.post("/{job}/retry")
def retry_job(job: JobRef, who: Who, services: Serv) -> JobShown:
    """Have a job that was given up tried again; recorded with the item. 409 `job_not_dead` for any other."""
    return JobShown.model_validate(job_record(services.work.retry(who, job)))
