"""Coded errors of the service.

One typed error inside; the HTTP edge turns it into an RFC 9457 problem document, the command
line into one line and an exit code. Codes are part of the published interface.
"""

from __future__ import annotations


class CatenaError(Exception):
    """A foreseeable failure.

    Attributes:
        code: stable, lower snake case.
        detail: one sentence for a person; never holds a secret.
        status: HTTP status that fits (4xx the caller's, 5xx ours).
    """

    def __init__(self, code: str, detail: str, *, status: int = 400) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.status = status


class InvalidInputError(CatenaError):
    """The request is well-formed but says something that cannot be (422)."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(code, detail, status=422)


class UnauthenticatedError(CatenaError):
    """No token, or one that is unknown, expired or revoked (401)."""

    def __init__(self, code: str = "token_required", detail: str = "a valid bearer token is needed") -> None:
        super().__init__(code, detail, status=401)


class DeniedError(CatenaError):
    """The actor is known and may not do this (403)."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(code, detail, status=403)


class NotFoundError(CatenaError):
    """There is no such thing, or the actor may not know that there is (404)."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(code, detail, status=404)


class ConflictError(CatenaError):
    """It clashes with what is already recorded (409)."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(code, detail, status=409)


class LimitError(CatenaError):
    """A bound of this archive is reached: too large (413), too many at once (429); nothing was kept.

    Attributes:
        limit: the bound, in bytes or in number; None when it is nobody's business.
        used: how much of it is taken, by the actor alone.
        retry_after: seconds after which it may be tried again; None when waiting would not help.
    """

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        status: int,
        limit: int | None = None,
        used: int | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(code, detail, status=status)
        self.limit = limit
        self.used = used
        self.retry_after = retry_after


class EnvironmentFailedError(CatenaError):
    """Disk, database or key store failed us; nothing was half-written (5xx)."""

    def __init__(self, code: str, detail: str, *, status: int = 503) -> None:
        super().__init__(code, detail, status=status)
