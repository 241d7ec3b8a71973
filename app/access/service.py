"""Users, tokens and membership as use-cases: authorise, decide, write, record."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import time
import unicodedata
import uuid
from collections import Counter
from dataclasses import dataclass
from typing import Literal

from pydantic import JsonValue
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session, col, select

from app.access.denials import UserDenials
from app.access.models import CaseMember, Token, User
from app.access.rules import ROLES, Action, Role, can, role_allows
from app.archive import Archive
from app.clock import later
from app.errors import CatenaError, ConflictError, DeniedError, InvalidInputError, NotFoundError, UnauthenticatedError
from schemas.records.v1.event import Actor

TOKEN_PREFIX = "catena"  # noqa: S105 - a public prefix that secret scanners can look for
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}[a-z0-9]|[a-z0-9]")
SECONDS_A_DAY = 86_400


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated actor."""

    user_id: str
    name: str
    role: Role
    auth: Literal["token", "local operator"]

    @property
    def actor(self) -> Actor:
        """As custody events name it."""
        return Actor(id=self.user_id, name=self.name, auth=self.auth)


def principal_of(user: User, auth: Literal["token", "local operator"]) -> Principal:
    """A user as principal.

    Raises:
        UnauthenticatedError: `user_disabled`.
    """
    if user.disabled_at is not None or user.role not in ROLES:
        raise UnauthenticatedError("user_disabled", "this user is disabled")
    return Principal(user.id, user.name, user.role, auth)


