"""Until when the time stamps hold of checkpoints that no renewal covers."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Session, col, func, select

from app.timestamps.models import TimestampRow
from app.timestamps.rules import DONE
from evidence_store.errors import EvidenceStoreError
from evidence_store.timestamps.request import token_of_response
from evidence_store.timestamps.token import parse_token


def uncovered_expiry(session: Session, since: str | None) -> datetime | None:
    """The earliest expiry of an authority's certificate behind those time stamps.

    Of each authority the oldest one is looked at: its certificates follow each other.

    Args:
        session: a read session.
        since: when the newest hash tree was made, RFC 3339; None when there is none.
    """
    oldest = (
        select(func.min(TimestampRow.id))
        .where(TimestampRow.state == DONE, col(TimestampRow.subject).like("checkpoint:%"))
        .group_by(TimestampRow.tsa)
    )
    if since is not None:
        oldest = oldest.where(TimestampRow.requested_at > since)
    rows = session.exec(select(TimestampRow).where(col(TimestampRow.id).in_(oldest)))
    return min((expiry for row in rows if (expiry := _expiry(row.response)) is not None), default=None)


def _expiry(response: bytes | None) -> datetime | None:
    """When the certificate in a token expires; None when that cannot be told (the audit judges the token)."""
    try:
        certificate = parse_token(token_of_response(response or b"")).certificate
    except EvidenceStoreError:
        return None
    return None if certificate is None else certificate.not_valid_after_utc
