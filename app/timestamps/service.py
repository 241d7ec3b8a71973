"""Time stamps of one archive: asked for, waited for, handed out.

What is stamped: the newest checkpoint, at most every `Settings.timestamp_seconds` (one token covers every event so
far); each deposit receipt, where that is wanted; bundles and audit reports. No event is recorded for a token: the log
must not grow by being stamped.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Final

import httpx
from cryptography.hazmat.primitives.serialization import Encoding
from pydantic import JsonValue
from sqlmodel import Session, col, select

from app.archive import Archive
from app.clock import rfc3339
from app.custody.models import CheckpointRow
from app.errors import CatenaError
from app.timestamps.authorities import Authorities, Authority, public_url
from app.timestamps.client import ask, new_client
from app.timestamps.rules import DONE, FAILED, PENDING, gives_up
from app.timestamps.stamps import Claimed, Stamps, StampState, state_of
from evidence_store.errors import EvidenceStoreError
from evidence_store.timestamps.request import token_of_response
from schemas.records.v1.event import Actor, EventType

log = logging.getLogger("catena.timestamps")

CHANGE: Final[EventType] = "time authority change"
STEP_SECONDS = 10.0  # connecting, sending, and waiting for bytes, each
PASS_SECONDS = 20.0  # for one call of `work`
LEASE_SECONDS = 60.0  # more than one attempt can take


def checkpoint_subject(size: int) -> str:
    """Subject of a checkpoint."""
    return f"checkpoint:{size}"


def receipt_subject(item_id: str) -> str:
    """Subject of a deposit receipt."""
    return f"receipt:{item_id}"


class Timestamps:
    """The time stamps of one archive."""

    def __init__(self, archive: Archive) -> None:
        """Bind to an archive."""
        self._archive = archive
        self.configured = Authorities(archive.settings.tsas)
        self.stamps = Stamps(archive.db, archive.clock)

    # -- authorities --------------------------------------------------------------------------

    def authorities(self) -> list[Authority]:
        """Those that are asked, by name.

        Raises:
            EnvironmentFailedError: `tsa_damaged`.
            EvidenceStoreError: `tsa_roots_malformed`.
        """
        return self.configured.all()

    def add(self, actor: Actor, name: str, url: str, pem: bytes, *, try_it: bool = True) -> Authority:
        """Ask an authority from now on; recorded in the log.

        Args:
            actor: who says so.
            name: lower case letters, digits and hyphens.
            url: where it takes requests.
            pem: its roots, and what may stand between.
            try_it: get one token first, over nothing in particular.

        Raises:
            CatenaError: `bad_tsa_name`, `bad_tsa_url`, `tsa_name_taken`; `tsa_unreachable` when it was tried.
            EvidenceStoreError: `tsa_roots_malformed`; what is wrong with its token, when it was tried.
        """
        trust = self.configured.check_new(name, url, pem)
        if try_it:
            digest = hashlib.sha256(f"catena asks whether {name} answers".encode()).digest()
            with new_client(STEP_SECONDS) as client:
                ask(client, Authority(name, url, "", trust), digest, STEP_SECONDS)
        details: dict[str, JsonValue] = {
            "change": "addition",
            "name": name,
            "url": public_url(url),
            "roots": [hashlib.sha256(each.public_bytes(Encoding.DER)).hexdigest() for each in trust.roots],
        }
        with self._archive.db.write() as session:
            self._archive.custody.record(session, self._archive.about, CHANGE, actor, details=details)
        return self.configured.add(name, url, pem, self._archive.custody.now())  # none that is not recorded

    def remove(self, actor: Actor, name: str) -> int:
        """Ask an authority no more; what it stamped stays verifiable. Recorded in the log.

        Returns:
            How many stamps that it never gave are given up.

        Raises:
            NotFoundError: `unknown_tsa`.
        """
        self.configured.get(name)
        details: dict[str, JsonValue] = {"change": "removal", "name": name}
        with self._archive.db.write() as session:
            self._archive.custody.record(session, self._archive.about, CHANGE, actor, details=details)
            dropped = self.stamps.forget_open(session, name)
        self.configured.remove(name)
        return dropped

    # -- asking -------------------------------------------------------------------------------

    def request(self, session: Session, subject: str, imprint_hex: str) -> None:
        """Want a token of each authority over a SHA-256 digest; what is wanted already stays as it is.

        Args:
            session: the caller's unit of work.
            subject: `checkpoint:SIZE`, `receipt:ITEM`, `bundle:EXPORT` or `audit:ID`.
            imprint_hex: the digest.

        Raises:
            InvalidInputError: `bad_subject`.
        """
        self.stamps.want(session, subject, imprint_hex, self.configured.names())

    def work(self) -> None:
        """Want the newest checkpoint stamped, then ask each authority for what is due. Any process may call it."""
        authorities = self.authorities()
        if not authorities:
            return
        self._want_newest_checkpoint(authorities)
        until = time.monotonic() + PASS_SECONDS
        _each_in_a_thread([partial(self._serve, one, until) for one in authorities], PASS_SECONDS * 2)

    def _want_newest_checkpoint(self, authorities: list[Authority]) -> None:
        """One at a time for each authority: the next covers all that the last does."""
        with self._archive.db.read() as session:
            newest = session.exec(select(CheckpointRow).order_by(col(CheckpointRow.size).desc()).limit(1)).one_or_none()
        if newest is None:
            return
        subject = checkpoint_subject(newest.size)
        earliest = self._archive.clock() - timedelta(seconds=self._archive.settings.timestamp_seconds)
        for authority in authorities:
            last = self.stamps.newest_checkpoint(authority.name)
            if last is not None and (
                last.subject == subject or last.state == PENDING or last.requested_at > rfc3339(earliest)
            ):
                continue
            with self._archive.db.write() as session:
                self.stamps.want(session, subject, hashlib.sha256(newest.note).hexdigest(), [authority.name])

    def _serve(self, authority: Authority, until: float) -> None:
        """Work off what is due at one authority, until it fails or the time is over."""
        with new_client(STEP_SECONDS) as client:
            while time.monotonic() < until:
                claimed = self.stamps.claim(authority.name, LEASE_SECONDS)
                if claimed is None or not self._attempt(client, authority, claimed):
                    return

    def _attempt(self, client: httpx.Client, authority: Authority, claimed: Claimed) -> bool:
        """Ask once; what comes out is stored either way."""
        try:
            stamped = ask(client, authority, claimed.imprint, STEP_SECONDS)
        except (CatenaError, EvidenceStoreError) as error:
            waited = (self._archive.clock() - datetime.fromisoformat(claimed.requested_at)).total_seconds()
            final = gives_up(error.code, waited)
            log.warning("%s is not stamped by %s: %s", claimed.subject, claimed.tsa, error)
            self.stamps.put_off(claimed, str(error), final=final)
            return False
        self.stamps.done(claimed, stamped)
        return True

    def obtain(self, subject: str, seconds: float) -> list[StampState]:
        """Ask for the tokens of one subject now, and wait at most so long; each authority is asked once.

        Returns:
            How far each has come.
        """
        if seconds > 0:
            known = {one.name: one for one in self.authorities()}
            claimed = self.stamps.claim_subject(subject, LEASE_SECONDS)
            asked = [(known[one.tsa], one) for one in claimed if one.tsa in known]
            step = min(STEP_SECONDS, seconds)

            def attempt(authority: Authority, one: Claimed) -> None:
                with new_client(step) as client:
                    self._attempt(client, authority, one)

            _each_in_a_thread([partial(attempt, *pair) for pair in asked], seconds)
        return self.states(subject)

    def retry(self, name: str | None = None) -> int:
        """Ask again for what failed or waits, at one authority or all.

        Returns:
            How many that are.

        Raises:
            NotFoundError: `unknown_tsa`.
        """
        names = self.configured.names() if name is None else [self.configured.get(name).name]
        return self.stamps.again(names)

    # -- what is there ------------------------------------------------------------------------

    def tokens(self, subject: str) -> dict[str, bytes]:
        """The tokens over a subject, by authority; each was verified before it was stored."""
        found = {}
        for row in self.stamps.of_subject(subject):
            if row.state != DONE or row.response is None:
                continue
            try:
                found[row.tsa] = token_of_response(row.response)
            except EvidenceStoreError as error:
                log.warning("the time stamp of %s by %s is damaged, run 'catena audit': %s", subject, row.tsa, error)
        return found

    def counts(self) -> dict[tuple[str, str], int]:
        """How many there are, by authority and state; all three states of each authority that is asked."""
        none = {(name, state): 0 for name in self.configured.names() for state in (PENDING, DONE, FAILED)}
        return none | self.stamps.counts()

    def states(self, subject: str) -> list[StampState]:
        """How far each time stamp of a subject has come, by authority."""
        return [state_of(row) for row in self.stamps.of_subject(subject)]


def _each_in_a_thread(works: list[Callable[[], object]], seconds: float) -> None:
    """Run all at once, so that a slow authority holds up no other, and wait at most so long.

    What is not done by then goes on by itself, and is bounded by its own time limits.

    Raises:
        CatenaError: or an `EvidenceStoreError`: the first that one of them raised.
    """
    failures: list[CatenaError | EvidenceStoreError] = []

    def run(work: Callable[[], object]) -> None:
        try:
            work()
        except (CatenaError, EvidenceStoreError) as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(work,), name="catena-time", daemon=True) for work in works]
    deadline = time.monotonic() + seconds
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    if failures:
        raise failures[0]
