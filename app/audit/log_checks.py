"""The custody log against itself: leaves, nodes and chains.

Every stored number is recomputed from the events' canonical bytes; nothing is taken on trust:

1. Leaves are numbered 0..n-1 without a gap, and the one head row says n.
2. Each event is canonical, belongs to this log, and its columns repeat what its bytes say.
3. Each object's events are numbered without a gap and chained by `prev`.
4. Each Merkle node equals the one recomputed from the leaves (RFC 6962 section 2.1); none is missing or extra.

That the whole was not rewritten is for the checkpoints to show (checkpoint_checks).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import RowMapping
from sqlmodel import Session

from app.audit.stored import stored_rows
from app.custody.log_store import HEAD_ID
from app.custody.models import EventRow, LogHead, LogNode
from evidence_store.bundle.events import CustodyEvent, parse_event
from evidence_store.canonical import parse_canonical
from evidence_store.errors import EvidenceStoreError
from evidence_store.log import merkle
from evidence_store.verify.report import Report

COLUMNS = ("event_id", "object", "object_seq", "type", "time", "sha256")


@dataclass(frozen=True, slots=True)
class Bound:
    """What the last event that wrote a row says of it: format, digest, and the event's leaf."""

    number: int
    digest: str
    leaf: int


@dataclass
class Replay:
    """What replaying the log yields.

    Attributes:
        size: number of leaves seen.
        nodes: recomputed complete subtrees.
        rows: what each bound row must be, by (table, key).
        ingested: object -> its ingestion event.
        outputs: object -> digests of the files its events name as made.
        founding: the archive's creation, which is the first event of its log.
    """

    size: int = 0
    nodes: dict[tuple[int, int], bytes] = field(default_factory=dict)
    rows: dict[tuple[str, str], Bound] = field(default_factory=dict)
    ingested: dict[str, tuple[CustodyEvent, int]] = field(default_factory=dict)
    outputs: dict[str, set[str]] = field(default_factory=dict)
    founding: CustodyEvent | None = None
    chains: dict[str, tuple[int, str]] = field(default_factory=dict)

    def read(self, level: int, index: int) -> bytes:
        """A recomputed node."""
        return self.nodes[(level, index)]


def replay_log(session: Session, origin: str, report: Report, replay: Replay) -> None:
    """Walk all events in leaf order into an empty replay, and check invariants 1 to 3."""
    for row in stored_rows(session, EventRow, "leaf_index"):
        leaf_index = row["leaf_index"]
        if leaf_index != replay.size:
            report.finding("event_missing", f"leaf {replay.size}", f"the next one in the database is {leaf_index}")
            replay.size = leaf_index
        subject = f"event {row['event_id']} (leaf {leaf_index}, {row['object']})"
        canonical = _canonical_of(row, subject, report)
        _take_leaf(replay, canonical)
        _take_event(replay, row, canonical, origin, subject, report)
    _check_head(session, replay, report)
    report.count("events", replay.size)


def _canonical_of(row: RowMapping, subject: str, report: Report) -> bytes:
    value = row["canonical"]
    if isinstance(value, bytes):
        return value
    report.finding("event_malformed", subject, f"its bytes are stored as {type(value).__name__}")
    return value.encode("utf-8", "surrogateescape") if isinstance(value, str) else b""


def _check_head(session: Session, replay: Replay, report: Report) -> None:
    heads = [(row["id"], row["size"]) for row in stored_rows(session, LogHead)]
    if heads != [(HEAD_ID, replay.size)]:
        says = ", ".join(f"row {number} says {size}" for number, size in heads) or "there is no head row"
        report.finding("log_head_wrong", "log_head", f"{says}; the events number {replay.size}")


def _take_leaf(replay: Replay, canonical: bytes) -> None:
    leaf = merkle.leaf_hash(hashlib.sha256(canonical).digest())
    try:
        made = merkle.nodes_completed_by(replay.size, leaf, replay.read)
    except (EvidenceStoreError, KeyError):
        made = [(0, replay.size, leaf)]  # a gap before this leaf: higher nodes cannot be recomputed
    replay.nodes.update({(level, index): digest for level, index, digest in made})
    replay.size += 1


def _take_event(replay: Replay, row: RowMapping, canonical: bytes, origin: str, subject: str, report: Report) -> None:
    try:
        event = parse_event(canonical)
    except EvidenceStoreError as error:
        report.finding("event_malformed", subject, f"{error.code}: {error.detail}")
        return
    differing = [name for name in COLUMNS if row[name] != getattr(event, name)]
    if row["event_sha256"] != event.digest:
        differing.append("event_sha256")
    if row["actor_id"] != _actor_of(canonical):
        differing.append("actor_id")
    if differing:
        report.finding("event_column_altered", subject, f"differs from the canonical bytes: {', '.join(differing)}")
    if event.log != origin:
        report.finding("event_of_other_log", subject, f"says log {event.log!r}")
    expected_seq, previous = replay.chains.get(event.object, (0, ""))
    if event.object_seq != expected_seq:
        detail = f"event {expected_seq} should be here, not {event.object_seq}"
        report.finding("event_sequence_broken", subject, detail)
    if (event.prev or "") != previous:
        report.finding("event_chain_broken", subject, "'prev' is not the digest of the object's previous event")
    replay.chains[event.object] = (event.object_seq + 1, event.digest)
    try:
        _take_details(replay, event, row["leaf_index"])
    except (TypeError, ValueError):
        report.finding("event_malformed", subject, "its list of the rows that it wrote cannot be read")


def _actor_of(canonical: bytes) -> str:
    record: Any = parse_canonical(canonical)
    return str(record["actor"]["id"])


def _take_details(replay: Replay, event: CustodyEvent, leaf_index: int) -> None:
    if event.type == "ingestion":
        replay.ingested[event.object] = (event, leaf_index)
    if event.type == "archive creation" and leaf_index == 0:
        replay.founding = event
    replay.outputs.setdefault(event.object, set()).update(event.outputs)
    bound = event.details.get("rows")
    for entry in bound if isinstance(bound, list) else []:
        table, key, number, digest = entry
        replay.rows[(str(table), str(key))] = Bound(int(number), str(digest), leaf_index)


def check_nodes(session: Session, replay: Replay, report: Report) -> None:
    """Invariant 4."""
    missing = set(replay.nodes)
    for node in stored_rows(session, LogNode):
        place = (node["level"], node["index"])
        subject = f"log node ({place[0]}, {place[1]})"
        report.count("log nodes")
        missing.discard(place)
        expected = replay.nodes.get(place)
        if expected is None:
            report.finding("log_node_extra", subject, "no leaves stand below it")
        elif expected != node["hash"]:
            report.finding("log_node_altered", subject, "differs from its leaves")
    for level, index in sorted(missing):
        report.finding("log_node_missing", f"log node ({level}, {index})", "is not in the database")