class Access:
    """The use-cases of access to one archive."""

    def __init__(self, archive: Archive) -> None:
        """Bind to an archive."""
        self._archive = archive
        self.denials = UserDenials(time.monotonic)

    # -- who is there -------------------------------------------------------------------------

    def authenticate(self, bearer: str) -> Principal:
        """The principal of a bearer token.

        Raises:
            UnauthenticatedError: `token_invalid`, `token_expired`, `token_revoked`, `user_disabled`.
        """
        parts = bearer.split("_")
        if len(parts) != 3 or parts[0] != TOKEN_PREFIX:  # noqa: PLR2004 - prefix, id, secret
            raise UnauthenticatedError("token_invalid", "this token is not known")
        with self._archive.db.read() as session:
            token = session.get(Token, _uuid_text(parts[1]))
            digest = hashlib.sha256(parts[2].encode("utf-8", "surrogatepass")).hexdigest()
            if token is None or not hmac.compare_digest(token.secret_sha256, digest):
                raise UnauthenticatedError("token_invalid", "this token is not known")
            if token.revoked_at is not None:
                raise UnauthenticatedError("token_revoked", "this token was revoked")
            if token.expires_at <= self._archive.custody.now():
                raise UnauthenticatedError("token_expired", "this token has expired")
            return principal_of(session.get_one(User, token.user_id), "token")

    def local_operator(self, name: str | None = None) -> Principal:
        """The user that a command on this machine acts as: named, or the first admin.

        Raises:
            NotFoundError: `unknown_user`.
        """
        with self._archive.db.read() as session:
            if name is not None:
                return principal_of(find_user(session, name), "local operator")
            admins = select(User).where(User.role == "admin", col(User.disabled_at).is_(None))
            first = session.exec(admins.order_by(col(User.created_at)).limit(1)).one_or_none()
            if first is None:
                raise NotFoundError("unknown_user", "there is no admin yet")
            return principal_of(first, "local operator")

    def local_auditor(self, name: str | None = None) -> Principal:
        """Who audits on this machine: as `local_operator`, or nobody in particular.

        An audit must run above all when the users' rows were tampered with, be it so that they cannot be read.

        Raises:
            NotFoundError, UnauthenticatedError: the user that was named is not known, or is disabled.
        """
        try:
            return self.local_operator(name)
        except (NotFoundError, UnauthenticatedError):
            if name is not None:
                raise
        except (CatenaError, SQLAlchemyError, TypeError, ValueError):
            pass  # a value that the driver or the mapper cannot decode: the audit itself will name it
        return Principal("local", "local operator", "auditor", "local operator")

    # -- what they may do ---------------------------------------------------------------------

    def require(self, who: Principal, action: Action, case_id: str | None = None) -> None:
        """Let pass, or record the denied attempt and refuse. Never call it inside a unit of work.

        Raises:
            DeniedError: `not_allowed` when the role may not do this in a case it knows.
            NotFoundError: `unknown_case` when the actor may not even know of the case.
        """
        member = case_id is not None and self._is_member(who, case_id)
        if can(who.role, action, member=member):
            return
        self.record_denial(who.actor, f"case:{case_id}" if case_id else self._archive.about, action)
        if case_id is not None and not member and not can(who.role, "item.custody", member=False):
            raise NotFoundError("unknown_case", "there is no such case, or you are not a member of it")
        raise DeniedError("not_allowed", f"your role ({who.role}) may not do this: {action}")

    def require_role(self, who: Principal, action: Action) -> None:
        """Let pass whose role may do this in some case; the caller narrows it down to the actor's cases.

        Raises:
            DeniedError: `not_allowed`.
        """
        if not role_allows(who.role, action):
            self.record_denial(who.actor, self._archive.about, action)
            raise DeniedError("not_allowed", f"your role ({who.role}) may not do this: {action}")

    def record_denial(self, actor: Actor, about: str, attempted: str) -> None:
        """Write a denied attempt into the log, in a unit of work of its own; of too many, count it (see `denials`)."""
        left_out = self.denials.admit(actor, attempted)
        if left_out is not None:
            self._record_denial(actor, about, attempted, left_out)

    def tell_left_out(self) -> None:
        """Record how many denied attempts of each user no event has told of; an attendant calls it."""
        for actor in self.denials.untold():
            if left_out := self.denials.take(actor):
                self._record_denial(actor, self._archive.about, ", ".join(sorted(left_out)), left_out)

    def _record_denial(self, actor: Actor, about: str, attempted: str, left_out: Counter[str]) -> None:
        details: dict[str, JsonValue] = {"attempted": attempted}
        if left_out:
            details["left_out_before"] = left_out.total()
        try:
            with self._archive.db.write() as session:
                self._archive.custody.record(session, about, "access denied", actor, details=details)
        except BaseException:
            self.denials.put_back(actor, left_out)
            raise

    def visible_cases(self, who: Principal) -> list[str] | None:
        """Ids of the cases the actor may read; None means all."""
        if can(who.role, "case.read", member=False):
            return None
        with self._archive.db.read() as session:
            mine = select(CaseMember.case_id).where(
                CaseMember.user_id == who.user_id, col(CaseMember.removed_at).is_(None)
            )
            return list(session.exec(mine))

    def _is_member(self, who: Principal, case_id: str) -> bool:
        with self._archive.db.read() as session:
            return active_member(session, case_id, who.user_id) is not None

    # -- changes ------------------------------------------------------------------------------

    def create_user(self, by: Actor, name: str, role: str, display_name: str = "") -> User:
        """Add a user.

        Raises:
            InvalidInputError: `bad_user_name`, `unknown_role`.
            ConflictError: `user_exists`.
        """
        if not _NAME.fullmatch(name):
            raise InvalidInputError("bad_user_name", "a user name is 1 to 64 of a-z, 0-9, dot, dash, underscore")
        if role not in ROLES:
            raise InvalidInputError("unknown_role", f"roles are {', '.join(ROLES)}")
        shown = clean_line(display_name or name, 200, "display name")
        with self._archive.db.write() as session:
            if session.exec(select(User).where(User.name == name)).first() is not None:
                raise ConflictError("user_exists", f"there is already a user {name!r}")
            user = User(
                id=str(uuid.uuid4()), name=name, display_name=shown, role=role, created_at=self._archive.custody.now()
            )
            self._archive.custody.record(
                session, f"user:{user.id}", "user creation", by, details={"name": name, "role": role}, rows=[user]
            )
            return user

    def disable_user(self, by: Actor, name: str) -> User:
        """End a user's access; what they did stays.

        Raises:
            NotFoundError: `unknown_user`.
            ConflictError: `last_admin` - an archive without an admin could not be put right.
        """
        with self._archive.db.write() as session:
            user = find_user(session, name)
            if user.disabled_at is not None:
                return user
            admins = select(User).where(User.role == "admin", col(User.disabled_at).is_(None))
            if user.role == "admin" and len(session.exec(admins).all()) == 1:
                raise ConflictError("last_admin", "the last admin cannot be disabled")
            user.disabled_at = self._archive.custody.now()
            self._archive.custody.record(
                session, f"user:{user.id}", "user change", by, details={"disabled": True}, rows=[user]
            )
            return user

    def list_users(self) -> list[User]:
        """All users, oldest first."""
        with self._archive.db.read() as session:
            return list(session.exec(select(User).order_by(col(User.created_at))))

    def create_token(self, by: Actor, user_name: str, label: str = "", days: int | None = None) -> tuple[Token, str]:
        """Make a token; its text is returned once and stored nowhere.

        Raises:
            NotFoundError: `unknown_user`.
            InvalidInputError: `bad_expiry` unless 1 to 3650 days.
        """
        life = self._archive.settings.token_days if days is None else days
        if not 1 <= life <= 3650:  # noqa: PLR2004 - ten years
            raise InvalidInputError("bad_expiry", "a token lives 1 to 3650 days")
        secret = secrets.token_hex(32)
        now = self._archive.clock()
        with self._archive.db.write() as session:
            user = find_user(session, user_name)
            token = Token(
                id=str(uuid.uuid4()),
                user_id=user.id,
                secret_sha256=hashlib.sha256(secret.encode()).hexdigest(),
                label=clean_line(label, 100, "label"),
                created_at=later(now, 0),
                expires_at=later(now, life * SECONDS_A_DAY),
            )
            self._archive.custody.record(
                session,
                f"user:{user.id}",
                "token creation",
                by,
                details={"token": token.id, "label": token.label, "expires_at": token.expires_at},
                rows=[token],
            )
            return token, f"{TOKEN_PREFIX}_{token.id.replace('-', '')}_{secret}"

    def revoke_token(self, by: Actor, token_id: str) -> Token:
        """End a token at once.

        Raises:
            NotFoundError: `unknown_token`.
        """
        with self._archive.db.write() as session:
            token = session.get(Token, token_id)
            if token is None:
                raise NotFoundError("unknown_token", "there is no such token")
            if token.revoked_at is None:
                token.revoked_at = self._archive.custody.now()
                self._archive.custody.record(
                    session, f"user:{token.user_id}", "token revocation", by, details={"token": token.id}, rows=[token]
                )
            return token

    def list_tokens(self, user_name: str | None = None) -> list[Token]:
        """Tokens, without their secrets."""
        with self._archive.db.read() as session:
            statement = select(Token).order_by(col(Token.created_at))
            if user_name is not None:
                statement = statement.where(Token.user_id == find_user(session, user_name).id)
            return list(session.exec(statement))

    def add_member(self, by: Actor, case_id: str, user_name: str) -> CaseMember:
        """Let a user into a case.

        Raises:
            NotFoundError: `unknown_user`.
        """
        with self._archive.db.write() as session:
            user = find_user(session, user_name)
            return self.grant_in(session, by, case_id, user.id)

    def grant_in(self, session: Session, by: Actor, case_id: str, user_id: str) -> CaseMember:
        """Let a user into a case, inside the caller's unit of work."""
        known = session.exec(
            select(CaseMember).where(CaseMember.case_id == case_id, CaseMember.user_id == user_id)
        ).one_or_none()
        if known is not None and known.removed_at is None:
            return known
        member = known or CaseMember(
            id=str(uuid.uuid4()), case_id=case_id, user_id=user_id, added_at=self._archive.custody.now()
        )
        member.removed_at = None
        self._archive.custody.record(
            session, f"case:{case_id}", "access granted", by, details={"user": user_id}, rows=[member]
        )
        return member

    def remove_member(self, by: Actor, case_id: str, user_name: str) -> None:
        """End a user's membership of a case.

        Raises:
            NotFoundError: `unknown_user`, `not_a_member`.
        """
        with self._archive.db.write() as session:
            user = find_user(session, user_name)
            member = active_member(session, case_id, user.id)
            if member is None:
                raise NotFoundError("not_a_member", f"{user_name!r} is not a member of this case")
            member.removed_at = self._archive.custody.now()
            self._archive.custody.record(
                session, f"case:{case_id}", "access revoked", by, details={"user": user.id}, rows=[member]
            )


