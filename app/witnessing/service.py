"""Witnessing as a use-case: who is asked, who has co-signed, and whether that is enough.

No event is recorded for a co-signature: the log must not grow by being witnessed. A contradiction, its
acknowledgement, and a change of the policy are events: they are about this archive, and rare.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from pydantic import JsonValue

from app.archive import Archive
from app.custody.models import CheckpointRow
from app.custody.vkeys import cosigner_keys, log_keys
from app.errors import InvalidInputError
from app.witnessing.asking import Asking
from app.witnessing.contacts import Contacts
from app.witnessing.policies import Policies, checked
from app.witnessing.rules import key_name
from evidence_store.log.cosignature import add_lines, format_cosigner_vkey
from evidence_store.log.policy import Policy
from schemas.records.v1.event import Actor

MAX_REASON = 1000
PASS_SECONDS = 40.0  # for one call of `work`
RECENT = 200
"""Among so many of the newest co-signed sizes one is looked for that meets the policy."""


@dataclass(frozen=True, slots=True)
class WitnessState:
    """How it goes with one witness.

    Attributes:
        name: in the policy.
        vkey: its key.
        url: where it is asked; None when it is not.
        size: the newest size that it has co-signed, 0 for none.
        last_ok_at: RFC 3339; None when it never co-signed.
        failures: in a row.
        next_attempt_at: RFC 3339; None when it was never asked.
        error: of the last attempt, or what is to be known of it; None when all is well.
        contradiction: what it said against this log, with its time, until somebody acknowledges it.
    """

    name: str
    vkey: str
    url: str | None
    size: int
    last_ok_at: str | None
    failures: int
    next_attempt_at: str | None
    error: str | None
    contradiction: str | None


@dataclass(frozen=True, slots=True)
class WitnessingState:
    """How it goes with witnessing.

    Attributes:
        quorum: name of the witness or group that must co-sign; None without a policy.
        size: of the newest checkpoint; None when there is none.
        met: whether the newest checkpoint meets the policy; None without a policy.
        met_size: of the newest checkpoint that does; None when none does.
        witnesses: of the policy, in its order.
    """

    quorum: str | None
    size: int | None
    met: bool | None
    met_size: int | None
    witnesses: tuple[WitnessState, ...]

    @property
    def contradicted(self) -> bool:
        """Whether a witness has seen another history of this log."""
        return any(one.contradiction for one in self.witnesses)


class Witnessing:
    """The witnesses of one archive's log."""

    def __init__(self, archive: Archive) -> None:
        """Bind to an archive."""
        self._archive = archive
        self._contacts = Contacts(archive.db, archive.clock)
        self._asking = Asking(archive, self._contacts)
        self.policies = Policies(archive.settings.witness_policy)

    # -- the policy ---------------------------------------------------------------------------

    def set_policy(self, actor: Actor, data: bytes) -> Policy:
        """Follow another policy from now on; recorded in the log.

        Raises:
            InvalidInputError: `policy_too_large`, `policy_of_other_log`, `policy_own_key`, `policy_address`.
            EvidenceStoreError: `policy_form`, `vkey_form`.
        """
        keys = self._archive.settings.keys
        own = [*(key.public_key for key in log_keys(keys)), *(key.public_key for key in cosigner_keys(keys))]
        text, policy = checked(data, self._archive.identity.log, own)
        details: dict[str, JsonValue] = {
            "policy_sha256": hashlib.sha256(text.encode()).hexdigest(),
            "quorum": policy.quorum,
            "witnesses": [key_name(key) for key in policy.keys],
        }
        with self._archive.db.write() as session:
            self._archive.custody.record(session, self._archive.about, "witness policy change", actor, details=details)
        self.policies.write(text)  # none is in force that is not recorded
        return policy

    # -- asking -------------------------------------------------------------------------------

    def work(self) -> None:
        """Ask every witness that is due for the newest checkpoint. Any process may call it."""
        policy = self.policies.read()
        if policy is not None:
            self._asking.ask(policy, PASS_SECONDS, now=False)

    def obtain(self, seconds: float) -> None:
        """Ask all witnesses that lack the newest checkpoint now, and wait at most so long."""
        policy = self.policies.read() if seconds > 0 else None
        if policy is not None:
            self._asking.ask(policy, seconds, now=True)

    def acknowledge(self, actor: Actor, name: str, reason: str) -> None:
        """Take a contradiction note off a witness, after it was looked into; recorded in the log.

        Args:
            actor: who says so.
            name: of the witness in the policy, or of its key (name+hexkeyid) when it is in the policy no more.
            reason: what was found.

        Raises:
            NotFoundError: `no_contradiction`.
            InvalidInputError: `bad_reason`.
        """
        policy = self.policies.read()
        witness = policy.witnesses.get(name) if policy else None
        key = name if witness is None else key_name(witness.key)
        if not 1 <= len(reason) <= MAX_REASON or not reason.isprintable():
            raise InvalidInputError("bad_reason", f"a reason is one line of at most {MAX_REASON} characters")
        with self._archive.db.write() as session:
            said = self._contacts.acknowledge(session, key)
            details: dict[str, JsonValue] = {
                "change": "acknowledgement",
                "witnesses": [key],
                "contradiction": said,
                "reason": reason,
            }
            custody, about = self._archive.custody, self._archive.about
            custody.record(session, about, "witness contradiction", actor, details=details)

    # -- what is there ------------------------------------------------------------------------

    def cosigned(self, size: int) -> bytes | None:
        """The checkpoint of a size with the lines of all its witnesses; None when none has co-signed it."""
        with self._archive.db.read() as session:
            row = session.get(CheckpointRow, size)
        lines = [one.line for one in self._contacts.cosignatures(size)]
        return add_lines(row.note, lines) if row is not None and lines else None

    def met_size(self) -> int | None:
        """Size of the newest checkpoint that meets the policy; None without one, or when none of the newest does."""
        policy = self.policies.read()
        if policy is None:
            return None
        if policy.satisfied([]):
            newest = self._contacts.newest_checkpoint()
            return newest.size if newest else None
        keys = {key_name(key): key for key in policy.keys}
        for size, names in self._contacts.recent(RECENT).items():
            if policy.satisfied([keys[name] for name in names if name in keys]):
                return size
        return None

    def state(self) -> WitnessingState:
        """How it goes."""
        policy = self.policies.read()
        newest = self._contacts.newest_checkpoint()
        size = newest.size if newest else None
        if policy is None:
            return WitnessingState(None, size, None, None, ())
        witnesses = list(policy.witnesses.values())
        met = self.met_size()
        states = tuple(
            WitnessState(
                name=witness.name,
                vkey=format_cosigner_vkey(witness.key.name, witness.key.algorithm, witness.key.public_key),
                url=witness.url,
                size=row.size,
                last_ok_at=row.last_ok_at,
                failures=row.failures,
                next_attempt_at=row.next_attempt_at or None,
                error=row.last_error,
                contradiction=row.contradiction,
            )
            for witness, row in zip(witnesses, self._contacts.of(witnesses), strict=True)
        )
        return WitnessingState(policy.quorum, size, size is not None and met == size, met, states)
