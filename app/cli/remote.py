"""Depositing through a server: small files in one request, large ones resumably; repeated safely under one key."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from io import BufferedReader
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import httpx

from app.cli.fixed import changed, chunks, opened
from app.cli.journal import Journal
from app.cli.orders import Ready
from app.cli.outcome import Beside, Taken, keep_receipt
from app.cli.resumable import MIN_BYTES, Uploads, stated
from app.cli.server import Server, checked, stranger
from app.evidence.service import check_case_ref
from app.intake.collections.entries import Check
from app.intake.names import recorded_name
from app.intake.offers import Known, Offer

CHECKS_AT_ONCE = 50
QUESTION_BYTES = 400_000  # the server takes 1 MiB of JSON


class Remote:
    """One case on one server; safe to use from several threads."""

    def __init__(
        self,
        server: str,
        token: str,
        case_ref: str,
        receipts: Path | None,
        journal: Journal,
        stop: threading.Event,
        *,
        make: bool = True,
    ) -> None:
        """Find the case, or make it.

        Raises:
            InvalidInputError: `bad_case_ref`, `token_missing`, `token_malformed`, `bad_server_url`.
            EnvironmentFailedError: `server_unreachable`, `not_a_catena_server`.
            CatenaError: what the server said.
        """
        check_case_ref(case_ref)
        self._server = Server(server, token, stop)
        self._case, self._receipts = case_ref, receipts
        self._uploads = Uploads(self._server, case_ref, journal, stop)
        self._exists = True
        try:
            answer = self._server.once("GET", f"/cases/{case_ref}")
            if answer.status_code == httpx.codes.NOT_FOUND and make:
                answer = self._server.once("POST", "/cases", json={"ref": case_ref})
            self._exists = make or answer.status_code != httpx.codes.NOT_FOUND
            if self._exists:
                checked(answer)
        except BaseException:
            self._server.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.close()

    def look_up(self, offers: Sequence[Offer], *, again: bool, record: bool) -> list[Known]:
        """Ask the server, in as few questions as it takes."""
        if not self._exists:
            return [Known("new") for _ in offers]
        answers: list[Known] = []
        for files in _questions(offers):
            body = {"files": files, "again": again, "record": record}
            answer = checked(self._server.send("POST", "/items/known", params={"case": self._case}, json=body))
            try:
                answers += [Known(one["state"], one["item"], one.get("same_name") is True) for one in answer["files"]]
            except (KeyError, TypeError, AttributeError):
                raise stranger() from None
        if len(answers) != len(offers):
            raise stranger()
        return answers

    def deposit(self, ready: Ready, moved: Callable[[int], None]) -> Taken:
        """Send one file; a broken connection is tried again, and makes no second item."""
        if ready.file.size > MIN_BYTES and (item := self._uploads.send(ready, moved)) is not None:
            return self._taken_later(ready, item)
        headers: dict[str, str | bytes] = {
            "X-Filename": quote(recorded_name(ready.order.name)),
            "X-Source": stated(ready).encode(),  # raw UTF-8: percent-encoded it is up to three times as long
            "Idempotency-Key": ready.key,
            "Repr-Digest": f"sha-256=:{base64.b64encode(bytes.fromhex(ready.file.sha256)).decode()}:",
            "Content-Length": str(ready.file.size),
            "Content-Type": "application/octet-stream",
        }

        def body() -> Iterator[bytes]:
            with opened(ready.order.path, ready.file) as stream:
                yield from _exactly(stream, ready.file.size)

        answer = checked(
            self._server.send("POST", "/items", params={"case": self._case}, headers=headers, content=body)
        )
        moved(ready.file.size)
        return self._taken(ready, answer.get("item"), answer.get("receipt"), answer.get("duplicate_of"))

    def add_checks(self, item: str, checks: Sequence[Check]) -> None:
        """What was checked here of the collector's hashes and signatures; the server records it as the depositor's."""
        told = [{"kind": one.kind, "verdict": one.verdict, "record": one.record} for one in checks]
        for first in range(0, len(told), CHECKS_AT_ONCE):
            body = {"checks": told[first : first + CHECKS_AT_ONCE]}
            checked(self._server.send("POST", f"/items/{item}/checks", json=body))

    def fetch_receipt(self, item: str) -> None:
        """Keep the receipt of an item that an interrupted run had deposited, if the server has made it."""
        if self._receipts is None or (self._receipts / f"{item}.json").exists():
            return
        answer = self._server.send("GET", f"/items/{item}/receipt")
        if answer.status_code == httpx.codes.NOT_FOUND:
            return
        told = checked(answer)
        try:
            statement, seal = (base64.b64decode(told[name]) for name in ("statement_base64", "p7s_base64"))
        except (KeyError, TypeError, ValueError):
            raise stranger() from None
        keep_receipt(self._receipts, item, statement, seal)

    def relate(self, beside: Beside) -> None:
        """Record that a sidecar belongs to its medium."""
        body = {"related": beside.of_item, "kind": "sidecar", "basis": beside.basis}
        checked(self._server.send("POST", f"/items/{beside.item}/relations", json=body))

    def _taken_later(self, ready: Ready, item_id: str) -> Taken:
        """An item that a resumable upload made."""
        item = checked(self._server.send("GET", f"/items/{item_id}"))
        answer = self._server.send("GET", f"/items/{item_id}/receipt")
        return self._taken(ready, item, answer.json() if answer.is_success else None, item.get("duplicate_of"))

    def _taken(self, ready: Ready, item: Any, receipt: Any, duplicate_of: Any) -> Taken:  # noqa: ANN401 - JSON
        try:
            told = receipt or {"statement_base64": "", "p7s_base64": ""}
            statement, seal = (base64.b64decode(told[name]) for name in ("statement_base64", "p7s_base64"))
            path = ready.order.shown
            taken = Taken(item["id"], path, item["sha256"], item["size"], list(duplicate_of), None)
        except (KeyError, TypeError, ValueError):
            raise stranger() from None
        if taken.sha256 != ready.file.sha256:
            raise stranger()
        if self._receipts is None or not seal:
            return taken
        return replace(taken, receipt=keep_receipt(self._receipts, taken.id, statement, seal))


def _exactly(stream: BufferedReader, size: int) -> Iterator[bytes]:
    """As many bytes as were announced; a file that grew or shrank is refused before the request ends."""
    left = size
    for chunk in chunks(stream):
        if len(chunk) > left:
            raise changed()
        left -= len(chunk)
        yield chunk
    if left:
        raise changed()


def _questions(offers: Sequence[Offer]) -> Iterator[list[dict[str, Any]]]:
    """Offers as JSON, as many at once as the server takes."""
    files: list[dict[str, Any]] = []
    size = 0
    for offer in offers:
        record = {
            "sha256": offer.sha256,
            "name": recorded_name(offer.name),
            "source": offer.source.as_record(),
            "key": offer.key,
        }
        length = len(json.dumps(record))
        if files and size + length > QUESTION_BYTES:
            yield files
            files, size = [], 0
        files.append(record)
        size += length
    if files:
        yield files
