"""Keys over time as use-cases: introduce, rotate, disown, tell."""

from __future__ import annotations

from dataclasses import replace

from sqlmodel import Session, col, select

from app.access.service import Access, Principal
from app.archive import Archive
from app.custody.models import EventRow
from app.custody.service import SYSTEM
from app.errors import EnvironmentFailedError
from app.keyring import rules
from app.keyring.folder import KeyFolder
from app.keyring.history import keys_object, read_history
from app.keyring.rotation import Rotations, Wish
from app.law.rules import clean_text
from evidence_store.bundle.events import parse_event
from evidence_store.trust import PQ, USES, KeyHistory, KeyRecord

BEGUN = "in use since the archive was begun"


class Keyring:
    """The keys of one archive."""

    def __init__(self, archive: Archive, access: Access, folder: KeyFolder, rotations: Rotations) -> None:
        """Bind to an archive.

        Args:
            archive: the archive.
            access: who may do what.
            folder: the key folder.
            rotations: changes of keys.
        """
        self.folder = folder
        self._archive = archive
        self._access = access
        self._rotations = rotations
        self._about = keys_object(archive.identity.id)

    # -- telling ------------------------------------------------------------------------------

    def history(self) -> KeyHistory:
        """All keys and what became of them.

        Raises:
            EnvironmentFailedError: `key_history_malformed`.
        """
        with self._archive.db.read() as session:
            return read_history(session, self._archive.identity.id)

    def agreed(self) -> KeyHistory:
        """As `history`, when the key folder says the same.

        Raises:
            ConflictError: `key_history_missing`.
            EnvironmentFailedError: `key_altered` when another key is in the folder than the log names;
                `key_rotation_unfinished` when that is because a rotation was interrupted.
        """
        return self._rotations.agreed()

    # -- introducing --------------------------------------------------------------------------

    def introduce(self, session: Session) -> None:
        """Record the keys that the archive was begun with; for the transaction of its first event.

        Raises:
            EnvironmentFailedError: `key_missing`, `key_damaged`.
        """
        for use in USES:
            material = self.folder.public(use)
            if material is None:
                if use == PQ:
                    continue  # archives were made without
                raise EnvironmentFailedError("key_missing", f"the {use} key's public half is not in the key folder")
            details = rules.introduction(use, material, self._archive.identity.created_at, BEGUN)
            self._archive.custody.record(session, self._about, "key change", SYSTEM, details=details)

    def ensure_introduced(self) -> bool:
        """Record the keys of an archive that was made before it had a key history; needs no private key.

        Returns:
            Whether there was something to record.

        Raises:
            EnvironmentFailedError: `key_altered` when a key is not the one that the log was begun with.
        """
        with self._archive.db.write() as session:
            self._archive.custody.lock(session)
            if read_history(session, self._archive.identity.id).records:
                return False
            founding = session.exec(select(EventRow).order_by(col(EventRow.leaf_index)).limit(1)).one()
            self.introduce(session)
            history = read_history(session, self._archive.identity.id)
            wrong = list(rules.wrong_beginnings(history, parse_event(founding.canonical).details))
            if wrong:
                detail = f"the {wrong[0]} key in the key folder is not the one that the log was begun with"
                raise EnvironmentFailedError("key_altered", detail)
        return True

    # -- changing -----------------------------------------------------------------------------

    def rotate(self, who: Principal, wish: Wish) -> KeyHistory:
        """Put a new key in the place of the current one; with the authority, the seal certificate changes as well.

        Returns:
            The history, with the change.

        Raises:
            DeniedError: `not_allowed`.
            InvalidInputError: `text_too_long`, `bad_text`, and those of `Rotations.run`.
        """
        self._access.require(who, "key.manage")
        why = clean_text(wish.reason, rules.MAX_REASON, "reason")
        self._rotations.run(who.actor, replace(wish, reason=why))
        return self.history()

    def compromise(
        self, who: Principal, use: str, since: str, *, key: str | None = None, reason: str = ""
    ) -> list[KeyRecord]:
        """Record that a key may be in other hands since some time; a current one signs nothing any more.

        Args:
            who: the actor.
            use: `ca`, `seal`, `log` or `pq`.
            since: a day or an RFC 3339 time.
            key: how its fingerprint or hex ID begins; None for the current key.
            reason: what is known.

        Returns:
            The keys concerned: certificates over one private key fall together.

        Raises:
            DeniedError: `not_allowed`.
            InvalidInputError: `bad_use`, `bad_time`, `text_too_long`, `bad_text`.
            NotFoundError: `unknown_key`.
            ConflictError: `key_ambiguous`.
        """
        self._access.require(who, "key.manage")
        at = rules.parse_since(since, self._archive.clock())
        why = clean_text(reason, rules.MAX_REASON, "reason")
        with self.folder.alone():
            with self._archive.db.write() as session:
                self._archive.custody.lock(session)
                history = read_history(session, self._archive.identity.id)
                concerned = rules.same_private_key(history, rules.pick(history, use, key))
                for record in concerned:
                    details = rules.compromise(record, at, why)
                    self._archive.custody.record(session, self._about, "key change", who.actor, details=details)
            self._rotations.disown_files()
        return concerned
