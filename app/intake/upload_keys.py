"""The idempotency key of an upload is asked for when it is created: `key_reused` after 50 GB would be too late."""

from __future__ import annotations

import json

from sqlmodel import Session, col, select

from app.errors import ConflictError
from app.evidence.models import Blob, Item
from app.intake.models import Upload
from app.intake.upload_rows import OPEN, WANTING


def require_free_key(session: Session, new: Upload) -> None:
    """Refuse an upload whose key was used for something else; its repeat is welcome.

    What it would become is compared with the item that the key made and with the uploads that have it: case, name,
    source, size, and the SHA-256 where it is known. Final when the caller holds the lock of the log.

    Args:
        session: of the unit of work that will write the upload.
        new: an upload that is not written yet.

    Raises:
        ConflictError: `key_reused`.
    """
    if new.deposit_key is None:
        return
    made = select(Item, Blob).join(Blob, col(Blob.sha256) == col(Item.sha256))
    made = made.where(Item.received_by == new.user_id, Item.deposit_key == new.deposit_key)
    for item, blob in session.exec(made):
        there = (item.case_id, item.original_name, item.source, blob.size)
        if there != _particulars(new) or _sha256(new) not in {None, item.sha256}:
            raise _reused("made an item")
    open_ones = select(Upload).where(
        Upload.user_id == new.user_id, Upload.deposit_key == new.deposit_key, col(Upload.state).in_(WANTING)
    )
    for upload in session.exec(open_ones):
        over = upload.state == OPEN and upload.expires_at < new.created_at
        known = {_sha256(upload), _sha256(new)} - {None}
        if not over and (_particulars(upload) != _particulars(new) or len(known) > 1):
            raise _reused("belongs to an unfinished upload")


def _particulars(upload: Upload) -> tuple[str, str, str, int]:
    return upload.case_id, upload.original_name, upload.source, upload.size


def _sha256(upload: Upload) -> str | None:
    announced: str | None = json.loads(upload.digests).get("sha256")
    return announced


def _reused(how: str) -> ConflictError:
    detail = f"this idempotency key {how} of another case, name, source, size or SHA-256; nothing was begun"
    return ConflictError("key_reused", detail)
