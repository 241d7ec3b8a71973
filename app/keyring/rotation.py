"""A rotation: new keys take the place of old ones, in an order that survives a kill at every step.

1. New keys and a plan in `next/`, which mean nothing yet.
2. One transaction: introduction of the new keys, retirement of the old ones. From here on the change has happened.
3. For a key of the log: a last checkpoint under the old one, which covers step 2; not when the old one is compromised.
4. The files change places.
5. An event that the new key is in use, and a checkpoint that covers it, under the current keys of the log.
6. `next/` is removed.

Recovery (`complete`) is the same function from step 3 on, called when a key is needed next; before step 2 it throws
away what was prepared. Nobody else signs the log's head meanwhile (the checkpointer's lock, taken first), nor anything
(the key folder's lock).

Before step 1, and before an interrupted rotation goes on, the passphrase must open the private keys that stay
(`Rotations._require_passphrase`): a new key under a mistyped one would lock the archive out.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.archive import Archive
from app.custody.checkpoints import Checkpointer
from app.custody.service import SYSTEM, events_of
from app.custody.vkeys import DISOWNED
from app.errors import ConflictError, EnvironmentFailedError
from app.keyring import rules
from app.keyring.folder import IN_FILE, STEMS, Plan
from app.keyring.history import keys_object, read_history
from app.keyring.making import InToken, Making
from app.keyring.signing import SigningKeys, load_log_key
from evidence_store.bundle.events import parse_event
from evidence_store.durable import move_file
from evidence_store.errors import EvidenceStoreError
from evidence_store.keys.file import load_private_key
from evidence_store.trust import LOG, PQ, USES, KeyHistory
from schemas.records.v1.event import Actor

IN_USE = "in use"


@dataclass(frozen=True, slots=True)
class Wish:
    """How a key shall be rotated.

    Attributes:
        use: `ca`, `seal`, `log` or `pq`.
        reason: why.
        keep_private: put the old private key file away instead of removing it.
        token: where the new `seal` or `log` key shall be; None for a file.
        in_file: allow a file to follow a key that is in a token.
        ca_key: the authority's private key, when it is not in the key folder.
    """

    use: str
    reason: str = ""
    keep_private: bool = False
    token: InToken | None = None
    in_file: bool = False
    ca_key: Path | None = None


class Rotations:
    """Changes of keys of one archive."""

    def __init__(self, archive: Archive, checkpointer: Checkpointer, keys: SigningKeys) -> None:
        """Bind to an archive.

        Args:
            archive: the archive.
            checkpointer: signs the log's head.
            keys: holds the keys in use.
        """
        self._archive = archive
        self._checkpointer = checkpointer
        self._keys = keys
        self._folder = keys.folder
        self._about = keys_object(archive.identity.id)

    def run(self, actor: Actor, wish: Wish) -> None:
        """Rotate.

        Raises:
            InvalidInputError: `bad_use`.
            NotFoundError: `unknown_key`: there is none of this use, other than `pq`, to be replaced.
            ConflictError: `ca_key_missing`, `key_in_token`, `key_history_missing`.
            EnvironmentFailedError: `key_altered`, `key_compromised`, and those of the checkpointer.
            EvidenceStoreError: those of key files and tokens; `wrong_passphrase` when it does not open the others.
        """
        self.complete()
        with self._checkpointer.alone(), self._folder.alone():
            history = self.agreed()
            if wish.use != PQ or history.current(PQ) is not None:  # an archive may have been made without that one
                rules.pick(history, wish.use, None)
            self._require_passphrase(history)
            self._folder.prepare()
            try:
                plan = self._prepare(history, wish)
                self._record(plan, actor)
            except Exception:
                self._discard_unless_recorded()
                raise
            self._finish(plan)

    def complete(self) -> None:
        """End a rotation that was interrupted, or throw away what it prepared if the log knows nothing of it."""
        if not self._folder.pending():
            return
        with self._checkpointer.alone(), self._folder.alone():
            plan = self._folder.plan()
            if plan is None or not self._recorded(plan):
                self._folder.discard()
            else:
                self._require_passphrase(self._history(), plan)
                self._finish(plan)

    def disown_files(self) -> None:
        """Name the files of compromised former keys as such: who reads the folder must not rely on them."""
        for record in self._history().records:
            if record.compromised is None or not self._folder.retired.exists():
                continue
            for path in list(self._folder.retired.iterdir()):
                if path.stem.endswith(f"-{rules.short_name(record)[:16]}") and not path.name.startswith(DISOWNED):
                    move_file(path, path.with_name(f"{DISOWNED}{path.name}"))

    def _history(self) -> KeyHistory:
        with self._archive.db.read() as session:
            return read_history(session, self._archive.identity.id)

    def agreed(self) -> KeyHistory:
        """The history, when it and the key folder agree on the current keys.

        Raises:
            ConflictError: `key_history_missing`.
            EnvironmentFailedError: `key_altered`; `key_rotation_unfinished` when a rotation was interrupted.
        """
        history = self._history()
        if not history.records:
            raise ConflictError("key_history_missing", "the log does not tell of the keys yet: run 'catena migrate'")
        for record in filter(None, map(history.current, USES)):
            if rules.is_key(record, self._folder.public(record.use)):
                continue
            if self._folder.pending():
                detail = "a rotation was interrupted; 'catena log checkpoint' ends it"
                raise EnvironmentFailedError("key_rotation_unfinished", detail)
            detail = f"the {record.use} key in the key folder is not the one that the log names: run 'catena audit'"
            raise EnvironmentFailedError("key_altered", detail)
        return history

    def _require_passphrase(self, history: KeyHistory, plan: Plan | None = None) -> None:
        """All private keys in files open with the one passphrase: those in use, and the new ones of a plan.

        A compromised key may be one whose passphrase is lost; it signs nothing, and is not asked. Neither is a file
        that the plan removes: its key may be such a one, and the current key of that use is in a token by now. A file
        that cannot be read tells nothing of the passphrase, and is found by whoever needs it.

        Raises:
            EvidenceStoreError: `wrong_passphrase`, `bad_passphrase`. Nothing was changed.
        """
        for use in USES:
            record, name = history.current(use), f"{STEMS[use]}{IN_FILE}"
            new = self._folder.next / name
            path = new if plan is not None and name in plan.files and new.exists() else self._folder.path / name
            if (record is not None and record.compromised is not None) or not path.exists():
                continue
            if plan is not None and name in plan.remove:
                continue
            try:
                load_private_key(path, self._keys.passphrase())
            except EvidenceStoreError as error:
                if error.code not in {"wrong_passphrase", "bad_passphrase"}:
                    continue
                detail = f"{error.detail}; the keys are as they were"
                raise EvidenceStoreError(error.code, detail) from None

    def _prepare(self, history: KeyHistory, wish: Wish) -> Plan:
        """Step 1."""
        making = Making(
            self._folder,
            self._archive.identity,
            history,
            self._keys.passphrase,
            self._archive.clock(),
            wish.reason,
            keep_private=wish.keep_private,
            token=wish.token,
            in_file=wish.in_file,
            ca_key=wish.ca_key,
        )
        plan = making.plan(wish.use)
        self._folder.commit(plan)
        return plan

    def _record(self, plan: Plan, actor: Actor) -> None:
        """Step 2."""
        with self._archive.db.write() as session:
            for details in plan.changes:
                self._archive.custody.record(session, self._about, "key change", actor, details=details)

    def _recorded(self, plan: Plan) -> bool:
        history = self._history()
        return all(history.find(*place) is not None for place in plan.introduced())

    def _discard_unless_recorded(self) -> None:
        """After an error: a commit that failed may have happened all the same."""
        plan = self._folder.plan()
        if plan is None or not self._recorded(plan):
            self._folder.discard()

    def _finish(self, plan: Plan) -> None:
        """Steps 3 to 6; each is left out when it was done before."""
        if plan.use in {LOG, PQ} and plan.retired(plan.use) is not None and not self._folder.switching(plan):
            self._sign()
        self._folder.switch(plan)
        self._tell_in_use(plan)
        self._sign()
        self.disown_files()
        self._folder.discard()

    def _sign(self) -> None:
        """Sign the head with the keys in the folder, unless one of them is compromised and not replaced yet."""
        history = self._history()
        for use in (LOG, PQ):
            record = history.find(use, self._folder.public(use) or "")
            if record is not None and record.compromised is not None:
                return
        clock, identity = self._archive.clock, self._archive.identity
        key = load_log_key(self._folder, identity.log, self._keys.passphrase, clock)
        self._checkpointer.sign_alone(key.public_key, key.sign, key.cosign)

    def _tell_in_use(self, plan: Plan) -> None:
        """Step 5: the log grows by an event, so that its next checkpoint is under the new key."""
        with self._archive.db.write() as session:
            self._archive.custody.lock(session)
            told = [parse_event(row.canonical).details for row in events_of(session, self._archive.about)]
            known = {(one.get("use"), one.get("key")) for one in told if one.get("outcome") == IN_USE}
            for use, key in plan.introduced():
                if (use, key) not in known:
                    details: dict[str, Any] = {"outcome": IN_USE, "use": use, "key": key}
                    self._archive.custody.record(session, self._archive.about, "key change", SYSTEM, details=details)
