"""What goes on beside the requests: each attendant does one thing every few seconds, in a thread of its own.

A slow time-stamping authority must hold up neither witnesses nor the signing of the head, so each has its own thread.
A failure is told in the log and tried again; it never ends the thread.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from app.api.services import Services
from app.audit.service import Audits
from app.errors import CatenaError
from app.matching.service import Matching
from evidence_store.errors import EvidenceStoreError

log = logging.getLogger("catena.attendants")

CHECKPOINT_SECONDS = 5.0
AUDIT_SECONDS = 2.0
TIMESTAMP_SECONDS = 3.0
WITNESS_SECONDS = 5.0
UPLOAD_SECONDS = 15.0
RENEWAL_SECONDS = 5.0
DENIALS_SECONDS = 60.0


class Attendant:
    """Calls one function again and again until told to stop, and once more then."""

    def __init__(self, what: str, every: float, work: Callable[[], None]) -> None:
        """Name the work.

        Args:
            what: what is being done, for the log: "the log's head is not signed".
            every: seconds between two calls.
            work: the function.
        """
        self._what = what
        self._every = every
        self._work = work
        self._stop = threading.Event()

    def stop(self) -> None:
        """Work once more, then end."""
        self._stop.set()

    def run(self) -> None:
        """Work until told to stop."""
        while not self._stop.wait(self._every):
            self.once()
        self.once()

    def once(self) -> None:
        """Work one time; what fails is told."""
        try:
            self._work()
        except (CatenaError, EvidenceStoreError) as error:
            log.warning("%s: %s", self._what, error)
        except Exception:
            log.exception("%s", self._what)  # a row that somebody spoilt must not end the thread


class UploadKeeper(Attendant):
    """Finishes interrupted uploads, ends expired ones. Not once more at the end: a large one may take minutes."""

    def run(self) -> None:
        """Work at once, then until told to stop."""
        self.once()
        while not self._stop.wait(self._every):
            self.once()


class Renewer(Attendant):
    """Queues what only older recipes have fingerprinted, until nothing is left; a new recipe comes with a restart."""

    def __init__(self, matching: Matching) -> None:
        """Bind to the matching of one archive."""
        super().__init__("fingerprints of older recipes are not renewed", RENEWAL_SECONDS, self._renew)
        self._matching = matching
        self._left = True

    def run(self) -> None:
        """Work at once, then until told to stop or all is queued."""
        self.once()
        while self._left and not self._stop.wait(self._every):
            self.once()

    def _renew(self) -> None:
        self._left = self._matching.renew() > 0


class Auditor(Attendant):
    """Audits what is asked for, was interrupted or is due. It ends in the middle of an audit: the next one goes on."""

    def __init__(self, audits: Audits) -> None:
        """Bind to the audits of one archive."""
        super().__init__("the archive is not audited", AUDIT_SECONDS, self._audit)
        self._audits = audits

    def run(self) -> None:
        """Work until told to stop, and not once more then."""
        while not self._stop.wait(self._every):
            self.once()

    def _audit(self) -> None:
        self._audits.work(self._stop)


def attendants(services: Services) -> list[Attendant]:
    """All attendants that a server or a worker has."""

    def sign() -> None:
        if services.log_has_grown():
            services.checkpoint()

    return [
        Attendant("the log's head is not signed", CHECKPOINT_SECONDS, sign),
        Attendant("time stamps are not asked for", TIMESTAMP_SECONDS, services.timestamps.work),
        Attendant("witnesses are not asked", WITNESS_SECONDS, services.witnessing.work),
        UploadKeeper("uploads are not looked after", UPLOAD_SECONDS, services.uploads.work),
        Auditor(services.audits),
        Renewer(services.matching),
        Attendant("denied attempts that were left out are not told", DENIALS_SECONDS, services.access.tell_left_out),
    ]
