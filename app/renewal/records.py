"""What the log says of renewals: each event of type "evidence renewal" names files, with their digests.

Such an event is about the archive. Under `details` stand `renewal` (its number), `stamps` (the time stamps that it
adds, in the order of the chain) and `outputs` (the files, by name in the renewal's folder); the first event of a
renewal binds its row, too.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from sqlmodel import Session, col, select

from app.custody.models import EventRow
from app.renewal.models import RenewalRow
from app.renewal.tree import renewal_damaged
from evidence_store.bundle.renewals import CHECKPOINT, STAMP_SUFFIX
from schemas.records.v1.event import EventType

EVENT: Final[EventType] = "evidence renewal"
_STAMP: Final = "stamp-"


def folder_name(number: int) -> str:
    """Name of a renewal's folder."""
    return f"{number:03d}"


def stamp_name(place: int, authority: str) -> str:
    """Name of the file of a chain's token; places begin at 1."""
    return f"{_STAMP}{place:03d}.{authority}{STAMP_SUFFIX}"


@dataclass(frozen=True, slots=True)
class Stamp:
    """One time stamp of a renewal's chain, as its event tells it.

    Attributes:
        authority: name of the time-stamping authority.
        file: its name in the renewal's folder.
        gen_time: the time it states.
        holds_until: when the first of the certificates expires that vouch for it.
    """

    authority: str
    file: str
    gen_time: datetime
    holds_until: datetime

    def as_json(self) -> dict[str, Any]:
        """For events and for reports; times as RFC 3339."""
        times = {"gen_time": self.gen_time.isoformat(), "holds_until": self.holds_until.isoformat()}
        return {"authority": self.authority, "file": self.file, **times}


@dataclass
class Renewal:
    """One renewal, as its row and its events tell it.

    Attributes:
        leaf_index: of the event that recorded it.
        files: SHA-256 (hex) of each file, by its name in the folder.
        stamps: its chain, oldest first.
    """

    number: int
    created_at: str
    tree_size: int
    checkpoint: bytes
    root: str
    leaves: int
    leaf_index: int = -1
    files: dict[str, str] = field(default_factory=dict)
    stamps: list[Stamp] = field(default_factory=list)

    @classmethod
    def of_row(cls, row: RenewalRow) -> Renewal:
        """What the row alone tells."""
        return cls(row.id, row.created_at, row.tree_size, row.checkpoint, row.root, row.leaves)

    @property
    def holds_until(self) -> datetime:
        """When its last time stamp must have been renewed."""
        return self.stamps[-1].holds_until

    def folder(self, renewals: Path) -> Path:
        """Where its files lie."""
        return renewals / folder_name(self.number)

    def read(self, renewals: Path, name: str) -> bytes:
        """A file that is small, compared with what the log says of it.

        Raises:
            EnvironmentFailedError: `renewal_damaged`.
        """
        try:
            data = (self.folder(renewals) / name).read_bytes()
        except OSError as error:
            raise renewal_damaged(f"{self.number}: {name} cannot be read: {error.strerror}") from None
        if hashlib.sha256(data).hexdigest() != self.files.get(name):
            raise renewal_damaged(f"{self.number}: {name} is not the file that the log names")
        return data

    def tokens(self, renewals: Path) -> list[bytes]:
        """The tokens of its chain, oldest first."""
        return [self.read(renewals, stamp.file) for stamp in self.stamps]

    def checkpoint_tokens(self, renewals: Path) -> dict[str, bytes]:
        """The tokens over its checkpoint that it covers, by authority, sorted."""
        prefix = f"{CHECKPOINT}."
        names = sorted(name for name in self.files if name.startswith(prefix) and name.endswith(STAMP_SUFFIX))
        return {name[len(prefix) : -len(STAMP_SUFFIX)]: self.read(renewals, name) for name in names}


def recorded(session: Session, about: str) -> list[Renewal]:
    """All renewals, oldest first.

    Args:
        session: a read session.
        about: the archive as an object of events.

    Raises:
        EnvironmentFailedError: `renewal_damaged` when rows and events do not fit.
    """
    found = {row.id: Renewal.of_row(row) for row in session.exec(select(RenewalRow).order_by(col(RenewalRow.id)))}
    for leaf_index, canonical in _events(session, about):
        try:
            details = json.loads(canonical)["details"]
            _take(found[details["renewal"]], leaf_index, details)
        except (TypeError, ValueError, LookupError, AttributeError, RecursionError):
            raise renewal_damaged(f"event {leaf_index} of the log names no renewal that is here") from None
    renewals = list(found.values())
    for renewal in renewals:
        if not renewal.stamps:
            raise renewal_damaged(f"{renewal.number} is recorded by no event")
    return renewals


def _events(session: Session, about: str) -> Iterator[tuple[int, bytes]]:
    wanted = (
        select(EventRow.leaf_index, EventRow.canonical)
        .where(EventRow.type == EVENT, EventRow.object == about)
        .order_by(col(EventRow.leaf_index))
    )
    yield from session.exec(wanted)


def _take(renewal: Renewal, leaf_index: int, details: dict[str, Any]) -> None:
    if renewal.leaf_index < 0:
        renewal.leaf_index = leaf_index
    for made in details["outputs"]:
        renewal.files[str(made["file"])] = str(made["sha256"])
    for said in details["stamps"]:
        times = datetime.fromisoformat(said["gen_time"]), datetime.fromisoformat(said["holds_until"])
        renewal.stamps.append(Stamp(str(said["authority"]), str(said["file"]), *times))


def newest_of(renewals: Sequence[Renewal]) -> Renewal | None:
    """The renewal that covers most of the log."""
    return max(renewals, key=lambda renewal: renewal.tree_size, default=None)
