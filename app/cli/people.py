"""`catena users`, `tokens`."""

from __future__ import annotations

from typing import Any

import click

from app.access.models import Token, User
from app.access.rules import ROLES
from app.cli.common import Context, command_options, table
from app.config import GIB
from app.intake.quotas import MOST_BYTES, Usage


@click.group()
def users() -> None:
    """Who may work with the archive."""


@users.command("add")
@command_options
@click.argument("name")
@click.option("--role", type=click.Choice(ROLES), required=True)
@click.option("--display-name", default="")
def users_add(context: Context, name: str, role: str, display_name: str) -> None:
    """Add a user, with a first token."""
    access, who = context.services.access, context.who
    access.require(who, "user.manage")
    user = access.create_user(who.actor, name, role, display_name)
    token, text = access.create_token(who.actor, name, "first token")
    document = _user(user) | {"token": text, "token_expires_at": token.expires_at}
    context.show(document, f"{user.name} ({user.role}); access token (shown once): {text}")


@users.command("list")
@command_options
def users_list(context: Context) -> None:
    """All users."""
    context.services.access.require(context.who, "user.manage")
    found = context.services.access.list_users()
    usages = context.services.quotas.usages()
    rows = [
        [user.name, user.role, user.display_name, _taken(usages[user.id]), user.disabled_at or ""] for user in found
    ]
    shown = [_user(user) | {"quota": _quota(usages[user.id])} for user in found]
    context.show({"users": shown}, lambda: table(rows, ["name", "role", "shown as", "deposited", "disabled"]))


@users.command("disable")
@command_options
@click.argument("name")
def users_disable(context: Context, name: str) -> None:
    """End a user's access."""
    context.services.access.require(context.who, "user.manage")
    user = context.services.access.disable_user(context.who.actor, name)
    context.show(_user(user), f"{user.name} is disabled since {user.disabled_at}")


@users.command("quota")
@command_options
@click.argument("name")
@click.option("--bytes", "size", type=click.IntRange(0, MOST_BYTES), default=None, help="May deposit so many bytes.")
@click.option("--gib", type=click.IntRange(0, MOST_BYTES // GIB), default=None, help="The same in GiB.")
@click.option("--none", "unlimited", is_flag=True, help="May deposit without limit.")
def users_quota(context: Context, name: str, size: int | None, gib: int | None, unlimited: bool) -> None:
    """How much a user has deposited and may; with an option, decide it."""
    quotas, given = context.services.quotas, [size is not None, gib is not None, unlimited]
    if sum(given) > 1:
        raise click.UsageError("one of --bytes, --gib and --none, not several")
    if any(given):
        usage = quotas.decide(context.who, name, None if unlimited else size if gib is None else gib * GIB)
    else:
        usage = quotas.usage_named(context.who, name)
    context.show(_quota(usage), f"{name}: {_taken(usage)}")


def _quota(usage: Usage) -> dict[str, Any]:
    return {
        "items": usage.items,
        "bytes": usage.bytes,
        "promised": usage.promised,
        "max_bytes": usage.limit,
        "decided": usage.decided,
    }


def _taken(usage: Usage) -> str:
    limit = "no limit" if usage.limit is None else f"{usage.limit} bytes"
    return f"{usage.taken} bytes of {limit}"


def _user(user: User) -> dict[str, Any]:
    return user.model_dump(include={"id", "name", "display_name", "role", "created_at", "disabled_at"})


@click.group()
def tokens() -> None:
    """Access tokens."""


@tokens.command("create")
@command_options
@click.argument("user")
@click.option("--label", default="")
@click.option("--days", type=click.IntRange(1, 3650), default=None)
def tokens_create(context: Context, user: str, label: str, days: int | None) -> None:
    """Make a token; it is shown once."""
    context.services.access.require(context.who, "token.manage")
    token, text = context.services.access.create_token(context.who.actor, user, label, days)
    document = _token(token) | {"token": text}
    context.show(document, f"{text}\nfor {user}, until {token.expires_at}")


@tokens.command("list")
@command_options
@click.option("--user", default=None)
def tokens_list(context: Context, user: str | None) -> None:
    """Tokens, without their secrets."""
    context.services.access.require(context.who, "token.manage")
    found = context.services.access.list_tokens(user)
    rows = [[token.id, token.label, token.expires_at, token.revoked_at or ""] for token in found]
    context.show({"tokens": [_token(t) for t in found]}, lambda: table(rows, ["id", "label", "expires", "revoked"]))


@tokens.command("revoke")
@command_options
@click.argument("token_id", metavar="ID")
def tokens_revoke(context: Context, token_id: str) -> None:
    """End a token at once."""
    context.services.access.require(context.who, "token.manage")
    token = context.services.access.revoke_token(context.who.actor, token_id)
    context.show(_token(token), f"revoked at {token.revoked_at}")


def _token(token: Token) -> dict[str, Any]:
    return token.model_dump(include={"id", "user_id", "label", "created_at", "expires_at", "revoked_at"})


COMMANDS = (users, tokens)