def active_member(session: Session, case_id: str, user_id: str) -> CaseMember | None:
    """The membership, if it is in force."""
    statement = select(CaseMember).where(
        CaseMember.case_id == case_id, CaseMember.user_id == user_id, col(CaseMember.removed_at).is_(None)
    )
    return session.exec(statement).one_or_none()


def find_user(session: Session, name: str) -> User:
    """A user by name.

    Raises:
        NotFoundError: `unknown_user`.
    """
    known = _NAME.fullmatch(name) and session.exec(select(User).where(User.name == name)).one_or_none()
    if not known:
        raise NotFoundError("unknown_user", f"there is no user {name[:64]!r}")
    return known


def clean_line(text: str, limit: int, what: str) -> str:
    """One line of printable text.

    Raises:
        InvalidInputError: `bad_text` for control characters, surrogates or over the limit.
    """
    if len(text) > limit:
        raise InvalidInputError("text_too_long", f"the {what} may have {limit} characters; this has {len(text)}")
    if any(unicodedata.category(c) in {"Cc", "Cs"} for c in text):
        raise InvalidInputError("bad_text", f"the {what} holds a control character")
    return text


def _uuid_text(text: str) -> str:
    try:
        return str(uuid.UUID(hex=text))
    except ValueError:
        raise UnauthenticatedError("token_invalid", "this token is not known") from None
