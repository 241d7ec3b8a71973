"""Custody events as a bundle carries them: one canonical JSON record per line.

The exact bytes of the line are the record: their SHA-256 is the log's entry, and the next event of the same object
names it as `prev`. Nothing here is ever written again in order to be checked.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any, NamedTuple, cast

from evidence_store.bundle import shapes
from evidence_store.bundle.seen import Seen
from evidence_store.canonical import parse_canonical
from evidence_store.errors import EvidenceStoreError

MAX_EVENT_BYTES = 65_535

ACTOR_SHAPE: shapes.Shape = {
    "id": shapes.optional(shapes.is_text),
    "name": shapes.optional(shapes.is_text),
    "auth": shapes.optional(shapes.is_text),
}
EVENT_SHAPE: shapes.Shape = {
    "v": shapes.equals(1),
    "log": shapes.is_name,
    "event_id": shapes.is_uuid,
    "object": shapes.is_object_id,
    "object_seq": shapes.is_count,
    "prev": shapes.optional(shapes.is_sha256),
    "type": shapes.is_name,
    "actor": shapes.record(ACTOR_SHAPE),
    "time": shapes.is_time,
    "sha256": shapes.optional(shapes.is_sha256),
    "sha512": shapes.optional(shapes.is_sha512),
    "size": shapes.optional(shapes.is_count),
    "details": shapes.is_mapping,
    "salt": shapes.is_sha256,  # also 32 bytes in hex
}
_FIELDS = ("log", "event_id", "object", "object_seq", "prev", "type", "time", "sha256", "sha512", "size", "details")


class Output(NamedTuple):
    """How an event names a file that was produced.

    Attributes:
        sha256: hex.
        sha512: as the event has it, be it no digest at all; None in events made before version 0.2.
    """

    sha256: str
    sha512: str | None


@dataclass(frozen=True)
class CustodyEvent:
    """One event read from its canonical bytes; `digest` is their SHA-256 in hex, the rest are the record's fields."""

    digest: str
    log: str
    event_id: str
    object: str
    object_seq: int
    prev: str | None
    type: str
    time: str
    sha256: str | None
    sha512: str | None
    size: int | None
    details: dict[str, Any]

    @property
    def outputs(self) -> list[Output]:
        """The files that this event says were produced (`details.outputs`)."""
        listed = self.details.get("outputs")
        if not isinstance(listed, list):
            return []
        named = [output for output in listed if shapes.record({"sha256": shapes.is_sha256})(output)]
        return [Output(each["sha256"], str(each["sha512"]) if "sha512" in each else None) for each in named]


def parse_event(line: bytes) -> CustodyEvent:
    """Read one event from its exact canonical bytes (without a line end).

    Raises:
        EvidenceStoreError: `event_too_long`, `event_not_canonical` or `event_shape`.
    """
    if len(line) > MAX_EVENT_BYTES:
        raise EvidenceStoreError("event_too_long", f"{len(line)} bytes, the limit is {MAX_EVENT_BYTES}")
    try:
        value = parse_canonical(line)
    except EvidenceStoreError as error:
        raise EvidenceStoreError("event_not_canonical", f"{error.code}: {error.detail}") from error
    problems = shapes.shape_problems(value, EVENT_SHAPE, exact=True)
    if problems:
        raise EvidenceStoreError("event_shape", "; ".join(problems))
    fields = cast("dict[str, Any]", value)
    return CustodyEvent(digest=hashlib.sha256(line).hexdigest(), **{name: fields[name] for name in _FIELDS})


@dataclass
class ObjectChain:
    """What is known of one object after its events so far: how many, and the last one."""

    events: int = 0
    next_seq: int = 0
    head_event_id: str = ""
    head_sha256: str | None = None
    head_time: str = ""


@dataclass
class ChainFollower:
    """Follows the events of all objects in bundle order and says where a chain is not whole.

    Invariants of a whole bundle: events are ordered by (object, object_seq); each object's events are numbered from 0
    without a gap; each names the digest of the one before it as `prev`, the first names null; no event appears twice.

    To be closed: of very many events the identifiers are in a temporary file.
    """

    chains: dict[str, ObjectChain] = field(default_factory=dict)
    _last_object: str = ""
    _seen: Seen = field(default_factory=Seen)

    def close(self) -> None:
        """Remove the temporary file, if there is one."""
        self._seen.close()

    def follow(self, event: CustodyEvent) -> list[tuple[str, str]]:
        """Take the next event.

        Returns:
            (code, detail) for each broken invariant; the follower then goes on from this event.

        Raises:
            OSError: the temporary file cannot be read any more.
        """
        broken: list[tuple[str, str]] = []
        if event.object < self._last_object or (event.object != self._last_object and event.object in self.chains):
            broken.append(("event_out_of_order", f"{event.object} comes after {self._last_object}"))
        if not self._seen.add(event.event_id):
            broken.append(("event_repeated", "another event has the same identifier"))
        chain = self.chains.setdefault(event.object, ObjectChain())
        if event.object_seq != chain.next_seq:
            broken.append(
                (
                    "event_sequence_broken",
                    f"event {chain.next_seq} should be here, but this is event {event.object_seq}",
                )
            )
        if event.prev != chain.head_sha256:
            broken.append(("event_chain_broken", "'prev' is not the digest of the event before it"))
        if event.time < chain.head_time:
            broken.append(
                ("event_time_backwards", f"{event.time} is earlier than {chain.head_time} of the event before")
            )
        self._last_object = event.object
        chain.events += 1
        chain.next_seq = event.object_seq + 1
        chain.head_event_id, chain.head_sha256, chain.head_time = event.event_id, event.digest, event.time
        return broken
