"""Problem documents (RFC 9457): the one place where an error becomes HTTP.

Invariants: no traceback, no input and no secret reaches the client; every problem has a stable
code and names its request, so that the server's log can be searched for it.
"""

from __future__ import annotations

from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Scope

from app.errors import CatenaError, LimitError, UnauthenticatedError
from app.strings import known, message, preferred
from evidence_store.errors import EvidenceStoreError
from schemas.api.problem import MEDIA_TYPE, FieldProblem, Problem

NO_RESPONSE_BODY = {204, 304}
# Errors of the integrity core that the caller caused; storage failures; all others are ours (500).
_CORE_STATUS = {
    "tree_range": 422,
    "digest_form": 422,
    "tile_path": 404,
    "tile_range": 404,
    "storage_full": 507,
    "storage_failed": 503,
    "digests_broken": 503,
}
_HTTP_CODES = {
    400: "invalid_request",
    404: "not_found",
    405: "method_not_allowed",
    408: "body_timeout",
    413: "too_large",
    415: "unsupported_media_type",
}
# Of the tus protocol; Python knows registered ones only.
_TITLES = {460: "Checksum Mismatch"}
_RETRY_AFTER_SECONDS = {
    "upload_locked": "1",
    "database_busy": "1",
    "analysis_pending": "1",
    "proxy_pending": "5",
    "busy": "5",
    "storage_full": "60",
}


def status_of(error: CatenaError | EvidenceStoreError) -> int:
    """The HTTP status of a coded error."""
    return error.status if isinstance(error, CatenaError) else _CORE_STATUS.get(error.code, 500)


def request_id_of(scope: Scope) -> str:
    """The id that the envelope gave this request."""
    return str(scope.get("state", {}).get("request_id", "unknown"))


def problem(
    scope: Scope,
    status: int,
    code: str,
    detail: str,
    *,
    errors: list[FieldProblem] | None = None,
    limits: LimitError | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    """A problem document.

    Args:
        scope: of the request.
        status: HTTP status.
        code: stable code.
        detail: one sentence.
        errors: fields at fault.
        limits: the bound that was reached, with its numbers.
        headers: further response headers.
    """
    document = Problem(
        type=f"urn:catena:problem:{code}",
        title=_title(scope, status),
        status=status,
        detail=detail,
        code=code,
        instance=f"urn:catena:request:{request_id_of(scope)}",
        errors=errors,
        limit=None if limits is None else limits.limit,
        used=None if limits is None else limits.used,
        retry_after=None if limits is None else limits.retry_after,
    )
    body = document.model_dump_json(exclude_none=True)
    return Response(body, status, headers={"Cache-Control": "no-store", **(headers or {})}, media_type=MEDIA_TYPE)


def _title(scope: Scope, status: int) -> str:
    """The name of a status in the language that the client asks for; `code` is what programs read."""
    plain = _TITLES.get(status) or HTTPStatus(status).phrase
    asked = next((value for name, value in scope.get("headers", ()) if name == b"accept-language"), None)
    language = preferred(None if asked is None else asked.decode("latin-1"))
    return message(f"title.{status}", language) if language != "en" and known(f"title.{status}") else plain


def coded_problem(scope: Scope, error: CatenaError | EvidenceStoreError) -> Response:
    """The problem document of a coded error."""
    headers: dict[str, str] = {}
    if isinstance(error, UnauthenticatedError):
        given = error.code != "token_required"
        headers["WWW-Authenticate"] = 'Bearer realm="catena"' + (', error="invalid_token"' if given else "")
    if error.code in _RETRY_AFTER_SECONDS:
        headers["Retry-After"] = _RETRY_AFTER_SECONDS[error.code]
    limits = error if isinstance(error, LimitError) else None
    if limits is not None and limits.retry_after is not None:
        headers["Retry-After"] = str(limits.retry_after)
    return problem(scope, status_of(error), error.code, error.detail, limits=limits, headers=headers)


def internal_problem(scope: Scope) -> Response:
    """What a client learns of an error that nobody foresaw."""
    return problem(scope, 500, "internal", "something went wrong here; the server's log names this request")


def install(app: FastAPI) -> None:
    """Register the handlers; unforeseen errors are the envelope's."""

    @app.exception_handler(CatenaError)
    @app.exception_handler(EvidenceStoreError)
    async def _coded(request: Request, error: Exception) -> Response:
        if not isinstance(error, CatenaError | EvidenceStoreError):
            raise error
        return coded_problem(request.scope, error)

    @app.exception_handler(RequestValidationError)
    async def _invalid(request: Request, error: Exception) -> Response:
        faults = error.errors() if isinstance(error, RequestValidationError) else []
        fields = [FieldProblem(field=_where(fault["loc"]), problem=_what(fault)) for fault in faults[:20]]
        named = ", ".join(dict.fromkeys(field.field for field in fields))
        detail = f"the request does not fit the interface: {named}"[:500]
        return problem(request.scope, 422, "invalid_request", detail, errors=fields)

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: Exception) -> Response:
        if not isinstance(error, HTTPException):
            raise error
        status = error.status_code
        headers = dict(error.headers or {})
        if status in NO_RESPONSE_BODY:
            return Response(status_code=status, headers=headers)
        code = _HTTP_CODES.get(status, "internal" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "invalid_request")
        return problem(request.scope, status, code, _HTTP_DETAIL.get(status, str(error.detail)), headers=headers)


_HTTP_DETAIL = {
    400: "the request could not be read",
    404: "there is nothing at this address",
    405: "this address does not take this method",
}


def _where(location: tuple[int | str, ...]) -> str:
    """Dotted path of a field; positions inside a broken JSON text say nothing, so they are cut."""
    parts = [str(part) for part in location if not isinstance(part, int)]
    return ".".join(_printable(part) for part in parts)[:100] or "body"


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text)


def _what(fault: dict[str, object]) -> str:
    """What is wrong, without what was sent (some messages of the validator quote it)."""
    if fault.get("type") == "extra_forbidden":
        return "there is no such field"
    if fault.get("type") == "json_invalid":
        return "not JSON"
    return str(fault.get("msg", "not acceptable"))[:200]
