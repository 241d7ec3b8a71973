"""Problem documents (RFC 9457)."""

from __future__ import annotations

from pydantic import ConfigDict, Field

from schemas.api.base import Shown

MEDIA_TYPE = "application/problem+json"


class FieldProblem(Shown):
    """What is wrong with one field; the value that was sent is not repeated."""

    field: str = Field(description="Where: body, query, path or header, then the field's name.", examples=["body.ref"])
    problem: str = Field(examples=["Field required"])


class Problem(Shown):
    """An error as `application/problem+json`; programs read `code`, people read `detail`."""

    model_config = ConfigDict(
        frozen=True,
        json_schema_extra={
            "examples": [
                {
                    "type": "urn:catena:problem:unknown_case",
                    "title": "Not Found",
                    "status": 404,
                    "detail": "there is no such case, or you are not a member of it",
                    "code": "unknown_case",
                    "instance": "urn:catena:request:2f6f3c0a9d3d4e0e8f6f2a8f6e3a7b11",
                }
            ]
        },
    )

    type: str = Field(description="URN made of the code.")
    title: str = Field(description="The HTTP status in words.")
    status: int
    detail: str = Field(description="One sentence for a person; never holds a secret or the input.")
    code: str = Field(description="Stable, lower snake case.")
    instance: str = Field(description="URN of this very request; the server's log names it too.")
    errors: list[FieldProblem] | None = Field(default=None, description="With `invalid_request`: each field at fault.")
    limit: int | None = Field(default=None, description="A bound that was reached, in bytes or in number.")
    used: int | None = Field(default=None, description="How much of the bound you have taken, nobody else's part.")
    retry_after: int | None = Field(default=None, description="Seconds to wait, as in the header field Retry-After.")
