"""Requests to a Catena server over bad links: tried again with back-off and jitter, until told to stop."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx

from app.errors import CatenaError, EnvironmentFailedError, InvalidInputError

TRIES = 8
PAUSE_S = 1.0  # before the second try, then twice as long each time
MAX_PAUSE_S = 30.0
BUSY_TRIES = 60  # a server that says "later" is alive
COME_BACK = frozenset({423, 429, 503})
HEAD_REFUSED = frozenset({400, 413, 414, 431, 494})  # 494: nginx
LARGE_HEAD = 4_000  # the smallest bound on heads that is common


class Server:
    """One server and a token for it; safe to use from several threads."""

    def __init__(self, server: str, token: str, stop: threading.Event) -> None:
        """Prepare; nothing is asked yet.

        Raises:
            InvalidInputError: `token_missing`, `token_malformed`, `bad_server_url`.
        """
        self._stop = stop
        self._client = httpx.Client(
            base_url=_address(server),
            headers={"Authorization": f"Bearer {_usable(token.strip())}"},
            timeout=httpx.Timeout(60.0, read=600.0),
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def once(self, method: str, url: str, **kwargs: Any) -> httpx.Response:  # noqa: ANN401 - passed through
        """A request that is made once.

        Raises:
            EnvironmentFailedError: `server_unreachable`.
        """
        try:
            return self._client.request(method, url, **kwargs)
        except httpx.TransportError as error:
            raise unreachable(error) from None

    def send(
        self,
        method: str,
        url: str,
        *,
        content: Callable[[], Iterator[bytes]] | None = None,
        **kwargs: Any,  # noqa: ANN401 - passed through
    ) -> httpx.Response:
        """A request that may be repeated.

        Args:
            method: of HTTP.
            url: below the interface's prefix, or a whole address.
            content: makes the body, anew for each try.
            kwargs: as of `httpx.Client.request`.

        Raises:
            EnvironmentFailedError: `server_unreachable` after the last try.
        """
        failures, refusals = 0, 0
        while True:
            try:
                body = None if content is None else content()
                answer = self._client.request(method, url, content=body, **kwargs)
            except httpx.TransportError as error:
                failures += 1
                if failures >= TRIES or self._stop.is_set():
                    raise unreachable(error) from None
                self.pause(failures)
                continue
            if answer.status_code not in COME_BACK or refusals >= BUSY_TRIES or self._stop.is_set():
                return answer
            refusals += 1
            self.pause(refusals, answer.headers.get("retry-after"))

    def pause(self, failures: int, wanted: str | None = None) -> None:
        """Wait before the next try: twice as long each time, never all clients at the same moment."""
        pause = min(PAUSE_S * 2 ** min(failures - 1, 10), MAX_PAUSE_S)
        if wanted is not None and wanted.isascii() and wanted.isdigit():
            pause = max(pause, min(float(wanted), MAX_PAUSE_S)) if PAUSE_S >= 1.0 else pause
        self._stop.wait(pause * random.uniform(0.5, 1.0))  # noqa: S311 - spreads clients, hides nothing


def checked(response: httpx.Response) -> dict[str, Any]:
    """The JSON object of an answer.

    Raises:
        CatenaError: what the server refused it with.
        CatenaError: `source_too_long_for_transport`: something on the way, such as a proxy, takes no such head.
        EnvironmentFailedError: `not_a_catena_server`.
    """
    try:
        body = response.json()
    except ValueError:
        body = None
    if not isinstance(body, dict) or not (response.is_success or "code" in body):
        head = sum(len(name) + len(value) for name, value in response.request.headers.raw)
        if response.status_code in HEAD_REFUSED and head > LARGE_HEAD:
            detail = (
                f"what is stated of the source makes a head of {head} bytes; the server, or a proxy, takes none such"
            )
            raise CatenaError("source_too_long_for_transport", detail, status=response.status_code)
        raise stranger()
    if response.is_success:
        return body
    raise CatenaError(str(body["code"]), str(body.get("detail", "")), status=response.status_code)


def stranger() -> CatenaError:
    """The error for answers that no Catena server gives."""
    return EnvironmentFailedError("not_a_catena_server", "what answers there is not a Catena server", status=502)


def unreachable(error: httpx.TransportError) -> CatenaError:
    """The error for a server that does not answer."""
    return EnvironmentFailedError("server_unreachable", f"the server does not answer: {error}")


def _address(server: str) -> httpx.URL:
    try:
        url = httpx.URL(server.rstrip("/") + "/api/v1")
    except (httpx.InvalidURL, UnicodeError):
        url = httpx.URL()
    if url.scheme not in {"http", "https"} or not url.host:
        raise InvalidInputError("bad_server_url", "a server is named like https://archive.example.org")
    return url


def _usable(token: str) -> str:
    if not token:
        raise InvalidInputError("token_missing", "put your access token into CATENA_TOKEN")
    if not (token.isascii() and token.isprintable()):
        raise InvalidInputError("token_malformed", "CATENA_TOKEN does not hold an access token")
    return token
