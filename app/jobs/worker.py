"""The loop that does the work: claim, keep the lease alive, hand to the registered handler."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from app.errors import CatenaError
from app.jobs.service import Claim, Jobs, LeaseLostError, NotYetError
from evidence_store.errors import EvidenceStoreError

log = logging.getLogger("catena.worker")

# A handler may give back the claim of what follows from its job (`Jobs.take_on`); its worker does that next.
Handler = Callable[[Claim], Claim | None]
IDLE_SECONDS = 0.25
COUNT_SECONDS = 0.5
WAIT_SECONDS = 30.0
# Failures of the machine, not of the job: it waits until they are over.
PASSING = frozenset({"storage_full", "database_busy", "sandbox_insufficient", "sandbox_unavailable"})


class Worker:
    """Runs jobs until told to stop."""

    def __init__(
        self, jobs: Jobs, handlers: Mapping[str, Handler], not_now: Callable[[], Sequence[str]] = tuple
    ) -> None:
        """Bind to jobs and handlers.

        Args:
            jobs: the job table.
            handlers: by job kind.
            not_now: kinds that would only wait for what another worker of this process is about.
        """
        self._jobs = jobs
        self._handlers = handlers
        self._not_now = not_now
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._current: Claim | None = None
        self._heart = _Heart(jobs)
        self.worked = 0
        self.name = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:6]}"

    def stop(self) -> None:
        """Finish the current job, then end."""
        self._stop.set()

    def let_go(self) -> bool:
        """Give the job that is under way back at once: this worker ends before it. False when there is none.

        Whatever its handler still does is not kept; another worker begins it anew.
        """
        with self._lock:
            claim, self._current = self._current, None
        if claim is None:
            return False
        self._jobs.postpone(claim, "its worker was stopped", 0.0)
        return True

    def run(self) -> None:
        """Work until stopped; an error in one job never ends the loop."""
        with self._heart:
            self._run()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                busy = self.run_one()
            except (CatenaError, EvidenceStoreError) as error:
                log.warning("worker pauses: %s", error)
                busy = False
            except Exception:  # a thread that ends is missed by nobody until all are gone
                log.exception("worker pauses")
                busy = False
            if not busy:
                self._stop.wait(IDLE_SECONDS)

    def drain(self, *, progress: Callable[[int], None] | None = None, wait_s: float = 0.0) -> None:
        """Work until nothing is left that is ready or running.

        Args:
            progress: told the number of unfinished jobs, every half second and at the end.
            wait_s: how long to wait for other workers' jobs and for retries.
        """
        with self._heart:
            self._drain(progress, wait_s)

    def _drain(self, progress: Callable[[int], None] | None, wait_s: float) -> None:
        waited_since, counted = time.monotonic(), 0.0
        while not self._stop.is_set():
            busy = self.run_one()
            now = time.monotonic()
            # Counting takes longer the more there is: it is for those who look on, and for the end.
            if busy and (progress is None or now - counted < COUNT_SECONDS):
                waited_since = now
                continue
            counted = now
            left = self._jobs.unfinished()
            if progress is not None:
                progress(left)
            if left == 0:
                return
            if busy:
                waited_since = time.monotonic()
            elif self._not_now():  # who is held back waits as well: most of what is left may be of that kind
                waited_since = time.monotonic()
                self._stop.wait(IDLE_SECONDS)
            elif time.monotonic() - waited_since > wait_s:
                return
            else:
                self._stop.wait(IDLE_SECONDS)

    def run_one(self) -> bool:
        """Do one job, and what follows from it; False when there was none."""
        claim = self._jobs.claim(self.name, self._not_now())
        if claim is None:
            return False
        with self._heart:
            try:
                while claim is not None:
                    with self._lock:
                        self._current = claim
                    claim = self._do(claim)
            finally:
                with self._lock:
                    self._current = None
        return True

    def _do(self, claim: Claim) -> Claim | None:
        handler = self._handlers.get(claim.kind)
        if handler is None:
            self._jobs.fail(claim, f"no handler for {claim.kind!r}")
            return None
        began, follows = time.monotonic(), None
        with self._heart.beating_for(claim):
            try:
                follows = handler(claim)
                took = time.monotonic() - began
                log.info("job %s (%s): done in %.2f s", claim.id, claim.kind, took)
            except LeaseLostError:
                log.warning("job %s (%s): the lease was lost, its result is not kept", claim.id, claim.kind)
            except NotYetError:
                self._jobs.give_back(claim)
                return None
            except (CatenaError, EvidenceStoreError) as error:
                self._failed(claim, error)
            except Exception as error:
                log.exception("job %s (%s) failed", claim.id, claim.kind)
                self._jobs.fail(claim, f"internal: {type(error).__name__}")
        self.worked += 1
        return follows

    def _failed(self, claim: Claim, error: CatenaError | EvidenceStoreError) -> None:
        reason = f"{error.code}: {error.detail}"
        log.info("job %s (%s), attempt %s: %s", claim.id, claim.kind, claim.attempt, reason)
        if error.code in PASSING:
            self._jobs.postpone(claim, reason, WAIT_SECONDS)
        else:
            self._jobs.fail(claim, reason)


class _Heart:
    """Prolongs the lease of the job under way while its handler works, from a thread of its own.

    It is one thread for all jobs of a worker, begun by the first: for each of a photo's jobs, one of its own would take
    a tenth of the time. Who works enters it, more than once if need be, and when that is left it ends. All that is one
    thread of the worker's.
    """

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs
        self._lock = threading.Lock()
        self._claim: Claim | None = None
        self._entered = 0
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> None:
        self._entered += 1

    def __exit__(self, *_: object) -> None:
        self._entered -= 1
        if self._entered == 0 and self._thread is not None:
            self._ended.set()
            self._thread.join()
            self._thread = None

    @contextmanager
    def beating_for(self, claim: Claim) -> Iterator[None]:
        """Prolong this lease, the first time within a third of its length; called by who has entered.

        It begins and ends between two beats: the next job must not be without a heart because one for this one hangs.
        """
        with self._lock:
            self._claim = claim
        try:
            if self._thread is None:
                self._ended.clear()
                thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)
                thread.start()  # where there is no room for another thread, the next job tries again
                self._thread = thread
            yield
        finally:
            with self._lock:
                self._claim = None

    def _beat(self) -> None:
        while not self._ended.wait(self._jobs.lease_seconds / 3):
            with self._lock:
                if self._claim is not None and not self._prolonged(self._claim):
                    self._claim = None

    def _prolonged(self, claim: Claim) -> bool:
        """False when the lease is lost."""
        try:
            return self._jobs.heartbeat(claim)
        except CatenaError as error:
            log.warning("heartbeat of job %s: %s", claim.id, error)
        except Exception:  # the next beat may still save the lease
            log.exception("heartbeat of job %s", claim.id)
        return True
