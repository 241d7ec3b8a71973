"""Signing the head of the log, outside any transaction.

The last signed checkpoint is also kept in a file outside the database. Before a new one is
signed, the log must be consistent with that file: a database restored from an old backup would
otherwise fork the log, which no signature could undo.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from sqlmodel import Session, col, func, select

from app.custody.log_store import read_node, tree_size
from app.custody.models import CheckpointRow
from app.db import Database
from app.errors import EnvironmentFailedError
from evidence_store.durable import make_directories, replace_file
from evidence_store.errors import EvidenceStoreError
from evidence_store.log import merkle, note

_MISSING = (
    "the checkpoint kept outside the database is gone, so a rollback could not be told; nothing is signed "
    "until a copy of it (from a bundle, a backup or a reader) is put back"
)


class Checkpointer:
    """Makes checkpoints of one log."""

    def __init__(self, db: Database, origin: str, head_file: Path) -> None:
        """Bind to the log and to the file that remembers its head.

        Args:
            db: the database.
            origin: origin line.
            head_file: where the last checkpoint is kept outside the database.
        """
        self._db = db
        self._origin = origin
        self._head_file = head_file

    def begin(self, public_key: bytes, sign: Callable[[bytes], bytes]) -> bytes:
        """The first checkpoint of a new log; only `init` may call this.

        Raises:
            EnvironmentFailedError: `log_has_begun` when a checkpoint is there already.
        """
        make_directories(self._head_file.parent)
        if self._head_file.exists() or self.latest_or_none() is not None:
            raise EnvironmentFailedError("log_has_begun", "this log has checkpoints already")
        with self._alone():
            return self._sign(public_key, sign)

    def sign_head(self, public_key: bytes, sign: Callable[[bytes], bytes]) -> bytes:
        """The signed checkpoint of the log as it stands; signs only when the log has grown.

        Raises:
            EnvironmentFailedError: `head_file_missing`, `head_file_damaged`, `log_rolled_back` or `log_forked`
                when the log cannot be shown to continue the checkpoint kept outside the database.
        """
        with self._alone():
            return self._sign(public_key, sign, self._kept(public_key))

    def log_has_grown(self) -> bool:
        """Whether events were added since the newest checkpoint."""
        with self._db.read() as session:
            newest = _newest(session)
            return newest is None or newest.size < tree_size(session)

    def latest_or_none(self) -> bytes | None:
        """The newest stored checkpoint."""
        with self._db.read() as session:
            row = _newest(session)
            return row.note if row else None

    def _sign(self, public_key: bytes, sign: Callable[[bytes], bytes], kept: note.Checkpoint | None = None) -> bytes:
        with self._db.read() as session:
            size = tree_size(session)
            root = merkle.root_at(size, partial(read_node, session))
            newest = _newest(session)
            if kept is not None:
                _refuse_fork(session, size, kept)
        if newest is not None and newest.size == size:
            signed = newest.note
        else:
            text = note.checkpoint_text(note.Checkpoint(self._origin, size, root))
            signed = note.sign_note(text, self._origin, public_key, sign)
            with self._db.write() as session:
                seq = session.exec(select(func.count()).select_from(CheckpointRow)).one()
                session.add(CheckpointRow(size=size, seq=seq, note=signed))
        if kept is None or kept.size < size:
            replace_file(self._head_file, signed, 0o644)
        return signed

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One signer at a time, threads and processes alike: sizes and numbers must rise together."""
        try:
            descriptor = os.open(self._head_file.parent / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:
            raise EnvironmentFailedError("head_file_missing", _MISSING) from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _kept(self, public_key: bytes) -> note.Checkpoint:
        key = note.parse_vkey(note.format_vkey(self._origin, public_key))
        try:
            return note.open_checkpoint(self._head_file.read_bytes(), key)
        except FileNotFoundError:
            raise EnvironmentFailedError("head_file_missing", _MISSING) from None
        except (EvidenceStoreError, OSError) as error:
            raise EnvironmentFailedError(
                "head_file_damaged",
                "the checkpoint kept outside the database is damaged: nothing is signed until it is put right",
            ) from error


def _newest(session: Session) -> CheckpointRow | None:
    return session.exec(select(CheckpointRow).order_by(col(CheckpointRow.size).desc()).limit(1)).one_or_none()


def _refuse_fork(session: Session, size: int, kept: note.Checkpoint) -> None:
    if kept.size > size:
        raise EnvironmentFailedError(
            "log_rolled_back",
            f"the database holds {size} events but a checkpoint of {kept.size} was signed before: "
            "an older database was put in place; nothing is signed",
        )
    if merkle.root_at(kept.size, partial(read_node, session)) != kept.root:
        raise EnvironmentFailedError(
            "log_forked", "the log contradicts the checkpoint kept outside the database; nothing is signed"
        )
