"""Which authorities the log says there are, and whom it says that their tokens are trusted under.

The files of an authority lie on the disk, where who writes to it could exchange them for an authority of his own. So
they count only as far as they are what the newest "addition" of that name in the log names.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from sqlmodel import col, select

from app.archive import Archive
from app.custody.models import EventRow
from app.errors import EnvironmentFailedError
from evidence_store.bundle.events import parse_event
from evidence_store.errors import EvidenceStoreError
from evidence_store.timestamps.roots import TimeRoots
from schemas.records.v1.event import EventType

CHANGE: Final[EventType] = "time authority change"
ADDITION, REMOVAL = "addition", "removal"
ALTERED: Final = "timestamp_authority_altered"


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the log says of an authority.

    Attributes:
        name: of the authority.
        url: its address, without a password or query.
        roots: SHA-256 (hex) of each root's DER.
        intermediates: of each certificate that may stand between; None when the event is older than that it tells them.
        added_at: RFC 3339 UTC, the time of the event.
        asked: whether it was not removed since.
    """

    name: str
    url: str
    roots: frozenset[str]
    intermediates: frozenset[str] | None
    added_at: str
    asked: bool = True

    def names(self, trust: TimeRoots) -> bool:
        """Whether these are the certificates that the log names, no more and no fewer."""
        between = self.intermediates
        return self.roots == fingerprints(trust.roots) and between in {None, fingerprints(trust.intermediates)}


def fingerprints(certificates: Iterable[x509.Certificate]) -> frozenset[str]:
    """SHA-256 (hex) of each certificate's DER."""
    return frozenset(hashlib.sha256(each.public_bytes(Encoding.DER)).hexdigest() for each in certificates)


def read_changes(changes: Iterable[tuple[str, Mapping[str, Any]]]) -> dict[str, Recorded]:
    """What became of each authority.

    Args:
        changes: (time, details) of each "time authority change" of the archive, oldest first; one that cannot be read
            names nobody.
    """
    found: dict[str, Recorded] = {}
    for time, details in changes:
        name, change = details.get("name"), details.get("change")
        if not isinstance(name, str):
            continue
        if change == REMOVAL and name in found:
            found[name] = replace(found[name], asked=False)
        elif change == ADDITION:
            roots, between = _digests(details.get("roots")), _digests(details.get("intermediates"))
            found[name] = Recorded(name, str(details.get("url")), roots or frozenset(), between, time)
    return found


def read_recorded(archive: Archive) -> dict[str, Recorded]:
    """What the log says of authorities, as it stands now.

    Events of the archive's own object grow without end, by each access that was denied; changes of authorities are few.
    So it is asked by the type alone, which has an index of its own (asked by both, SQLite takes that of the object).

    Raises:
        EnvironmentFailedError: `timestamp_authority_altered` when its events were tampered with.
    """
    asked = select(EventRow.object, EventRow.object_seq, EventRow.canonical).where(EventRow.type == CHANGE)
    with archive.db.read() as session:
        rows = session.exec(asked.order_by(col(EventRow.leaf_index))).all()
    ours = sorted((place, canonical) for about, place, canonical in rows if about == archive.about)
    try:
        events = [parse_event(canonical) for _, canonical in ours]
    except (EvidenceStoreError, TypeError) as error:
        detail = f"what the log says of the authorities cannot be read, run 'catena audit': {error}"
        raise EnvironmentFailedError(ALTERED, detail) from error
    return read_changes((event.time, event.details) for event in events)


def _digests(value: object) -> frozenset[str] | None:
    return frozenset(map(str, value)) if isinstance(value, list) else None
