"""What others say for a bundle: time stamps, co-signatures, renewals.

1. Nothing here stops a disclosure: what does not come in time is missing from the bundle, and the bundle says so.
2. A time stamp is called done only when its token goes into the bundle.
"""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from pydantic import JsonValue

from app.archive import Archive
from app.errors import CatenaError
from app.renewal.service import Renewals
from app.timestamps.rules import FAILED, PENDING
from app.timestamps.service import Given, Timestamps, checkpoint_subject, receipt_subject
from app.witnessing.service import Witnessing
from evidence_store.bundle.manifest import DONE, Stamp, TimeStatement, WitnessStatement
from evidence_store.errors import EvidenceStoreError
from evidence_store.log.cosignature import verify_cosignatures
from evidence_store.log.policy import Policy
from evidence_store.seal import add_tokens, seal_imprint

log = logging.getLogger("catena.export")

CHECKPOINT_SECONDS = 5.0
"""How long an export waits for witnesses and, at the same time, for time stamps of its checkpoint."""

SEAL_SECONDS = 5.0
"""How long it then waits for time stamps of the bundle's seal."""

LATER_SEAL_SECONDS = 0.5
"""How long it waits for those of a further part, once an authority has not answered in time."""

_TROUBLE = (CatenaError, EvidenceStoreError, OSError)


@dataclass(frozen=True, slots=True)
class Vouchers:
    """Who vouches for a bundle, besides the seal key.

    Attributes:
        checkpoint: signs the log as it stands and returns the base note.
        timestamps: time-stamping authorities.
        witnessing: witnesses of the log.
        renewals: of the log's history.
    """

    checkpoint: Callable[[], bytes]
    timestamps: Timestamps
    witnessing: Witnessing
    renewals: Renewals


@dataclass(frozen=True, slots=True)
class Stamped:
    """What there is of the time stamps of one subject.

    Attributes:
        tokens: those that can be checked, by authority.
        states: of each authority that was asked or is configured: done only when its token is in `tokens`.
    """

    tokens: Mapping[str, bytes]
    states: Mapping[str, str]


