"""Users and tokens; all of it is for admins, except to ask who one is."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from app.api.deps import PageCursor, PageLimit, Serv, Who, known_id
from app.api.guards import GuardedRoute, needs, role_for
from app.api.paging import page_of
from app.api.views import quota_shown, token_shown, user_shown
from schemas.api.users import (
    Me,
    QuotaDecide,
    QuotaShown,
    TokenCreate,
    TokenList,
    TokenMade,
    TokenShown,
    UserCreate,
    UserList,
    UserShown,
)

router = APIRouter(tags=["people"], route_class=GuardedRoute)
UserName = Annotated[str, Path(max_length=64, pattern=r"^[a-z0-9._-]+$", examples=["ana"])]


@router.get("/me")
def me(who: Who, services: Serv) -> Me:
    """Who your token speaks for."""
    return Me(id=who.user_id, name=who.name, role=who.role, archive=services.archive.identity.as_json())


@router.get("/me/quota")
def my_quota(who: Who, services: Serv) -> QuotaShown:
    """How much you have deposited, and may."""
    return quota_shown(services.quotas.usage(who.user_id))


@router.get("/users/{user}/quota")
def show_quota(user: UserName, who: Who, services: Serv) -> QuotaShown:
    """How much a user has deposited, and may."""
    return quota_shown(services.quotas.usage_named(who, user))


@router.put("/users/{user}/quota")
@needs(role_for("user.manage"))
def decide_quota(user: UserName, body: QuotaDecide, who: Who, services: Serv) -> QuotaShown:
    """Decide how much a user may deposit. What was deposited stays, whatever is decided."""
    return quota_shown(services.quotas.decide(who, user, body.max_bytes))


@router.get("/users")
def list_users(who: Who, services: Serv, cursor: PageCursor, limit: PageLimit = 50) -> UserList:
    """All users, oldest first."""
    services.access.require(who, "user.manage")
    page, after = page_of(services.access.list_users(), lambda user: user.id, cursor, limit)
    return UserList(users=[user_shown(user) for user in page], cursor=after)


@router.post("/users", status_code=201)
@needs(role_for("user.manage"))
def create_user(body: UserCreate, who: Who, services: Serv) -> UserShown:
    """Add a user."""
    services.access.require(who, "user.manage")
    return user_shown(services.access.create_user(who.actor, body.name, body.role, body.display_name))


@router.post("/users/{user}/disable")
@needs(role_for("user.manage"))
def disable_user(user: UserName, who: Who, services: Serv) -> UserShown:
    """End a user's access at once; what they did stays."""
    services.access.require(who, "user.manage")
    return user_shown(services.access.disable_user(who.actor, user))


@router.get("/tokens")
def list_tokens(
    who: Who,
    services: Serv,
    cursor: PageCursor,
    user: Annotated[str | None, Query(max_length=64, pattern=r"^[a-z0-9._-]+$")] = None,
    limit: PageLimit = 50,
) -> TokenList:
    """Tokens, without their secrets, oldest first."""
    services.access.require(who, "token.manage")
    page, after = page_of(services.access.list_tokens(user), lambda token: token.id, cursor, limit)
    return TokenList(tokens=[token_shown(token) for token in page], cursor=after)


@router.post("/tokens", status_code=201)
@needs(role_for("token.manage"))
def create_token(body: TokenCreate, who: Who, services: Serv, response: Response) -> TokenMade:
    """Make a token for a user; it is shown this once."""
    services.access.require(who, "token.manage")
    token, text = services.access.create_token(who.actor, body.user, body.label, body.days)
    response.headers["Cache-Control"] = "no-store"
    return TokenMade(**token_shown(token).model_dump(), token=text)


@router.delete("/tokens/{token}")
def revoke_token(token: str, who: Who, services: Serv) -> TokenShown:
    """End a token at once."""
    services.access.require(who, "token.manage")
    return token_shown(services.access.revoke_token(who.actor, known_id(token, "token")))
