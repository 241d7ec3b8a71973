"""How old is a signature at least, by the time stamps that the archive has?

Only tokens that hold count; the others are findings of the check of time stamps, and prove nothing here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import RowMapping, String, cast, literal, select
from sqlmodel import Session

from app.audit.stored import as_stored, streamed
from app.custody.models import CheckpointRow
from app.db import table_of
from app.errors import CatenaError
from app.timestamps.authorities import Authorities
from app.timestamps.models import TimestampRow
from app.timestamps.rules import DONE
from evidence_store.errors import EvidenceStoreError
from evidence_store.timestamps.request import token_of_response
from evidence_store.timestamps.token import verify_token

_STAMP, _CHECKPOINT = table_of(TimestampRow), table_of(CheckpointRow)


class ProvenTimes:
    """The times that trusted time stamps prove, for one audit."""

    def __init__(self, session: Session, authorities: Authorities) -> None:
        """Bind to a read session and to time-stamping authorities, as far as their files are what the log names."""
        self._session = session
        self._authorities = authorities

    def of(self, subject: str, imprint: bytes) -> datetime | None:
        """The earliest time by which something existed; None when nothing proves any.

        Args:
            subject: such as `receipt:ITEM`.
            imprint: SHA-256 of what is stamped, as it is here.
        """
        wanted = select(*as_stored(TimestampRow)).where(_STAMP.c.subject == subject, _STAMP.c.state == DONE)
        rows = list(self._session.connection().execute(wanted).mappings())
        return min((time for row in rows if (time := self._time(row, imprint)) is not None), default=None)

    def checkpoints(self) -> Iterator[tuple[int, datetime]]:
        """(size, time) for each token over a checkpoint, the largest checkpoint first."""
        subject = literal("checkpoint:").concat(cast(_CHECKPOINT.c.size, String))
        wanted = (
            select(*as_stored(TimestampRow), *as_stored(CheckpointRow, "checkpoint_"))
            .join(_CHECKPOINT, _STAMP.c.subject == subject)
            .where(_STAMP.c.state == DONE)
            .order_by(_CHECKPOINT.c.size.desc())
        )
        for row in streamed(self._session, wanted):
            note, size = row["checkpoint_note"], row["checkpoint_size"]
            time = self._time(row, hashlib.sha256(note).digest()) if isinstance(note, bytes) else None
            if time is not None and type(size) is int:
                yield size, time

    def _time(self, row: RowMapping, imprint: bytes) -> datetime | None:
        try:
            trust = self._authorities.trust(row["tsa"]) if isinstance(row["tsa"], str) else None
            if trust is None or not isinstance(row["response"], bytes):
                return None
            der = token_of_response(row["response"])
            return verify_token(der, imprint, "sha256", trust.roots, trust.intermediates).gen_time
        except (CatenaError, EvidenceStoreError):
            return None
