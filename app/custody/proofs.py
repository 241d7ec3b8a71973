"""Proofs over the stored log."""

from __future__ import annotations

from functools import partial

from sqlmodel import Session, col, select

from app.custody.log_store import computed
from app.custody.models import EventRow
from app.db import Database
from app.errors import NotFoundError
from evidence_store.log import merkle, note, proof


def checkpoint_of(signed: bytes) -> note.Checkpoint:
    """The checkpoint inside a well-formed note; whoever asks has checked the signature, or needs none."""
    return note.parse_checkpoint(signed.decode("utf-8").rpartition("\n\n")[0] + "\n")


def head_as_of(session: Session, about: str, size: int) -> EventRow:
    """An object's newest event below a tree size.

    Raises:
        NotFoundError: `no_events`.
    """
    newest = (
        select(EventRow)
        .where(EventRow.object == about, EventRow.leaf_index < size)
        .order_by(col(EventRow.object_seq).desc())
        .limit(1)
    )
    row = session.exec(newest).one_or_none()
    if row is None:
        raise NotFoundError("no_events", f"the log of this size has no event of {about}")
    return row


def inclusion(session: Session, leaf_index: int, signed: bytes) -> bytes:
    """The tlog-proof of one leaf under a signed checkpoint."""
    size = checkpoint_of(signed).size
    hashes = computed(session, partial(merkle.inclusion_proof, leaf_index, size))
    return proof.format_proof(proof.TlogProof(leaf_index, tuple(hashes), signed))


def item_proof(db: Database, about: str, signed: bytes) -> bytes:
    """The tlog-proof of an object's newest event; its `prev` chain binds all earlier ones."""
    with db.read() as session:
        return inclusion(session, head_as_of(session, about, checkpoint_of(signed).size).leaf_index, signed)
