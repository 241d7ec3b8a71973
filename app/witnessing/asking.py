"""Asking witnesses for co-signatures, and believing nothing of an answer that does not verify."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from functools import partial

from pydantic import JsonValue

from app.archive import Archive
from app.custody.log_store import computed
from app.custody.models import CheckpointRow
from app.custody.service import SYSTEM
from app.errands import Errands
from app.errors import CatenaError, EnvironmentFailedError
from app.witnessing.client import new_client, post
from app.witnessing.contacts import Claimed, Contacts
from app.witnessing.rules import AheadError, ContradictionError, Cosigned, ask_for, key_name
from evidence_store.errors import EvidenceStoreError
from evidence_store.log import merkle
from evidence_store.log.cosignature import Cosignature, add_lines, verify_cosignatures
from evidence_store.log.policy import Policy

log = logging.getLogger("catena.witnessing")

STEP_SECONDS = 10.0  # for one request, from connecting to the last byte


class Asking:
    """Asks the witnesses of one archive."""

    def __init__(self, archive: Archive, contacts: Contacts) -> None:
        """Bind to an archive, and to what is kept of its witnesses."""
        self._archive = archive
        self._contacts = contacts
        self._errands = Errands("catena-witness")

    def ask(self, policy: Policy, seconds: float, *, now: bool) -> None:
        """Ask for the newest checkpoint.

        Args:
            policy: whose witnesses are asked.
            seconds: how long is waited; what is not done by then goes on by itself.
            now: ask those too that are not due.
        """
        newest = self._contacts.newest_checkpoint()
        if newest is None:
            return
        due = self._contacts.claim(list(policy.witnesses.values()), newest.size, now=now)
        self._errands.run([(claimed.url, partial(self._ask_one, claimed, newest)) for claimed in due], seconds)

    def _ask_one(self, claimed: Claimed, checkpoint: CheckpointRow) -> None:
        """Ask one address; what comes out is stored either way."""
        try:
            cosigned, found = self._exchange(claimed, checkpoint)
        except AheadError as ahead:
            newest = self._contacts.newest_checkpoint()
            has = newest.size if newest else 0
            if has >= ahead.known_size:
                self._contacts.failed(claimed, f"{ahead}; another process was faster")
            else:
                detail = f"the witness has co-signed {ahead.known_size} events, our newest checkpoint has {has}"
                self._alarm(claimed, checkpoint, ContradictionError(detail, ahead.known_size))
        except ContradictionError as error:
            self._alarm(claimed, checkpoint, error)
        except (CatenaError, EvidenceStoreError) as error:
            log.warning("checkpoint %d is not co-signed at %s: %s", checkpoint.size, claimed.url, error)
            self._contacts.failed(claimed, str(error))
        else:
            self._accept(claimed, checkpoint, cosigned, found)

    def _exchange(self, claimed: Claimed, checkpoint: CheckpointRow) -> tuple[Cosigned, list[Cosignature]]:
        with new_client(STEP_SECONDS) as client:
            cosigned = ask_for(
                lambda request: post(client, claimed.url, request, STEP_SECONDS),
                self._prove,
                claimed.size,
                checkpoint.size,
                checkpoint.note,
            )
        return cosigned, verified(cosigned.body, checkpoint.note, claimed)

    def _prove(self, old: int, new: int) -> list[bytes]:
        with self._archive.db.read() as session:
            return computed(session, partial(merkle.consistency_proof, old, new))

    def _accept(
        self, claimed: Claimed, checkpoint: CheckpointRow, cosigned: Cosigned, found: Sequence[Cosignature]
    ) -> None:
        notice = None
        if cosigned.old < claimed.size:
            notice = f"it named {cosigned.old} as its newest size, but had co-signed {claimed.size}: it has forgotten"
            log.warning("%s: %s", claimed.url, notice)
        for witness in self._contacts.done(claimed, checkpoint.size, found, notice):
            log.warning("checkpoint %d: no co-signature of %s came from %s", checkpoint.size, witness.name, claimed.url)

    def _alarm(self, claimed: Claimed, checkpoint: CheckpointRow, error: ContradictionError) -> None:
        """Keep and tell that a witness contradicts; the first time it is an event, too."""
        details: dict[str, JsonValue] = {
            "change": "contradiction",
            "witnesses": [key_name(witness.key) for witness in claimed.witnesses],
            "witness_size": error.known_size,
            "checkpoint_size": checkpoint.size,
            "checkpoint_sha256": hashlib.sha256(checkpoint.note).hexdigest(),
            "detail": error.detail,
        }
        with self._archive.db.write() as session:
            if self._contacts.contradicted(session, claimed, error.detail):
                custody, about = self._archive.custody, self._archive.about
                custody.record(session, about, "witness contradiction", SYSTEM, details=details)
        names = ", ".join(witness.name for witness in claimed.witnesses)
        log.error("A WITNESS CONTRADICTS THIS LOG (%s at %s): %s", names, claimed.url, error.detail)


def verified(body: bytes, note: bytes, claimed: Claimed) -> list[Cosignature]:
    """The co-signatures of an answer.

    Args:
        body: signature lines; those of unknown keys are ignored.
        note: what they must be over.
        claimed: whose they may be.

    Raises:
        EnvironmentFailedError: `witness_answer_bad`.
    """
    try:
        lines = body.decode("utf-8").split("\n")
        cosigned = add_lines(note, [f"{line}\n" for line in lines[:-1]])
        found = verify_cosignatures(cosigned, [witness.key for witness in claimed.witnesses])
    except (UnicodeDecodeError, EvidenceStoreError) as error:
        raise EnvironmentFailedError("witness_answer_bad", f"its answer is no co-signature: {error}") from None
    if lines[-1] or any(one.time == 0 for one in found):
        raise EnvironmentFailedError("witness_answer_bad", "its answer is cut off, or states no time")
    return found
