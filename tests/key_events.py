"""Key-change events for tests: made as the log would hold them, without a log."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from evidence_store.bundle.events import CustodyEvent
from evidence_store.log.cosignature import MLDSA44_COSIGNER, format_cosigner_vkey
from evidence_store.log.note import format_vkey
from evidence_store.trust import CA, LOG, SEAL, KeyHistory

ARCHIVE = "0e9f8f6c-0000-4000-8000-000000000001"
BEGUN = datetime(2024, 1, 1, tzinfo=UTC)
Change = tuple[str, str, int, int]
"""(change, use, number of the key, day on which it holds)."""


def day(number: int) -> datetime:
    """Noon, so many days after the archive began."""
    return BEGUN + timedelta(days=number, hours=12)


def key_of(use: str, number: int) -> tuple[str, str]:
    """(key, material) of one of many keys that tests tell apart by number."""
    seed = hashlib.sha256(f"{use} {number}".encode()).digest()
    if use in {CA, SEAL}:
        body = base64.b64encode(seed).decode()
        return hashlib.sha256(seed).hexdigest(), f"-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n"
    name = f"catena/{ARCHIVE}"
    vkey = format_vkey(name, seed) if use == LOG else format_cosigner_vkey(name, MLDSA44_COSIGNER, seed * 41)
    return vkey, vkey


def details_of(change: str, use: str, number: int, at: datetime) -> dict[str, Any]:
    """What an event says of a key."""
    key, material = key_of(use, number)
    return {
        "change": change,
        "use": use,
        "key": key,
        "material": material if change == "introduction" else None,
        "at": at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "reason": f"{change} of {use} {number}",
    }


def event_of(details: dict[str, Any], seq: int = 0, **fields: Any) -> CustodyEvent:  # noqa: ANN401 - any field
    """An event of the archive's keys."""
    usual: dict[str, Any] = {
        "digest": "0" * 64,
        "log": f"catena/{ARCHIVE}",
        "event_id": f"00000000-0000-4000-8000-{seq:012d}",
        "object": f"keys:{ARCHIVE}",
        "object_seq": seq,
        "prev": None,
        "type": "key change",
        "time": day(0).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "sha256": None,
        "sha512": None,
        "size": None,
        "details": details,
    }
    return CustodyEvent(**usual | fields)


def events_of(changes: Sequence[Change]) -> list[CustodyEvent]:
    """The events of these changes, in order."""
    return [event_of(details_of(what, use, n, day(at)), seq) for seq, (what, use, n, at) in enumerate(changes)]


def history_of(*changes: Change) -> KeyHistory:
    """The history that these changes make."""
    return KeyHistory.from_events(events_of(changes))
