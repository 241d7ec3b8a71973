"""One request to one witness. Nothing of the answer is believed here; it is bounded in size and time."""

from __future__ import annotations

import time
from typing import Final

import httpx

from app.errors import EnvironmentFailedError
from app.witnessing.rules import Answer

MAX_ANSWER_BYTES: Final = 65_536
_HEADERS: Final = {
    "Content-Type": "text/plain; charset=utf-8",
    "Accept-Encoding": "identity",
    "User-Agent": "catena",
}
_MAX_TEXT: Final = 200


def new_client(seconds: float) -> httpx.Client:
    """A client for one exchange; `seconds` bounds each step of a request. Redirects are not followed."""
    return httpx.Client(timeout=seconds, follow_redirects=False, headers=_HEADERS)


def post(client: httpx.Client, address: str, request: bytes, seconds: float) -> Answer:
    """Send an add-checkpoint request (C2SP tlog-witness).

    Args:
        client: as `new_client` made it.
        address: the witness's submission prefix.
        request: the body.
        seconds: how long the answer's body may take.

    Raises:
        EnvironmentFailedError: `witness_unreachable`, `witness_answer_bad` when the answer is too large.
    """
    deadline = time.monotonic() + seconds
    body = bytearray()
    try:
        with client.stream("POST", f"{address.rstrip('/')}/add-checkpoint", content=request) as answer:
            for chunk in answer.iter_raw():
                body += chunk
                if len(body) > MAX_ANSWER_BYTES:
                    raise EnvironmentFailedError("witness_answer_bad", "the answer is too large")
                if time.monotonic() > deadline:
                    raise _unreachable(f"the answer did not come within {seconds:g} s")
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError, ValueError) as error:
        text = "".join(each if each.isprintable() else "?" for each in str(error))[:_MAX_TEXT]
        raise _unreachable(f"{type(error).__name__}: {text}") from error
    return Answer(answer.status_code, bytes(body))


def _unreachable(detail: str) -> EnvironmentFailedError:
    return EnvironmentFailedError("witness_unreachable", detail)
