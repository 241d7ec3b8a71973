"""The custody log against itself: leaves, nodes and chains.

Every stored number is recomputed from the events' canonical bytes; nothing is taken on trust:

1. Leaves are numbered 0..n-1 without a gap but those that a recovery told of, and the one head row says n.
2. Each event is canonical, belongs to this log, and its columns repeat what its bytes say.
3. Each object's events are numbered without a gap and chained by `prev`.
4. Each Merkle node equals the one recomputed from the leaves (RFC 6962 section 2.1); none is missing or extra.

That the whole was not rewritten is for the checkpoints to show (checkpoint_checks). Events are read once, in order;
what has to be remembered of them goes to the scratch file (app.audit.replay), so memory does not grow with the log.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from sqlalchemy import RowMapping
from sqlmodel import Session

from app.audit.lost_checks import LostPlaces
from app.audit.replay import Bound as Bound  # noqa: PLC0414 - other checks take both from here
from app.audit.replay import Replay as Replay  # noqa: PLC0414
from app.audit.stored import stored_rows
from app.custody.log_store import HEAD_ID
from app.custody.models import EventRow, LogHead, LogNode
from app.timestamps.recorded import CHANGE as AUTHORITY_CHANGE
from evidence_store.bundle.events import CustodyEvent, parse_event
from evidence_store.errors import EvidenceStoreError
from evidence_store.verify.report import Report

COLUMNS = ("event_id", "object", "object_seq", "type", "time", "sha256")


def replay_log(session: Session, origin: str, report: Report, replay: Replay) -> None:
    """Walk all events in leaf order into an empty replay, and check invariants 1 to 3."""
    lost = LostPlaces()
    lost.load(session)
    for row in stored_rows(session, EventRow, "leaf_index"):
        leaf_index = row["leaf_index"]
        lost.pass_over(replay, leaf_index, report)
        if leaf_index != replay.size:
            report.finding("event_missing", f"leaf {replay.size}", f"the next one in the database is {leaf_index}")
            replay.size = leaf_index
        subject = f"event {row['event_id']} (leaf {leaf_index}, {row['object']})"
        canonical = _canonical_of(row, subject, report)
        replay.take_leaf(canonical)
        _take_event(replay, row, canonical, origin, subject, report, lost)
        replay.meter.tick()
    lost.pass_over(replay, None, report)
    lost.close(report)
    replay.settle()
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


def _take_event(
    replay: Replay, row: RowMapping, canonical: bytes, origin: str, subject: str, report: Report, lost: LostPlaces
) -> None:
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
    _check_chain(replay, event, subject, report)
    try:
        _take_details(replay, event, row["leaf_index"])
        lost.take_recovery(event, row["leaf_index"])
    except (TypeError, ValueError, OverflowError):
        report.finding("event_malformed", subject, "its list of the rows that it wrote cannot be read")


def _check_chain(replay: Replay, event: CustodyEvent, subject: str, report: Report) -> None:
    expected_seq, previous = replay.chain(event.object)
    if event.object_seq != expected_seq:
        detail = f"event {expected_seq} should be here, not {event.object_seq}"
        report.finding("event_sequence_broken", subject, detail)
    if (event.prev or "") != previous:
        report.finding("event_chain_broken", subject, "'prev' is not the digest of the object's previous event")
    replay.take_chain(event)


def _actor_of(canonical: bytes) -> str:
    return str(json.loads(canonical)["actor"]["id"])  # parse_event has found the bytes canonical and of this shape


def _take_details(replay: Replay, event: CustodyEvent, leaf_index: int) -> None:
    if event.type == "ingestion":
        replay.take_ingestion(event, leaf_index)
    if event.type == "archive creation" and leaf_index == 0:
        replay.founding = event
    replay.take_outputs(event, leaf_index)
    if event.type == "fixity check":
        replay.take_audit(event)
    if event.object.startswith("keys:"):
        replay.key_changes.append((event, leaf_index))
    if event.type == AUTHORITY_CHANGE and replay.founding is not None and event.object == replay.founding.object:
        replay.authority_changes.append((event.time, event.details))
    bound = event.details.get("rows")
    for entry in bound if isinstance(bound, list) else []:
        table, key, number, digest = entry
        replay.take_row(str(table), str(key), Bound(int(number), str(digest), leaf_index))


def check_nodes(session: Session, replay: Replay, report: Report) -> None:
    """Invariant 4: the stored nodes and the recomputed ones, side by side in the order of their places."""
    expected = replay.nodes()
    wanted = next(expected, None)
    for node in stored_rows(session, LogNode, "level", "index"):
        place = (node["level"], node["index"])
        subject = f"log node ({place[0]}, {place[1]})"
        report.count("log nodes")
        replay.meter.tick()
        # What is no pair of whole numbers has no order among them; the program writes none.
        while wanted is not None and _is_place(place) and wanted[0] < place:
            _missing(wanted[0], report)
            wanted = next(expected, None)
        if wanted is None or wanted[0] != place:
            report.finding("log_node_extra", subject, "no leaves stand below it")
            continue
        if wanted[1] != node["hash"]:
            report.finding("log_node_altered", subject, "differs from its leaves")
        wanted = next(expected, None)
    _all_missing(wanted, expected, report)


def _is_place(place: tuple[object, object]) -> bool:
    return all(type(part) is int for part in place)


def _all_missing(
    wanted: tuple[tuple[int, int], bytes] | None, rest: Iterator[tuple[tuple[int, int], bytes]], report: Report
) -> None:
    while wanted is not None:
        _missing(wanted[0], report)
        wanted = next(rest, None)


def _missing(place: tuple[int, int], report: Report) -> None:
    report.finding("log_node_missing", f"log node ({place[0]}, {place[1]})", "is not in the database")
