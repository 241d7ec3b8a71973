"""Large files by tus 1.0 (creation, checksum): in pieces of 64 MiB with their SHA-256, resumed where they broke off.

The server's word counts: after every trouble it is asked how far it is (HEAD), and the file goes on from there. The
upload's address is noted before its first byte is sent, so a later run of the same command goes on with it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import httpx

from app.cli.fixed import CHUNK, changed, opened
from app.cli.journal import Journal
from app.cli.server import BUSY_TRIES, COME_BACK, TRIES, Server, checked, stranger
from app.errors import CatenaError, EnvironmentFailedError
from app.intake.names import recorded_name

if TYPE_CHECKING:
    from app.cli.orders import Ready

MIN_BYTES = 8 << 20
PIECE_BYTES = 64 << 20
MIN_PIECE_BYTES = 1 << 20  # of a piece that breaks off nothing is kept: on a bad link they are made smaller
VERSION = {"Tus-Resumable": "1.0.0"}
OFFSET_CONFLICT, CHECKSUM_MISMATCH = 409, 460
MAX_METADATA = 96 * 1024
"""Characters of Upload-Metadata that a server takes, and tells again to HEAD."""
GONE = frozenset({403, 404, 410})
ON_THE_WAY = COME_BACK | {413, 502, 504}
GOING_ON = frozenset({"open", "finishing", "done"})
_FINISHING_LOOKS = 3600


class Uploads:
    """Resumable uploads into one case; safe to use from several threads."""

    def __init__(self, server: Server, case_ref: str, journal: Journal, stop: threading.Event) -> None:
        """Bind to a case on a server."""
        self._server, self._case, self._journal, self._stop = server, case_ref, journal, stop
        self._lock = threading.Lock()
        self._spoken: bool | None = None

    def send(self, ready: Ready, moved: Callable[[int], None]) -> str | None:
        """Send one file.

        Args:
            ready: the file and what is stated of it.
            moved: told the bytes as they go, less than none when some have to go once more.

        Returns:
            Id of the item that it became; None when it cannot go like this: the server takes no resumable uploads, or
            no so long a source in one.

        Raises:
            CatenaError: `stopped` between two pieces, and what the server said.
            EnvironmentFailedError: `server_unreachable` after the last try.
            InvalidInputError: `changed_while_read`, `vanished`.
        """
        if len(_metadata(self._case, ready)) > MAX_METADATA or not self._is_spoken():
            return None
        return _Upload(self._server, self._journal, self._stop, self._case, ready, moved).run()

    def _is_spoken(self) -> bool:
        with self._lock:
            if self._spoken is None:
                answer = self._server.send("OPTIONS", "/uploads")
                versions = answer.headers.get("tus-version", "").split(",")
                self._spoken = answer.is_success and VERSION["Tus-Resumable"] in versions
            return self._spoken


class _Upload:
    """One file on its way."""

    def __init__(
        self,
        server: Server,
        journal: Journal,
        stop: threading.Event,
        case_ref: str,
        ready: Ready,
        moved: Callable[[int], None],
    ) -> None:
        self._server, self._journal, self._stop, self._case = server, journal, stop, case_ref
        self._ready, self._moved = ready, moved
        self._told = 0  # bytes that the meter knows of
        self._failures = self._begun = 0
        self._held = self._refusals = 0  # in a row: because another request writes, and else
        self._piece_bytes = PIECE_BYTES

    def run(self) -> str:
        """Send what is missing; returns the item's id."""
        url = self._journal.known("upload", self._ready.key)
        offset = None if url is None else self._offset(url)
        while True:
            if url is None or offset is None:
                url, offset = self._create(), 0
            self._tell(offset)
            if offset >= self._ready.file.size:
                return self._item(url)
            if self._stop.is_set():
                detail = f"{offset} of {self._ready.file.size} bytes are there; the same command goes on"
                raise CatenaError("stopped", detail, status=409)
            offset = self._piece(url, offset)

    def _create(self) -> str:
        self._begun += 1
        if self._begun > TRIES:
            detail = f"the upload was gone each of {TRIES} times that it was begun; the same command begins it again"
            raise EnvironmentFailedError("server_unreachable", detail)
        if self._begun > 1:
            self._server.pause(self._begun - 1)
        metadata = _metadata(self._case, self._ready)
        headers = {**VERSION, "Upload-Length": str(self._ready.file.size), "Upload-Metadata": metadata}
        answer = self._server.send("POST", "/uploads", headers=headers)
        name = answer.headers.get("location", "").rpartition("/")[2]
        if answer.status_code != httpx.codes.CREATED or not name:
            checked(answer)
            raise stranger()
        url = f"/uploads/{name}"
        self._journal.note("upload", self._ready.key, url)
        return url

    def _offset(self, url: str) -> int | None:
        """How far the server is; None when the upload is no more."""
        answer = self._server.send("HEAD", url, headers=VERSION)
        if answer.status_code in GONE or answer.headers.get("catena-state", "open") not in GOING_ON:
            return None
        if not answer.is_success:
            raise EnvironmentFailedError("server_unreachable", f"HEAD of an upload is answered {answer.status_code}")
        return _number(answer)

    def _piece(self, url: str, offset: int) -> int | None:
        """Send the next piece; returns where the server is then."""
        size = min(self._piece_bytes, self._ready.file.size - offset)
        headers = {
            **VERSION,
            "Upload-Offset": str(offset),
            "Upload-Checksum": f"sha256 {base64.b64encode(self._digest(offset, size)).decode()}",
            "Content-Type": "application/offset+octet-stream",
            "Content-Length": str(size),
        }
        try:
            answer = self._server.once("PATCH", url, headers=headers, content=self._body(offset, size))
        except EnvironmentFailedError:
            self._again(None)
            return self._offset(url)
        if answer.status_code == httpx.codes.NO_CONTENT:
            self._failures = self._held = self._refusals = 0
            self._piece_bytes = min(self._piece_bytes * 2, PIECE_BYTES)
            return _number(answer)
        if answer.status_code in GONE:
            checked_gone(answer)
            return None
        if _says_later(answer):
            self._later(answer)
            return self._offset(url)
        if answer.status_code in {OFFSET_CONFLICT, CHECKSUM_MISMATCH} or _is_cut_off(answer) or _is_a_proxys(answer):
            self._again(answer)
            return self._offset(url)
        checked(answer)
        raise stranger()

    def _later(self, answer: httpx.Response) -> None:
        """The piece comes again as it is. After a cut the archive may take the writer before for still there."""
        if answer.status_code == httpx.codes.LOCKED:
            self._held += 1
        else:
            self._refusals += 1
        if self._held >= TRIES or self._refusals >= BUSY_TRIES:
            checked(answer)
        self._server.pause(self._held + self._refusals, answer.headers.get("retry-after"))

    def _again(self, answer: httpx.Response | None) -> None:
        """The link broke, or the bytes did not come as they went: smaller pieces lose less."""
        self._failures += 1
        self._piece_bytes = max(self._piece_bytes // 4, MIN_PIECE_BYTES)
        if self._failures >= TRIES or (answer is None and self._stop.is_set()):
            if answer is not None and _is_problem(answer):
                checked(answer)
            said = "" if answer is None else f" or was answered {answer.status_code} by something on the way"
            detail = f"the connection broke{said} too often; the same command goes on"
            raise EnvironmentFailedError("server_unreachable", detail)
        self._server.pause(self._failures, None if answer is None else answer.headers.get("retry-after"))

    def _digest(self, offset: int, size: int) -> bytes:
        digest = hashlib.sha256()
        for chunk in self._read(offset, size):
            digest.update(chunk)
        return digest.digest()

    def _body(self, offset: int, size: int) -> Iterator[bytes]:
        at = offset
        for chunk in self._read(offset, size):
            yield chunk
            at += len(chunk)
            self._tell(at)

    def _read(self, offset: int, size: int) -> Iterator[bytes]:
        """A part of the file, read twice rather than held in memory."""
        with opened(self._ready.order.path, self._ready.file) as stream:
            stream.seek(offset)
            left = size
            while left:
                chunk = stream.read(min(CHUNK, left))
                if not chunk:
                    raise changed()
                left -= len(chunk)
                yield chunk

    def _tell(self, at: int) -> None:
        self._moved(at - self._told)
        self._told = at

    def _item(self, url: str) -> str:
        """The item that the upload became; a large file takes the server a while."""
        for look in range(1, _FINISHING_LOOKS):
            told = checked(self._server.send("GET", url, headers=VERSION))
            if told.get("item"):
                return str(told["item"])
            if told.get("failure_code") and told.get("state") == "failed":
                raise CatenaError(str(told["failure_code"]), "the server made no item of the upload", status=422)
            if self._stop.is_set():
                break
            self._server.pause(min(look, 3))
        raise CatenaError(
            "stopped", "all bytes are there, the item is being made; the same command goes on", status=409
        )


def stated(ready: Ready) -> str:
    """What is said of the source as JSON of one line, letters as they are: escapes would make six bytes of two."""
    return json.dumps(ready.order.source.as_record(), ensure_ascii=False, separators=(",", ":"))


def _metadata(case_ref: str, ready: Ready) -> str:
    """Upload-Metadata (tus, creation extension)."""
    said = {
        "filename": recorded_name(ready.order.name),
        "case": case_ref,
        "source": stated(ready),
        "sha256": ready.file.sha256,
        "idempotency-key": ready.key,
    }
    return ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in said.items())


def checked_gone(answer: httpx.Response) -> None:
    """An upload that is gone is begun anew, unless it is the right that is gone.

    Raises:
        CatenaError: `not_allowed`.
    """
    if answer.status_code == httpx.codes.FORBIDDEN:
        checked(answer)


def _number(answer: httpx.Response) -> int:
    text = answer.headers.get("upload-offset", "")
    if not (text.isascii() and text.isdigit()):
        raise stranger()
    return int(text)


def _is_problem(answer: httpx.Response) -> bool:
    """Whether the archive itself says so, in its words (RFC 9457)."""
    return str(answer.headers.get("content-type", "")).startswith("application/problem+json")


def _says_later(answer: httpx.Response) -> bool:
    return _is_problem(answer) and answer.status_code in COME_BACK


def _is_a_proxys(answer: httpx.Response) -> bool:
    """Whether something on the way says no: the piece may be too large or too slow for it, or the server is away."""
    return answer.status_code in ON_THE_WAY and not _is_problem(answer)


def _is_cut_off(answer: httpx.Response) -> bool:
    """Whether the server says that the body did not come whole: the link's fault."""
    return answer.status_code in {400, 408} and any(code in answer.text for code in ("body_cut_off", "body_timeout"))
