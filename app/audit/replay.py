"""What replaying the log yields, kept where memory does not grow with it (app.audit.scratch)."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from app.audit.meter import Meter
from app.audit.scratch import Scratch, keepable, key_bytes, key_text
from app.timestamps.recorded import Recorded, read_changes
from evidence_store.bundle import shapes
from evidence_store.bundle.events import CustodyEvent
from evidence_store.errors import EvidenceStoreError
from evidence_store.log import merkle

REPORT_ROLE, SEAL_ROLE = "audit report", "audit report signature"
"""How the event of an audit names its report and the report's seal."""

_PENDING_NODES = 4096


@dataclass(frozen=True, slots=True)
class Bound:
    """What the last event that wrote a row says of it: format, digest, and the event's leaf."""

    number: int
    digest: str
    leaf: int


@dataclass(frozen=True, slots=True)
class Ingestion:
    """An object's ingestion event, and the leaf at which it stands."""

    event_id: str
    digest: str
    sha256: str | None
    sha512: str | None
    size: int | None
    leaf: int


class Replay:
    """The log as its events tell it.

    Attributes:
        size: number of leaves seen.
        founding: the archive's creation, which is the first event of its log.
        key_changes: the events of `keys:` objects, with their leaves; few, whatever the size of the log.
        authority_changes: (time, details) of each change of the archive's time-stamping authorities; few as well.
        meter: told of each event and row that was checked.
        scratch: where the rest is kept.
    """

    def __init__(self, scratch: Scratch, meter: Meter | None = None) -> None:
        """Begin with nothing.

        Args:
            scratch: an empty one; whoever made it closes it.
            meter: of the audit.
        """
        self.scratch = scratch
        self.meter = Meter() if meter is None else meter
        self.size = 0
        self.founding: CustodyEvent | None = None
        self.key_changes: list[tuple[CustodyEvent, int]] = []
        self.authority_changes: list[tuple[str, dict[str, Any]]] = []
        self._edge: dict[int, tuple[int, bytes]] = {}  # the newest node of each level: all that an append reads
        self._pending: list[tuple[int, int, bytes]] = []

    def authorities(self) -> dict[str, Recorded]:
        """What the events so far say of time-stamping authorities, by name."""
        return read_changes(self.authority_changes)

    # -- the tree ------------------------------------------------------------------------------

    def take_leaf(self, canonical: bytes) -> None:
        """The next leaf, and the nodes that it completes."""
        self.take_entry(hashlib.sha256(canonical).digest())

    def take_entry(self, entry: bytes) -> None:
        """The next leaf by its entry (32 bytes), of an event whose text is lost."""
        leaf = merkle.leaf_hash(entry)
        try:
            made = merkle.nodes_completed_by(self.size, leaf, self._newest)
        except (EvidenceStoreError, KeyError):
            made = [(0, self.size, leaf)]  # a gap before this leaf: higher nodes cannot be recomputed
        for level, place, digest in made:
            self._edge[level] = (place, digest)
        self._pending += made
        if len(self._pending) >= _PENDING_NODES:
            self.settle()
        self.size += 1

    def _newest(self, level: int, place: int) -> bytes:
        at, digest = self._edge[level]
        if at != place:
            raise KeyError((level, place))
        return digest

    def settle(self) -> None:
        """Keep the nodes that were made; call it before any is read."""
        self.scratch.do_each("INSERT OR REPLACE INTO node VALUES (?, ?, ?)", self._pending)
        self._pending.clear()

    def read(self, level: int, index: int) -> bytes:
        """A recomputed node.

        Raises:
            KeyError: it has none, or events below it are missing.
        """
        found = self.scratch.one("SELECT hash FROM node WHERE level = ? AND place = ?", level, index)
        if found is None:
            raise KeyError((level, index))
        return bytes(found[0])

    def nodes(self) -> Iterator[tuple[tuple[int, int], bytes]]:
        """All recomputed nodes by their places, in order."""
        for level, place, digest in self.scratch.each("SELECT level, place, hash FROM node ORDER BY level, place"):
            yield (level, place), digest

    def root_at(self, size: int) -> bytes | None:
        """The root of the tree of the first leaves; None when events below it are missing, or it was not kept."""
        if size > self.size:
            return None
        try:
            return merkle.root_at(size, self.read)
        except (EvidenceStoreError, KeyError, sqlite3.Error):
            return None

    # -- objects -------------------------------------------------------------------------------

    def chain(self, about: str) -> tuple[int, str]:
        """The number of an object's next event, and the digest of its last one (empty when there is none)."""
        found = self.scratch.one("SELECT next, digest FROM chain WHERE object = ?", about)
        return (0, "") if found is None else (int(found[0]), str(found[1]))

    def take_chain(self, event: CustodyEvent) -> None:
        """This is its object's last event so far."""
        values = (event.object, event.object_seq + 1, event.digest)
        self.scratch.do("REPLACE INTO chain VALUES (?, ?, ?)", *values)

    def ingestion(self, about: str) -> Ingestion | None:
        """An object's (last) ingestion event."""
        columns = "event_id, digest, sha256, sha512, size, leaf"
        found = self.scratch.one(f"SELECT {columns} FROM ingested WHERE object = ?", key_bytes(about))  # noqa: S608
        return None if found is None else Ingestion(*found)

    def take_ingestion(self, event: CustodyEvent, leaf: int) -> None:
        """An object was taken in by this event."""
        file = (event.sha256, event.sha512, event.size)
        values = (key_bytes(event.object), event.event_id, event.digest, *file, leaf)
        self.scratch.do("REPLACE INTO ingested VALUES (?, ?, ?, ?, ?, ?, ?)", *values)

    def ingestions(self) -> int:
        """How many objects were taken in."""
        return self._count("ingested")

    def _count(self, table: str) -> int:
        try:
            found = self.scratch.one(f"SELECT count(*) FROM {table}")  # noqa: S608 - our own words
        except sqlite3.Error:
            return 0  # for a progress bar only; the checks themselves say that the scratch file is full
        return 0 if found is None else int(found[0])

    # -- outputs -------------------------------------------------------------------------------

    def take_outputs(self, event: CustodyEvent, leaf: int) -> None:
        """Keep what an event says of the files that were made, as far as it names a second digest of them."""
        for output in event.outputs:
            if output.sha512 is not None:
                self.scratch.do("INSERT OR IGNORE INTO output VALUES (?, ?, ?)", *map(keepable, output), leaf)

    def otherwise(self, sha256: str, sha512: str) -> int | None:
        """The first leaf, if any, whose event names a file of this SHA-256 by another SHA-512 than the file has."""
        query = "SELECT min(leaf) FROM output WHERE sha256 = ? AND sha512 != ?"
        found = self.scratch.one(query, keepable(sha256), keepable(sha512))
        return None if found is None or found[0] is None else int(found[0])

    # -- audits --------------------------------------------------------------------------------

    def take_audit(self, event: CustodyEvent) -> None:
        """An audit was recorded by this event; its report and the report's seal are named by their digests."""
        listed = event.details.get("outputs")
        made = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
        named = {one.get("role"): one.get("sha256") for one in made if shapes.is_sha256(one.get("sha256"))}
        values = (str(event.details.get("audit")), named.get(REPORT_ROLE), named.get(SEAL_ROLE))
        self.scratch.do("REPLACE INTO audit VALUES (?, ?, ?)", *values)

    def audits(self) -> Iterator[tuple[str, str | None, str | None]]:
        """Each recorded audit with the digests (hex) of its report and of the report's seal, if it has one."""
        yield from self.scratch.each("SELECT id, report, seal FROM audit ORDER BY id")

    # -- rows ----------------------------------------------------------------------------------

    def take_row(self, table: str, key: str, bound: Bound) -> None:
        """An event wrote a row."""
        values = (table, key_bytes(key), bound.number, bound.digest, bound.leaf)
        self.scratch.do("REPLACE INTO bound VALUES (?, ?, ?, ?, ?, 0)", *values)

    def bound(self, table: str, key: str) -> Bound | None:
        """What a row must be; None when no event wrote it."""
        query = "SELECT number, digest, leaf FROM bound WHERE tab = ? AND key = ?"
        found = self.scratch.one(query, table, key_bytes(key))
        return None if found is None else Bound(*found)

    def see_row(self, table: str, key: str) -> Bound | None:
        """What a row that was found must be; None when no event wrote it, or a row of this key was seen already."""
        where = "WHERE tab = ? AND key = ? AND seen = 0"
        kept = key_bytes(key)
        found = self.scratch.one(f"SELECT number, digest, leaf FROM bound {where}", table, kept)  # noqa: S608
        if found is None:
            return None
        self.scratch.do(f"UPDATE bound SET seen = 1 {where}", table, kept)  # noqa: S608 - our own words
        return Bound(*found)

    def rows_bound(self) -> int:
        """How many rows events wrote."""
        return self._count("bound")

    def rows_unseen(self) -> Iterator[tuple[str, str]]:
        """Rows that events wrote and that were not seen, by (table, key)."""
        for table, key in self.scratch.each("SELECT tab, key FROM bound WHERE seen = 0 ORDER BY tab, key"):
            yield table, key_text(key)
