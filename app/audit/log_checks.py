"""The custody log against itself: leaves, nodes, chains, checkpoints, and the head kept outside.

Every stored number is recomputed from the events' canonical bytes; nothing is taken on trust:

1. Leaves are numbered 0..n-1 without a gap, and the head row says n.
2. Each event is canonical, belongs to this log, and its columns repeat what its bytes say.
3. Each object's events are numbered without a gap and chained by `prev`.
4. Each Merkle node equals the one recomputed from the leaves (RFC 6962 section 2.1); none is missing or extra.
5. Each checkpoint is signed by the log's key over the recomputed root; none is missing between two others.
6. The checkpoint kept outside the database is continued by the log.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlmodel import Session, col, func, select

from app.custody.log_store import HEAD_ID
from app.custody.models import CheckpointRow, EventRow, LogHead, LogNode
from evidence_store.bundle.events import CustodyEvent, parse_event
from evidence_store.canonical import parse_canonical
from evidence_store.errors import EvidenceStoreError
from evidence_store.log import merkle, note
from evidence_store.verify.report import Report

BATCH = 500
COLUMNS = ("event_id", "object", "object_seq", "type", "time", "sha256")


@dataclass
class Replay:
    """What replaying the log yields.

    Attributes:
        size: number of leaves seen.
        nodes: recomputed complete subtrees.
        rows: what each bound row must be: (table, key) -> (format, digest).
        ingested: object -> its ingestion event.
        outputs: object -> digests of the files its events name as made.
        founding: the archive's first event.
    """

    size: int = 0
    nodes: dict[tuple[int, int], bytes] = field(default_factory=dict)
    rows: dict[tuple[str, str], tuple[int, str]] = field(default_factory=dict)
    ingested: dict[str, tuple[CustodyEvent, int]] = field(default_factory=dict)
    outputs: dict[str, set[str]] = field(default_factory=dict)
    founding: CustodyEvent | None = None
    chains: dict[str, tuple[int, str]] = field(default_factory=dict)

    def read(self, level: int, index: int) -> bytes:
        """A recomputed node."""
        return self.nodes[(level, index)]


def replay_log(session: Session, origin: str, report: Report) -> Replay:
    """Walk all events in leaf order and check invariants 1 to 3."""
    replay = Replay()
    stored = session.exec(select(EventRow).order_by(col(EventRow.leaf_index)).execution_options(yield_per=BATCH))
    for row in stored:
        if row.leaf_index != replay.size:
            report.finding("event_missing", f"leaf {replay.size}", f"the next one in the database is {row.leaf_index}")
            replay.size = row.leaf_index
        _take_leaf(replay, row)
        _take_event(replay, row, origin, report)
        session.expunge(row)
    head = session.get(LogHead, HEAD_ID)
    if head is None or head.size != replay.size:
        says = "is missing" if head is None else f"says {head.size}"
        report.finding("log_head_wrong", "log_head", f"the head row {says}; the events number {replay.size}")
    report.count("events", replay.size)
    return replay


def _take_leaf(replay: Replay, row: EventRow) -> None:
    leaf = merkle.leaf_hash(hashlib.sha256(row.canonical).digest())
    try:
        made = merkle.nodes_completed_by(replay.size, leaf, replay.read)
    except (EvidenceStoreError, KeyError):
        made = [(0, replay.size, leaf)]  # a gap before this leaf: higher nodes cannot be recomputed
    replay.nodes.update({(level, index): digest for level, index, digest in made})
    replay.size += 1


def _take_event(replay: Replay, row: EventRow, origin: str, report: Report) -> None:
    subject = f"event {row.event_id} (leaf {row.leaf_index}, {row.object})"
    try:
        event = parse_event(row.canonical)
    except EvidenceStoreError as error:
        report.finding("event_malformed", subject, f"{error.code}: {error.detail}")
        return
    differing = [name for name in COLUMNS if getattr(row, name) != getattr(event, name)]
    if row.event_sha256 != event.digest:
        differing.append("event_sha256")
    if row.actor_id != _actor_of(row.canonical):
        differing.append("actor_id")
    if differing:
        report.finding("event_column_altered", subject, f"differs from the canonical bytes: {', '.join(differing)}")
    if event.log != origin:
        report.finding("event_of_other_log", subject, f"says log {event.log!r}")
    expected_seq, previous = replay.chains.get(event.object, (0, ""))
    if event.object_seq != expected_seq:
        report.finding(
            "event_sequence_broken",
            subject,
            f"event {expected_seq} should be here, not {event.object_seq}",
        )
    if (event.prev or "") != previous:
        report.finding("event_chain_broken", subject, "'prev' is not the digest of the object's previous event")
    replay.chains[event.object] = (event.object_seq + 1, event.digest)
    _take_details(replay, event, row.leaf_index)


def _actor_of(canonical: bytes) -> str:
    record: Any = parse_canonical(canonical)
    return str(record["actor"]["id"])


def _take_details(replay: Replay, event: CustodyEvent, leaf_index: int) -> None:
    bound = event.details.get("rows")
    for entry in bound if isinstance(bound, list) else []:
        table, key, number, digest = entry
        replay.rows[(str(table), str(key))] = (int(number), str(digest))
    replay.outputs.setdefault(event.object, set()).update(event.outputs)
    if event.type == "ingestion":
        replay.ingested[event.object] = (event, leaf_index)
    if event.type == "archive creation" and replay.founding is None:
        replay.founding = event


def check_nodes(session: Session, replay: Replay, report: Report) -> None:
    """Invariant 4."""
    seen = 0
    stored = session.exec(select(LogNode).execution_options(yield_per=BATCH * 10))
    for node in stored:
        seen += 1
        expected = replay.nodes.get((node.level, node.index))
        if expected is None:
            report.finding("log_node_extra", f"log node ({node.level}, {node.index})", "no leaves stand below it")
        elif expected != node.hash:
            report.finding("log_node_altered", f"log node ({node.level}, {node.index})", "differs from its leaves")
        session.expunge(node)
    report.count("log nodes", seen)
    if seen < len(replay.nodes):
        for level, index in sorted(replay.nodes):
            if session.get(LogNode, (level, index)) is None:
                report.finding("log_node_missing", f"log node ({level}, {index})", "is not in the database")


def check_checkpoints(session: Session, replay: Replay, origin: str, vkey: str, report: Report) -> None:
    """Invariant 5."""
    key = note.parse_vkey(vkey)
    for place, row in enumerate(session.exec(select(CheckpointRow).order_by(col(CheckpointRow.size)))):
        subject = f"checkpoint {row.size}"
        report.count("checkpoints")
        if row.seq != place:
            report.finding("checkpoint_missing", subject, f"is numbered {row.seq}, but {place} are before it")
        try:
            signed = note.open_checkpoint(row.note, key)
        except EvidenceStoreError as error:
            report.finding("checkpoint_damaged", subject, f"{error.code}: {error.detail}")
            continue
        if signed.origin != origin or signed.size != row.size:
            report.finding("checkpoint_damaged", subject, f"is for {signed.origin} at {signed.size}")
        _check_root(replay, signed, subject, report)


def _check_root(replay: Replay, signed: note.Checkpoint, subject: str, report: Report) -> None:
    if signed.size > replay.size:
        report.finding("log_rolled_back", subject, f"{signed.size} events were signed, {replay.size} are here")
        return
    try:
        root = merkle.root_at(signed.size, replay.read)
    except (EvidenceStoreError, KeyError):
        report.finding("check_not_run", subject, "events before it are missing, so its root cannot be recomputed")
        return
    if root != signed.root:
        report.finding("log_contradicts_checkpoint", subject, "the events do not hash to the signed root")


def check_kept_head(session: Session, replay: Replay, head_file: Path, vkey: str, report: Report) -> None:
    """Invariant 6."""
    newest = session.exec(select(func.max(CheckpointRow.size))).one()
    if not head_file.exists():
        if newest is not None:
            report.finding("head_file_missing", str(head_file.name), "checkpoints exist, but none is kept outside")
        return
    try:
        kept = note.open_checkpoint(head_file.read_bytes(), note.parse_vkey(vkey))
    except (EvidenceStoreError, OSError) as error:
        report.finding("head_file_damaged", str(head_file.name), str(error))
        return
    if newest is None or kept.size > newest:
        report.finding(
            "checkpoint_missing",
            f"checkpoint {kept.size}",
            "is kept outside, but is not in the database",
        )
    _check_root(replay, kept, "the checkpoint kept outside the database", report)
