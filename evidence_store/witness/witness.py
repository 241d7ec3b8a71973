"""The witness: takes a request, decides, remembers, and only then signs.

Everything between reading the state and having replaced it happens under the lock, so that two requests, threads or
processes cannot sign two continuations of one checkpoint. A crash after the state was replaced and before the answer
loses no more than the answer: the log asks again with the size that the conflict names and gets its signature.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Final

from evidence_store.errors import EvidenceStoreError
from evidence_store.keys.cosigner import Cosigner
from evidence_store.witness.folder import WitnessFolder
from evidence_store.witness.request import AddCheckpoint, parse_request
from evidence_store.witness.rules import (
    NOTHING,
    EquivocationError,
    RefusalError,
    Seen,
    require_continued,
    require_signed,
)

log = logging.getLogger("catena.witness")

MAX_CLOCK_STEP_BACK: Final = 60
"""Seconds: a clock that is further behind what it signed before is refused, less is treated as standing still."""


class Witness:
    """One witness, its keys opened."""

    def __init__(self, folder: WitnessFolder, cosigners: Sequence[Cosigner], now: Callable[[], int]) -> None:
        """Bind to the folder.

        Args:
            folder: its files.
            cosigners: its keys.
            now: seconds since 1970 (UTC).
        """
        self.folder = folder
        self._cosigners = tuple(cosigners)
        self._now = now

    def add_checkpoint(self, body: bytes) -> str:
        """Answer an add-checkpoint request (C2SP tlog-witness).

        Args:
            body: of the request.

        Returns:
            Co-signature lines, one for each key of the witness.

        Raises:
            RefusalError: with the status to answer; `witness_request_form` is 400.
            EvidenceStoreError: the witness itself is in trouble: `witness_state_missing`, `witness_state_damaged`,
                `witness_clock_behind`, `witness_logs_missing`, `policy_form`, `storage_full`, `storage_failed`,
                `signer_faulty`.
        """
        try:
            request = parse_request(body)
        except EvidenceStoreError as error:
            raise RefusalError(HTTPStatus.BAD_REQUEST, error.code, error.detail) from None
        note = require_signed(request, self.folder.logs())
        with self.folder.state.locked():
            state = self.folder.state.read()
            seen = state.get(request.checkpoint.origin, NOTHING)
            try:
                require_continued(request, seen)
            except EquivocationError:
                self._keep(request, note)
                raise
            at = self._time_after(seen)
            state[request.checkpoint.origin] = Seen(request.checkpoint.size, request.checkpoint.root, at, note)
            self.folder.state.write(state)
            return self._sign(request, at)

    def _sign(self, request: AddCheckpoint, at: int) -> str:
        return "".join(cosigner.line(request.text, at) for cosigner in self._cosigners)

    def _time_after(self, seen: Seen) -> int:
        """Now; never before the last signature, which said that its tree was the newest then."""
        now = self._now()
        if now + MAX_CLOCK_STEP_BACK < seen.time:
            raise EvidenceStoreError(
                "witness_clock_behind", "the clock is behind the time of the last co-signature; nothing is signed"
            )
        return max(now, seen.time)

    def _keep(self, request: AddCheckpoint, note: bytes) -> None:
        checkpoint = request.checkpoint
        kept = self.folder.keep_equivocation(checkpoint, note)
        log.error("log %r signed two roots of size %d; the second is in %s", checkpoint.origin, checkpoint.size, kept)
