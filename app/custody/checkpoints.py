"""Signing the head of the log, outside any transaction.

The last signed checkpoint is also kept outside the database (app.custody.heads). Before a new one is
signed, the log must be consistent with what is kept: a database restored from an old backup would
otherwise fork the log, which no signature could undo. A checkpoint that is read from the database is verified
before it is kept outside or handed out: who writes there could have put an old one, or none at all.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial

from sqlmodel import Session, col, func, select

from app.custody.heads import KeptHeads, forked, missing, open_kept, rolled_back
from app.custody.log_store import computed, tree_size
from app.custody.models import CheckpointRow
from app.db import Database
from app.errors import EnvironmentFailedError
from evidence_store.errors import EvidenceStoreError
from evidence_store.log import merkle, note
from evidence_store.log.cosignature import add_lines

COMPROMISED = "key_compromised"
_COMPROMISED = (
    "the checkpoint of {size} events is signed with a log key that was found compromised since, so it is not handed "
    "out; nothing is wrong with the database. 'catena keys rotate log' makes another key, if that is not done yet, and "
    "'catena log checkpoint' signs the log with it"
)


class Checkpointer:
    """Makes checkpoints of one log."""

    def __init__(
        self,
        db: Database,
        origin: str,
        heads: KeptHeads,
        former_keys: Callable[[], Sequence[note.VerifierKey]] = tuple,
        believed_keys: Callable[[], Sequence[note.VerifierKey]] = tuple,
        compromised_keys: Callable[[], Sequence[note.VerifierKey]] = tuple,
    ) -> None:
        """Bind to the log and to the places that remember its head.

        Args:
            db: the database.
            origin: origin line.
            heads: where the last checkpoint is kept outside the database.
            former_keys: verifier keys under which a kept checkpoint may stand besides the current one. What is kept
                can only hold back a signature, so that even one of a compromised key is heeded.
            believed_keys: verifier keys under which a checkpoint in the database counts, besides the current one: it is
                handed out again and kept outside, so that no compromised key is among them.
            compromised_keys: those of this log that were found compromised: what they signed is no sign of damage, and
                is not handed out either.
        """
        self._db = db
        self._origin = origin
        self.heads = heads
        self._former_keys = former_keys
        self._believed_keys = believed_keys
        self._compromised_keys = compromised_keys

    def begin(
        self, public_key: bytes, sign: Callable[[bytes], bytes], cosign: Callable[[str], str] | None = None
    ) -> bytes:
        """The first checkpoint of a new log; only `init` may call this.

        Raises:
            EnvironmentFailedError: `log_has_begun` when a checkpoint is there already.
        """
        self.heads.begin()
        with self._db.read() as session:
            begun = _newest(session) is not None
        if begun:
            raise EnvironmentFailedError("log_has_begun", "this log has checkpoints already")
        with self.alone():
            return self._sign(public_key, sign, cosign)

    def sign_head(
        self, public_key: bytes, sign: Callable[[bytes], bytes], cosign: Callable[[str], str] | None = None
    ) -> bytes:
        """The signed checkpoint of the log as it stands; signs only when the log has grown.

        Args:
            public_key: 32 raw bytes (Ed25519).
            sign: signs the note's text with it.
            cosign: makes a further signature line of the log for the note's text, with ML-DSA-44.

        Raises:
            EnvironmentFailedError: `head_file_missing`, `head_file_damaged`, `head_copy_damaged`, `log_rolled_back` or
                `log_forked` when the log cannot be shown to continue the checkpoints kept outside the database;
                `checkpoint_damaged` when the one in the database is not what a key of this log signed of it.
        """
        with self.alone():
            return self.sign_alone(public_key, sign, cosign)

    def sign_alone(
        self, public_key: bytes, sign: Callable[[bytes], bytes], cosign: Callable[[str], str] | None = None
    ) -> bytes:
        """As `sign_head`, for a caller that is alone already."""
        own = note.parse_vkey(note.format_vkey(self._origin, public_key))
        former = [key for key in self._former_keys() if key != own]
        return self._sign(public_key, sign, cosign, self.heads.read([own, *former]))

    def require_continued(self, keys: Sequence[note.VerifierKey]) -> None:
        """Refuse to work on a database that is not the newest: what it takes in could never be signed.

        A kept checkpoint that is missing or cannot be read is left to `sign_head`, which needs it.

        Args:
            keys: verifier keys of the log.

        Raises:
            EnvironmentFailedError: `log_rolled_back` or `log_forked`.
        """
        try:
            kept = self.heads.read(keys)
        except EnvironmentFailedError:
            return
        with self._db.read() as session:
            _refuse_fork(session, tree_size(session), kept)

    def log_has_grown(self) -> bool:
        """Whether events were added since the newest checkpoint."""
        with self._db.read() as session:
            newest = _newest(session)
            return newest is None or newest.size != tree_size(session)  # one of more events is told when signing

    def signed_size(self) -> int:
        """How many events the newest checkpoint covers; 0 when there is none."""
        with self._db.read() as session:
            newest = _newest(session)
            return newest.size if newest else 0

    def latest_or_none(self) -> bytes | None:
        """The newest stored checkpoint, verified; None when there is none.

        Raises:
            EnvironmentFailedError: as `require_own`.
        """
        with self._db.read() as session:
            row = _newest(session)
        if row is None:
            return None
        self.require_own(row.note, row.size)
        return row.note

    def require_own(self, signed: bytes, size: int) -> None:
        """Refuse to hand out a stored checkpoint that is not this log's: who writes to the database could have put it.

        Args:
            signed: the note, with or without lines of witnesses.
            size: what it is filed under.

        Raises:
            EnvironmentFailedError: `checkpoint_damaged`; `key_compromised` when it is this log's as it stands, and
                nobody but a key that was found compromised since says so.
        """
        with self._db.read() as session:
            here = tree_size(session)
            root = computed(session, partial(merkle.root_at, size)) if 0 < size <= here else None
        if root is None:
            raise damaged(f"{size}-event", f"the log has {here} events")
        head = note.Checkpoint(self._origin, size, root)
        try:
            _require_says(signed, head, self._believed_keys())
        except EnvironmentFailedError:
            if _says(signed, head, self._compromised_keys()):
                raise EnvironmentFailedError(COMPROMISED, _COMPROMISED.format(size=size)) from None
            raise

    def _sign(
        self,
        public_key: bytes,
        sign: Callable[[bytes], bytes],
        cosign: Callable[[str], str] | None,
        kept: Sequence[note.Checkpoint] = (),
    ) -> bytes:
        with self._db.read() as session:
            size = tree_size(session)
            root = computed(session, partial(merkle.root_at, size))
            newest = _newest(session)
            _refuse_fork(session, size, kept)
        head = note.Checkpoint(self._origin, size, root)
        if newest is not None and newest.size > size:
            raise damaged(f"{newest.size}-event", f"the log has {size} events")
        if newest is not None and newest.size == size:
            signed = newest.note
            own = note.parse_vkey(note.format_vkey(self._origin, public_key))
            _require_says(signed, head, [own, *(key for key in self._believed_keys() if key != own)])
        else:
            text = note.checkpoint_text(head)
            signed = note.sign_note(text, self._origin, public_key, sign)
            if cosign is not None:
                signed = add_lines(signed, [cosign(text)])
            with self._db.write() as session:
                seq = session.exec(select(func.count()).select_from(CheckpointRow)).one()
                session.add(CheckpointRow(size=size, seq=seq, note=signed))
        self.heads.write(signed, kept)
        return signed

    @contextmanager
    def alone(self) -> Iterator[None]:
        """One signer at a time, threads and processes alike: sizes and numbers must rise together."""
        try:
            descriptor = os.open(self.heads.first.parent / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:
            raise missing() from None
        except OSError as error:
            code = "storage_full" if error.errno in {errno.ENOSPC, errno.EDQUOT} else "storage_failed"
            raise EnvironmentFailedError(code, f"could not lock the log's head: {error.strerror}") from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def damaged(which: str, why: str) -> EnvironmentFailedError:
    """The error of a stored checkpoint that this log did not sign: nothing of it is kept outside or handed out."""
    detail = f"the {which} checkpoint in the database is not what the log's key signed ({why}): run 'catena audit'"
    return EnvironmentFailedError("checkpoint_damaged", detail, status=500)


def _require_says(signed: bytes, head: note.Checkpoint, keys: Sequence[note.VerifierKey]) -> None:
    """Refuse a note that is not of this size and root, under one of these keys."""
    try:
        said = open_kept(signed, keys)
    except EvidenceStoreError as error:
        raise damaged(f"{head.size}-event", error.detail) from error
    if (said.size, said.root) != (head.size, head.root):
        raise damaged(
            f"{head.size}-event", f"it is of {said.size} events" if said.size != head.size else "it has another root"
        )


def _says(signed: bytes, head: note.Checkpoint, keys: Sequence[note.VerifierKey]) -> bool:
    """Whether a note is of this size and root, under one of these keys."""
    with suppress(EnvironmentFailedError):
        _require_says(signed, head, keys)
        return True
    return False


def _newest(session: Session) -> CheckpointRow | None:
    newest = select(CheckpointRow).order_by(col(CheckpointRow.size).desc()).limit(1)
    try:
        row = session.exec(newest).one_or_none()
    except TypeError as error:  # text where bytes belong
        raise damaged("newest", "its row holds no bytes") from error
    if row is not None and not isinstance(row.note, bytes):
        raise damaged("newest", "its row holds no bytes")
    return row


def _refuse_fork(session: Session, size: int, kept: Sequence[note.Checkpoint]) -> None:
    newest = max((one.size for one in kept), default=0)
    if newest > size:
        raise rolled_back(size, newest)
    for one in kept:
        if computed(session, partial(merkle.root_at, one.size)) != one.root:
            raise forked()
