"""One request to one witness. Nothing of the answer is believed here; it is bounded in size and time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.errands import NoAnswerError, TooLargeError
from app.errors import EnvironmentFailedError
from app.witnessing.rules import Answer

if TYPE_CHECKING:  # an HTTP client is loaded when somebody is asked
    from app.outgoing import Outgoing

MAX_ANSWER_BYTES: Final = 65_536
_HEADERS: Final = {
    "Content-Type": "text/plain; charset=utf-8",
    "Accept-Encoding": "identity",
    "User-Agent": "catena",
}


def new_client(seconds: float) -> Outgoing:
    """A client for one exchange; `seconds` bounds each step of a request. Redirects are not followed."""
    from app.outgoing import Outgoing

    return Outgoing(seconds, _HEADERS)


def post(client: Outgoing, address: str, request: bytes, seconds: float) -> Answer:
    """Send an add-checkpoint request (C2SP tlog-witness).

    Args:
        client: as `new_client` made it.
        address: the witness's submission prefix.
        request: the body.
        seconds: how long the whole request may take.

    Raises:
        EnvironmentFailedError: `witness_unreachable`, `witness_answer_bad` when the answer is too large.
    """
    try:
        answer = client.post(f"{address.rstrip('/')}/add-checkpoint", request, seconds, MAX_ANSWER_BYTES)
    except NoAnswerError as error:
        raise EnvironmentFailedError("witness_unreachable", str(error)) from error
    except TooLargeError:
        raise EnvironmentFailedError("witness_answer_bad", "the answer is too large") from None
    return Answer(answer.status, answer.body)
