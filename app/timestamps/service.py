"""Time stamps of one archive: asked for, waited for, handed out.

What is stamped: the newest checkpoint, at most every `Settings.timestamp_seconds` (one token covers every event so
far); each deposit receipt, where that is wanted; bundles, audit reports and frozen releases. No event is recorded for a
token: the log must not grow by being stamped.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from pydantic import JsonValue
from sqlmodel import Session, col, select

from app.archive import Archive
from app.clock import rfc3339
from app.custody.models import CheckpointRow
from app.errands import Errands
from app.errors import CatenaError, EnvironmentFailedError, NotFoundError
from app.timestamps.authorities import Authorities, Authority, check_name, public_url
from app.timestamps.client import ask, new_client
from app.timestamps.recorded import ADDITION, CHANGE, REMOVAL, Recorded, fingerprints, read_recorded
from app.timestamps.rules import DONE, FAILED, PENDING, gives_up
from app.timestamps.stamps import Claimed, Stamps, StampState, state_of
from evidence_store.errors import EvidenceStoreError
from evidence_store.timestamps.request import token_of_response
from schemas.records.v1.event import Actor

if TYPE_CHECKING:  # an HTTP client is loaded when somebody is asked
    from app.outgoing import Outgoing

log = logging.getLogger("catena.timestamps")

STEP_SECONDS = 10.0  # for one request, from connecting to the last byte
PASS_SECONDS = 20.0  # for one call of `work`
LEASE_SECONDS = 60.0  # more than one attempt can take: resolving the name, some 30 s at worst, and STEP_SECONDS


def checkpoint_subject(size: int) -> str:
    """Subject of a checkpoint."""
    return f"checkpoint:{size}"


def receipt_subject(item_id: str) -> str:
    """Subject of a deposit receipt."""
    return f"receipt:{item_id}"


def release_subject(release_id: str) -> str:
    """Subject of a frozen release."""
    return f"release:{release_id}"


@dataclass(frozen=True, slots=True)
class Given:
    """What there is of the time stamps of one subject.

    Attributes:
        tokens: those that can be relied on, by authority.
        states: of each authority that was asked.
    """

    tokens: dict[str, bytes]
    states: dict[str, str]


class Timestamps:
    """The time stamps of one archive."""

    def __init__(self, archive: Archive) -> None:
        """Bind to an archive."""
        self._archive = archive
        self.configured = Authorities(archive.settings.tsas, partial(read_recorded, archive))
        self.stamps = Stamps(archive.db, archive.clock)
        self._passes, self._answers = Errands("catena-time"), Errands("catena-time")

    # -- authorities --------------------------------------------------------------------------

    def authorities(self) -> list[Authority]:
        """Those that are asked, by name; without those whose files are spoilt (`Authorities.all` tells of them).

        Raises:
            EnvironmentFailedError: `timestamp_authority_altered` when the log's own events cannot be read.
        """
        return self.configured.all().usable

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
            "change": ADDITION,
            "name": name,
            "url": public_url(url),
            "roots": [*sorted(fingerprints(trust.roots))],
            "intermediates": [*sorted(fingerprints(trust.intermediates))],
        }
        with self.configured.changing():
            with self._archive.db.write() as session:
                self._archive.custody.record(session, self._archive.about, CHANGE, actor, details=details)
                self.configured.check_new(name, url, pem)  # again: the log is locked now, and asking took its time
            return self.configured.add(name, url, pem, self._archive.custody.now())  # none that is not recorded

    def remove(self, actor: Actor, name: str) -> int:
        """Ask an authority no more; what it stamped stays verifiable. Recorded in the log.

        Returns:
            How many stamps that it never gave are given up.

        Raises:
            NotFoundError: `unknown_tsa`.
        """
        details: dict[str, JsonValue] = {"change": REMOVAL, "name": check_name(name)}
        with self.configured.changing():
            there = name in self.configured.names()  # whatever is in its files: removing puts an altered one right
            known = self.configured.recorded().get(name)
            if not there and (known is None or not known.asked):
                raise NotFoundError("unknown_tsa", f"no time-stamping authority is called {name!r} here")
            with self._archive.db.write() as session:
                self._archive.custody.record(session, self._archive.about, CHANGE, actor, details=details)
                dropped = self.stamps.forget_open(session, name)
            if there:
                self.configured.remove(name)
        return dropped

    # -- asking -------------------------------------------------------------------------------

    def request(self, session: Session, subject: str, imprint_hex: str) -> None:
        """Want a token of each authority over a SHA-256 digest; what is wanted already stays as it is.

        Args:
            session: the caller's unit of work.
            subject: `checkpoint:SIZE`, `receipt:ITEM`, `bundle:EXPORT`, `audit:ID` or `release:ID`.
            imprint_hex: the digest.

        Raises:
            InvalidInputError: `bad_subject`.
        """
        self.stamps.want(session, subject, imprint_hex, self.configured.names())

    def any_asked(self) -> bool:
        """Whether there is an authority that a `request` would ask."""
        return bool(self.configured.names())

    def work(self) -> None:
        """Want the newest checkpoint stamped, then ask each authority for what is due. Any process may call it.

        Raises:
            EnvironmentFailedError: `tsa_none_usable` when there are authorities, and the files of each are spoilt.
        """
        found = self.configured.all()
        if found.why_none is not None:
            raise EnvironmentFailedError("tsa_none_usable", found.why_none)
        authorities = found.usable
        if not authorities:
            return
        self._want_newest_checkpoint(authorities)
        until = time.monotonic() + PASS_SECONDS
        self._passes.run([(one.name, partial(self._serve, one, until)) for one in authorities], PASS_SECONDS * 2)

    def _want_newest_checkpoint(self, authorities: list[Authority]) -> None:
        """One at a time for each authority: the next covers all that the last does."""
        with self._archive.db.read() as session:
            newest = session.exec(select(CheckpointRow).order_by(col(CheckpointRow.size).desc()).limit(1)).one_or_none()
        if newest is None:
            return
        subject = checkpoint_subject(newest.size)
        now = self._archive.clock()
        lately = rfc3339(now - timedelta(seconds=self._archive.settings.timestamp_seconds)), rfc3339(now)
        for authority in authorities:
            last = self.stamps.newest_checkpoint(authority.name)
            if last is not None and (
                last.subject == subject
                or last.state == PENDING
                or lately[0] < last.requested_at <= lately[1]  # a time to come was written by a clock that was wrong
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

    def _attempt(self, client: Outgoing, authority: Authority, claimed: Claimed) -> bool:
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

            self._answers.run([(pair[0].name, partial(attempt, *pair)) for pair in asked], seconds)
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
        """The tokens over a subject, by authority; each was verified before it was stored.

        Those of an authority whose roots are gone, or not as the log says, are left out: nobody knows what they are
        under.
        """
        return self.given_to([subject])[subject].tokens

    def given_to(self, subjects: Sequence[str]) -> dict[str, Given]:
        """Tokens and states of each of some subjects, as `tokens` and `states`, in few queries."""
        said: Mapping[str, Recorded] | None = None
        found = {subject: Given({}, {}) for subject in subjects}
        for row in self.stamps.of_subjects(subjects):
            found[row.subject].states[row.tsa] = row.state
            if row.state != DONE or row.response is None:
                continue
            try:
                said = self.configured.recorded() if said is None else said
                if self.configured.trust(row.tsa, said) is None:
                    log.warning("the time stamp of %s by %s is left out: its roots are gone", row.subject, row.tsa)
                    continue
                found[row.subject].tokens[row.tsa] = token_of_response(row.response)
            except (CatenaError, EvidenceStoreError) as error:
                what = "the time stamp of %s by %s is left out, run 'catena audit': %s"
                log.warning(what, row.subject, row.tsa, error)
        return found

    def counts(self) -> dict[tuple[str, str], int]:
        """How many there are, by authority and state; all three states of each authority that is asked."""
        none = {(name, state): 0 for name in self.configured.names() for state in (PENDING, DONE, FAILED)}
        return none | self.stamps.counts()

    def states(self, subject: str) -> list[StampState]:
        """How far each time stamp of a subject has come, by authority."""
        return [state_of(row) for row in self.stamps.of_subject(subject)]
