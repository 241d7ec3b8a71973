"""Every error of the service becomes a problem document, and tells no more than it should."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI, HTTPException
from starlette.responses import StreamingResponse

from app.api import problems
from app.api.envelope import SECURITY_HEADERS, Envelope
from app.api.metrics import Metrics
from app.errors import (
    CatenaError,
    ConflictError,
    DeniedError,
    EnvironmentFailedError,
    InvalidInputError,
    NotFoundError,
    UnauthenticatedError,
)
from evidence_store.errors import EvidenceStoreError
from schemas.api.base import Sent
from tests.apis import TestClient, refused

ERRORS: list[tuple[Exception, int, str]] = [
    (CatenaError("bad_header", "why"), 400, "bad_header"),
    (InvalidInputError("empty_file", "why"), 422, "empty_file"),
    (UnauthenticatedError(), 401, "token_required"),
    (DeniedError("not_allowed", "why"), 403, "not_allowed"),
    (NotFoundError("unknown_item", "why"), 404, "unknown_item"),
    (ConflictError("case_exists", "why"), 409, "case_exists"),
    (EnvironmentFailedError("database_busy", "why"), 503, "database_busy"),
    (EvidenceStoreError("tree_range", "why"), 422, "tree_range"),
    (EvidenceStoreError("tile_path", "why"), 404, "tile_path"),
    (EvidenceStoreError("storage_full", "why"), 507, "storage_full"),
    (EvidenceStoreError("storage_failed", "why"), 503, "storage_failed"),
    (EvidenceStoreError("blob_missing", "why"), 500, "blob_missing"),
    (EvidenceStoreError("a_code_of_tomorrow", "why"), 500, "a_code_of_tomorrow"),
    (HTTPException(404, "secret"), 404, "not_found"),
    (HTTPException(405, "secret", {"Allow": "GET"}), 405, "method_not_allowed"),
    (HTTPException(400, "secret"), 400, "invalid_request"),
    (HTTPException(418, "tea"), 418, "invalid_request"),
    (HTTPException(502, "up"), 502, "internal"),
    (ZeroDivisionError("secret"), 500, "internal"),
    (RuntimeError("secret"), 500, "internal"),
]


class Body(Sent):
    """A body with one field."""

    number: int


@pytest.fixture
def client() -> Iterator[TestClient]:
    app = FastAPI()
    problems.install(app)
    app.add_middleware(Envelope, metrics=Metrics())

    @app.get("/raise/{number}")
    def _raise(number: int) -> None:
        raise ERRORS[number][0]

    @app.get("/unchanged")
    def _unchanged() -> None:
        raise HTTPException(304)

    @app.post("/body")
    def _body(body: Body) -> int:
        return body.number

    @app.get("/half")
    def _half() -> StreamingResponse:
        def chunks() -> Iterator[bytes]:
            yield b"half"
            raise RuntimeError("the disk is gone")

        return StreamingResponse(chunks())

    with TestClient(app, raise_server_exceptions=False) as made:
        yield made


@pytest.mark.parametrize("number", range(len(ERRORS)))
def test_error_becomes_a_problem_document_with_its_code(client: TestClient, number: int) -> None:
    error, status, code = ERRORS[number]
    answer = client.get(f"/raise/{number}")
    body = refused(answer, status, code)
    assert "secret" not in answer.text
    if isinstance(error, CatenaError | EvidenceStoreError):
        assert body["detail"] == error.detail
    for name, value in SECURITY_HEADERS.items():
        assert answer.headers[name] == value


def test_headers_that_belong_to_an_error_are_kept(client: TestClient) -> None:
    by_code = {code: client.get(f"/raise/{number}").headers for number, (_, _, code) in enumerate(ERRORS)}
    assert by_code["token_required"]["www-authenticate"] == 'Bearer realm="catena"'
    assert by_code["method_not_allowed"]["allow"] == "GET"
    assert by_code["database_busy"]["retry-after"] == "1"


def test_answer_without_a_body_stays_without_one(client: TestClient) -> None:
    answer = client.get("/unchanged")
    assert (answer.status_code, answer.content) == (304, b"")


@pytest.mark.parametrize(
    ("body", "field", "problem"),
    [
        ({}, "body.number", "Field required"),
        ({"number": "secret"}, "body.number", None),
        ({"number": 1, "secret\n\u202e": 2}, None, "there is no such field"),
        ({"number": 1.5}, "body.number", None),
    ],
)
def test_bad_body_names_the_field_and_not_the_value(
    client: TestClient, body: dict[str, Any], field: str | None, problem: str | None
) -> None:
    answer = client.post("/body", json=body)
    (fault,) = refused(answer, 422, "invalid_request")["errors"]
    assert field is None or fault["field"] == field
    assert problem is None or fault["problem"] == problem
    assert "\u202e" not in fault["field"]
    assert not any(value in fault["problem"] for value in ("secret", "1.5"))


def test_a_hundred_faults_are_cut_to_twenty(client: TestClient) -> None:
    body = {f"field{number}": number for number in range(100)}
    document = refused(client.post("/body", json=body), 422, "invalid_request")
    assert len(document["errors"]) == 20
    assert len(document["detail"]) <= 500


def test_unforeseen_error_is_logged_with_its_traceback_under_the_request_id(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    number = next(index for index, (error, _, _) in enumerate(ERRORS) if isinstance(error, ZeroDivisionError))
    with caplog.at_level(logging.INFO, logger="catena.http"):
        answer = client.get(f"/raise/{number}")
    failures = [record for record in caplog.records if record.exc_info]
    assert len(failures) == 1
    assert answer.headers["x-request-id"] in failures[0].getMessage()


def test_error_after_the_first_byte_breaks_the_connection_and_is_logged(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(RuntimeError, match="the disk is gone"):
        TestClient(client.app).get("/half")
    assert "the disk is gone" in caplog.text
