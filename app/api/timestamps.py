"""Time stamps: how far they have come, and the tokens themselves."""

from __future__ import annotations

import hashlib
from typing import Annotated

from cryptography.hazmat.primitives.serialization import Encoding
from fastapi import APIRouter, Query, Response

from app.access.service import Principal
from app.api.deps import Serv, Who, known_id
from app.api.described import sent_as
from app.api.services import Services
from app.api.views import stamp_full
from app.errors import NotFoundError
from app.timestamps.authorities import public_url
from app.timestamps.rules import DONE, FAILED, PENDING, is_subject
from schemas.api.timestamps import AuthorityList, AuthorityShown, AuthorityUnusable, StampList

router = APIRouter(prefix="/timestamps", tags=["timestamps"])
TOKEN_TYPE = "application/vnd.etsi.timestamp-token"  # noqa: S105 - a media type (ETSI EN 319 162-1)
Subject = Annotated[
    str,
    Query(
        max_length=100,
        description="`checkpoint:SIZE`, `receipt:ITEM`, `bundle:EXPORT`, `audit:ID` or `release:ID`.",
        examples=["checkpoint:57"],
    ),
]


@router.get("")
def list_timestamps(subject: Subject, who: Who, services: Serv) -> StampList:
    """The time stamps that were asked for over one thing, by authority."""
    _require(services, who, subject)
    return StampList(subject=subject, timestamps=[stamp_full(one) for one in services.timestamps.states(subject)])


@router.get("/token", response_class=Response, responses=sent_as(TOKEN_TYPE, "The token, DER."))
def token(
    subject: Subject, tsa: Annotated[str, Query(max_length=64, examples=["example"])], who: Who, services: Serv
) -> Response:
    """One token, as `openssl ts -verify -token_in` reads it."""
    _require(services, who, subject)
    found = services.timestamps.tokens(subject).get(tsa)
    if found is None:
        raise NotFoundError("unknown_timestamp", "this authority has not stamped that, or not yet")
    return Response(found, media_type=TOKEN_TYPE)


@router.get("/authorities")
def list_authorities(who: Who, services: Serv) -> AuthorityList:
    """The authorities that are asked, and how much is done."""
    services.access.require(who, "log.read")
    found, counts = services.timestamps.configured.all(), services.timestamps.counts()
    return AuthorityList(
        authorities=[
            AuthorityShown(
                name=one.name,
                url=public_url(one.url),
                added_at=one.added_at,
                roots=[hashlib.sha256(root.public_bytes(Encoding.DER)).hexdigest() for root in one.trust.roots],
                pending=counts.get((one.name, PENDING), 0),
                done=counts.get((one.name, DONE), 0),
                failed=counts.get((one.name, FAILED), 0),
            )
            for one in found.usable
        ],
        unusable=[AuthorityUnusable(name=name, trouble=why.partition(":")[0]) for name, why in found.unusable.items()],
    )


def _require(services: Services, who: Principal, subject: str) -> None:
    """Who may know of a thing may know of its time stamps."""
    kind, _, name = subject.partition(":")
    if not is_subject(subject):
        raise NotFoundError("unknown_subject", "there is no such thing to be stamped")
    if kind == "checkpoint":
        services.access.require(who, "log.read")
    elif kind == "receipt":
        services.evidence.find_item(who, known_id(name, "item"), custody_only=True)
    elif kind == "bundle":
        services.exports.get(who, known_id(name, "export"))
    elif kind == "release":
        services.releases.require_known(who, known_id(name, "release"))
    else:
        services.audits.get(who, known_id(name, "audit"))
