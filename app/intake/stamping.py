"""Deposit receipts and their time stamps."""

from __future__ import annotations

import logging

from sqlmodel import col, select

from app.archive import Archive
from app.evidence.models import Receipt
from app.timestamps.models import TimestampRow
from app.timestamps.service import Timestamps, receipt_subject
from evidence_store.errors import EvidenceStoreError
from evidence_store.seal import add_tokens, seal_imprint

log = logging.getLogger("catena.timestamps")

BATCH = 200


def stamped_seal(timestamps: Timestamps, receipt: Receipt) -> bytes:
    """A receipt's signature as it is handed out: with the time stamps that are there (CAdES B-T), or B-B.

    The stored signature never changes: its digest is in the log.
    """
    tokens = timestamps.tokens(receipt_subject(receipt.item_id))
    try:
        return add_tokens(receipt.seal, tokens.values()) if tokens else receipt.seal
    except EvidenceStoreError as error:
        log.warning("the receipt of item %s is handed out without time stamps: %s", receipt.item_id, error)
        return receipt.seal


def backfill_receipts(archive: Archive, timestamps: Timestamps) -> int:
    """Want a time stamp over every receipt that an authority was never asked for.

    Its time will be that of the asking: it proves that the receipt existed then, not when it was made.

    Returns:
        How many receipts that concerns.
    """
    wanted = 0
    last = ""
    while True:
        with archive.db.write() as session:
            rows = session.exec(
                select(Receipt).where(col(Receipt.item_id) > last).order_by(col(Receipt.item_id)).limit(BATCH)
            ).all()
            if not rows:
                return wanted
            last = rows[-1].item_id
            subjects = {receipt_subject(row.item_id): row for row in rows}
            asked = select(TimestampRow.subject, TimestampRow.tsa).where(col(TimestampRow.subject).in_(subjects))
            known = set(session.exec(asked))
            names = timestamps.configured.names()
            for subject, row in subjects.items():
                if any((subject, name) not in known for name in names):
                    timestamps.request(session, subject, seal_imprint(row.seal).hex())
                    wanted += 1
