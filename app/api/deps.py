"""What endpoints are handed: the services and the actor, whom the gate has authenticated."""

from __future__ import annotations

import re
from typing import Annotated, Any

from fastapi import Depends, Header, Path, Query, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from app.access.rules import Action
from app.access.service import Principal
from app.api.services import Services
from app.errors import InvalidInputError, NotFoundError, UnauthenticatedError
from app.evidence.models import Case
from app.strings import Language, preferred
from evidence_store.bundle.shapes import is_uuid
from schemas.api.base import ITEM_ID
from schemas.api.problem import MEDIA_TYPE, Problem

_bearer = HTTPBearer(auto_error=False, description="`Authorization: Bearer catena_...`")
_CASE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_CURSOR = re.compile(r"[A-Za-z0-9:.~_-]{1,200}", re.ASCII)


def _problems(description: str) -> dict[str, Any]:
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {"model": Problem, "description": description, "content": content}


PROBLEMS: dict[int | str, dict[str, Any]] = {
    "4XX": _problems("A problem document (RFC 9457); `code` says which."),
    "5XX": _problems("A problem document; 503 `busy` and `database_busy` come with Retry-After, 507 is a full disk."),
}


def services_of(request: Request) -> Services:
    """The services of the application."""
    services: Services = request.app.state.services
    return services


def principal_of(
    request: Request, _: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)] = None
) -> Principal:
    """The actor, as authenticated by the gate.

    Raises:
        UnauthenticatedError: the address was listed as public and is not; closed is the safe side.
    """
    who = request.scope["state"].get("principal")
    if not isinstance(who, Principal):
        raise UnauthenticatedError
    return who


Serv = Annotated[Services, Depends(services_of)]
Who = Annotated[Principal, Depends(principal_of)]


def _checked_cursor(cursor: Annotated[str | None, Query(max_length=200)] = None) -> str | None:
    if cursor is not None and not _CURSOR.fullmatch(cursor):
        raise InvalidInputError("bad_cursor", "this cursor was not made by this service")
    return cursor


PageCursor = Annotated[str | None, Depends(_checked_cursor)]
PageLimit = Annotated[int, Query(ge=1, le=500, description="At most so many on a page.")]


def _spoken(
    language: Annotated[
        Language | None, Query(description="Of the words around it; else Accept-Language decides.")
    ] = None,
    accept_language: Annotated[str | None, Header(alias="Accept-Language", max_length=1_000, examples=["uk"])] = None,
) -> Language:
    return language or preferred(accept_language)


Spoken = Annotated[Language, Depends(_spoken)]
ItemRef = Annotated[str, Path(description="Item id.", examples=[ITEM_ID])]


def known_id(text: str, what: str) -> str:
    """A UUID in the one spelling that the archive writes.

    Raises:
        NotFoundError: `unknown_...` for anything else: there can be no such thing.
    """
    if not is_uuid(text):
        raise NotFoundError(f"unknown_{what}", f"there is no such {what}")
    return text


def readable_case(services: Services, who: Principal, ref: str) -> Case:
    """A case that the actor may read, by reference or id.

    Raises:
        NotFoundError: `unknown_case`.
        DeniedError: `not_allowed`.
    """
    return services.evidence.find_case(who, checked_ref(ref))


def case_for(services: Services, who: Principal, ref: str, action: Action) -> Case:
    """A case in which the actor may do something.

    Raises:
        NotFoundError: `unknown_case`.
        DeniedError: `not_allowed`; the attempt is recorded.
    """
    return services.evidence.case_for(who, checked_ref(ref), action)


def checked_ref(ref: str) -> str:
    """A case reference or id that could exist.

    Raises:
        NotFoundError: `unknown_case`.
    """
    if not _CASE.fullmatch(ref):
        raise NotFoundError("unknown_case", "there is no such case, or you are not a member of it")
    return ref