class Attestation:
    """What others say for one export in the making: for its one bundle, or for one part of its set after another."""

    def __init__(self, archive: Archive, vouchers: Vouchers, export_id: str) -> None:
        """Bind to an export."""
        self._archive = archive
        self._time = vouchers.timestamps
        self._witnessing = vouchers.witnessing
        self._vouchers = vouchers
        self._export_id = self._bundle_id = export_id
        self._receipts: Counter[str] = Counter()
        self._of_receipts: Mapping[str, Stamped] = {}
        self._seal_seconds = SEAL_SECONDS
        self.roots: dict[str, bytes] = {}
        self.checkpoint = Stamped({}, {})
        self.seal_states: Mapping[str, str] = {}
        self.stamps: list[Stamp] = []
        self._of_checkpoint: list[Stamp] = []

    # -- the checkpoint -----------------------------------------------------------------------

    def ask_for_checkpoint(self, note: bytes, size: int) -> None:
        """Ask witnesses and authorities for the bundle's checkpoint, all at once, and wait a little."""
        subject = checkpoint_subject(size)
        asked = [
            partial(self._witnessing.obtain, CHECKPOINT_SECONDS),
            partial(self._obtain, subject, hashlib.sha256(note).hexdigest(), CHECKPOINT_SECONDS),
        ]
        with ThreadPoolExecutor(len(asked)) as pool:
            for what, answer in zip(("witnesses", "authorities"), [pool.submit(work) for work in asked], strict=True):
                try:
                    answer.result()
                except _TROUBLE as error:
                    log.warning("export %s goes on without what its %s would say: %s", self._export_id, what, error)
        for name in self._time.configured.names():
            self._take_roots(name)
        self.checkpoint = self._stamped(subject)
        self._of_checkpoint = [Stamp(subject, tsa, state) for tsa, state in self.checkpoint.states.items()]
        self.stamps = list(self._of_checkpoint)

    def begin_again(self) -> None:
        """Nothing was told of receipts yet: the bundles are planned anew."""
        self.stamps = list(self._of_checkpoint)
        self._receipts.clear()

    def begin_part(self, bundle_id: str) -> None:
        """From here on it is about this bundle; what was told of receipts before stays counted."""
        self._bundle_id = bundle_id
        self.stamps = list(self._of_checkpoint)

    def cosigned(self, size: int) -> bytes | None:
        """The checkpoint with the lines of witnesses, when there are any."""
        try:
            return self._witnessing.cosigned(size)
        except _TROUBLE as error:
            log.warning("export %s leaves co-signatures out: %s", self._export_id, error)
            return None

    def policy(self) -> tuple[str, Policy] | None:
        """The archive's own witness policy; None without one, or when it cannot be read."""
        try:
            text, policy = self._witnessing.policies.text(), self._witnessing.policies.read()
        except _TROUBLE as error:
            log.warning("export %s leaves the witness policy out: %s", self._export_id, error)
            return None
        return None if text is None or policy is None else (text, policy)

    def witnesses(self, cosigned: bytes | None) -> WitnessStatement | None:
        """What the manifest says of witnesses; None in an archive that asks none."""
        found = self.policy()
        if found is None:
            return None
        policy = found[1]
        keys = {one.key for one in verify_cosignatures(cosigned, policy.keys)} if cosigned is not None else set()
        return WitnessStatement(required_by(policy), len(keys))

    # -- receipts -----------------------------------------------------------------------------

    def look_up_receipts(self, items: Iterable[str]) -> None:
        """Look up the time stamps of the receipts of one bundle, all at once."""
        found = self._time.given_to([receipt_subject(item) for item in items])
        self._of_receipts = {subject: self._usable(given, {}) for subject, given in found.items()}

    def receipt(self, item_id: str, seal: bytes) -> bytes:
        """A receipt's seal with the time stamps that there are by now."""
        subject = receipt_subject(item_id)
        found = self._of_receipts.get(subject) or self._stamped(subject, of_configured=False)
        stamped, kept = seal, dict(found.states)
        for tsa, token in found.tokens.items():
            try:
                stamped = add_tokens(stamped, [token])
            except EvidenceStoreError as error:
                log.warning("a time stamp of %s by %s is left out, run 'catena audit': %s", subject, tsa, error)
                kept[tsa] = FAILED
        self.stamps += [Stamp(subject, tsa, state) for tsa, state in kept.items()]
        self._receipts.update(kept.values())
        return stamped

    # -- the bundle ---------------------------------------------------------------------------

    def seal(self, data: bytes) -> bytes:
        """Seal a bundle, and stamp the seal when an authority answers in time."""
        bare = self._archive.seal_key().seal(data, self._archive.clock())
        if not self.roots:
            return bare
        subject = f"bundle:{self._bundle_id}"
        try:
            self._obtain(subject, seal_imprint(bare).hex(), self._seal_seconds)
            found = self._stamped(subject)
            stamped = add_tokens(bare, [token for tsa, token in found.tokens.items() if tsa in self.roots])
        except _TROUBLE as error:
            log.warning("the seal of export %s is not stamped: %s", self._export_id, error)
            self._tell_seal(dict.fromkeys(self._time.configured.names(), PENDING))
            return bare
        self._tell_seal(found.states)
        return stamped

    def seal_list(self, data: bytes) -> bytes:
        """Seal the list of a set; it names bundles whose own seals are stamped."""
        return self._archive.seal_key().seal(data, self._archive.clock())

    def _tell_seal(self, states: Mapping[str, str]) -> None:
        """Of several parts, the worst state of each authority is told; who was late once is not waited for as long."""
        worse = {tsa: state for tsa, state in self.seal_states.items() if state != DONE}
        self.seal_states = {**states, **worse}
        if set(states.values()) - {DONE}:
            self._seal_seconds = LATER_SEAL_SECONDS

    def statement(self) -> TimeStatement:
        """What the manifest says of time."""
        return TimeStatement(self._time.configured.names(), self.stamps)

    def told(self) -> dict[str, JsonValue]:
        """How it stands with the time stamps of the finished bundle, for the log and for the exporter."""
        return {
            "checkpoint": dict(self.checkpoint.states),
            "seal": dict(self.seal_states),
            "receipts": {state: self._receipts[state] for state in (DONE, PENDING, FAILED) if self._receipts[state]},
        }

    def renewals(self, objects: Iterable[str], size: int) -> dict[str, bytes]:
        """The files of renewals that concern these objects."""
        files = dict(self._vouchers.renewals.files_for(objects, size))
        if files:
            for name in sorted(self._vouchers.renewals.stamped_by()):
                self._take_roots(name)
        for path in files:
            name = path.rpartition("/")[2]
            if name.endswith(".tst"):
                self._take_roots(name.removeprefix("checkpoint.").removesuffix(".tst"))
        return files

    # -- helpers ------------------------------------------------------------------------------

    def _obtain(self, subject: str, imprint: str, seconds: float) -> None:
        if self._time.any_asked():
            with self._archive.db.write() as session:
                self._time.request(session, subject, imprint)
        self._time.obtain(subject, seconds)

    def _stamped(self, subject: str, *, of_configured: bool = True) -> Stamped:
        """Tokens that can be checked, and the states that follow from them."""
        asked = dict.fromkeys(self._time.configured.names() if of_configured else (), PENDING)
        return self._usable(self._time.given_to([subject])[subject], asked)

    def _usable(self, given: Given, asked: Mapping[str, str]) -> Stamped:
        tokens = {tsa: token for tsa, token in given.tokens.items() if self._take_roots(tsa)}
        states = {tsa: state if state != DONE else PENDING for tsa, state in given.states.items()}
        return Stamped(tokens, {**asked, **states, **dict.fromkeys(tokens, DONE)})

    def _take_roots(self, tsa: str) -> bool:
        """Keep the certificates that an authority's tokens are checked against; without them they show nothing."""
        if tsa not in self.roots:
            try:
                self.roots[tsa] = self._time.configured.pem(tsa)
            except _TROUBLE as error:
                log.warning("time stamps by %s are left out of bundles: %s", tsa, error)
                return False
        return True


def required_by(policy: Policy) -> str:
    """What a policy asks for, in words."""
    group = policy.groups.get(policy.quorum)
    if group is not None:
        return f"{group.needed} of {len(group.members)} ({', '.join(group.members)})"
    return policy.quorum
