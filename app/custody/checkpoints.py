"""Signing the head of the log, outside any transaction.

The last signed checkpoint is also kept in a file outside the database. Before a new one is
signed, the log must be consistent with that file: a database restored from an old backup would
otherwise fork the log, which no signature could undo.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, func, select

from app.custody.log_store import read_node, tree_size
from app.custody.models import CheckpointRow
from app.db import Database
from app.errors import EnvironmentFailedError
from evidence_store.durable import make_directories, replace_file
from evidence_store.errors import EvidenceStoreError
from evidence_store.log import merkle, note


class Checkpointer:
    """Makes checkpoints of one log."""

    def __init__(self, db: Database, origin: str, head_file: Path, now: Callable[[], str]) -> None:
        """Bind to the log and to the file that remembers its head.

        Args:
            db: the database.
            origin: origin line.
            head_file: where the last checkpoint is kept outside the database.
            now: time as text.
        """
        self._db = db
        self._origin = origin
        self._head_file = head_file
        self._now = now

    def sign_head(self, public_key: bytes, sign: Callable[[bytes], bytes]) -> bytes:
        """The signed checkpoint of the log as it stands; signs only when the log has grown.

        Raises:
            EnvironmentFailedError: `log_rolled_back` or `log_forked` when the log does not continue
                the checkpoint kept outside the database.
        """
        with self._db.read() as session:
            size = tree_size(session)
            root = merkle.root_at(size, partial(read_node, session))
            known = session.get(CheckpointRow, size)
            self._refuse_fork(session, size, public_key)
        if known is not None:
            return self._remember(known.note)
        text = note.checkpoint_text(note.Checkpoint(self._origin, size, root))
        signed = note.sign_note(text, self._origin, public_key, sign)
        try:
            with self._db.write() as session:
                seq = session.exec(select(func.count()).select_from(CheckpointRow)).one()
                session.add(CheckpointRow(size=size, seq=seq, note=signed, created_at=self._now()))
        except IntegrityError:
            return self.latest_or_none() or signed  # another process signed the same head first
        return self._remember(signed)

    def latest_or_none(self) -> bytes | None:
        """The newest stored checkpoint."""
        with self._db.read() as session:
            newest = select(CheckpointRow).order_by(col(CheckpointRow.size).desc()).limit(1)
            row = session.exec(newest).one_or_none()
            return row.note if row else None

    def _remember(self, signed: bytes) -> bytes:
        """Keep the head outside the database; never move it back."""
        kept = kept_checkpoint(self._head_file)
        if kept is None or kept.size < note.parse_checkpoint(_text(signed)).size:
            make_directories(self._head_file.parent)
            replace_file(self._head_file, signed, 0o644)
        return signed

    def _refuse_fork(self, session: Session, size: int, public_key: bytes) -> None:
        if not self._head_file.exists():
            return
        key = note.parse_vkey(note.format_vkey(self._origin, public_key))
        try:
            kept = note.parse_checkpoint(note.open_note(self._head_file.read_bytes(), [key]))
        except (EvidenceStoreError, OSError) as error:
            raise EnvironmentFailedError(
                "head_file_damaged",
                "the checkpoint kept outside the database is damaged: nothing is signed until it is put right",
            ) from error
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


def _text(signed: bytes) -> str:
    return signed.decode("utf-8").rpartition("\n\n")[0] + "\n"


def kept_checkpoint(head_file: Path) -> note.Checkpoint | None:
    """The checkpoint kept outside the database, unverified; None when there is none yet."""
    if not head_file.exists():
        return None
    return note.parse_checkpoint(_text(head_file.read_bytes()))
