"""Bringing back what was lost, in one transaction: afterwards the log goes on from where it was signed last."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pydantic import JsonValue
from sqlmodel import Session

from app.custody.bulk import put_rows
from app.custody.event_rows import put_events
from app.custody.heads import KeptHeads
from app.custody.log_store import log_of
from app.custody.models import LostEntry
from app.custody.recovery import Loss
from app.custody.service import Custody
from app.db import Database, table_of
from app.errors import ConflictError
from evidence_store.log import note, sequencer
from schemas.records.v1.event import Actor, EventType

EVENT: EventType = "log recovery"
_LOST = table_of(LostEntry)
_RANGES_AN_EVENT = 1000


def bring_back(
    db: Database,
    custody: Custody,
    heads: KeptHeads,
    keys: Sequence[note.VerifierKey],
    loss: Loss,
    about: str,
    who: Actor,
) -> None:
    """Bring back what `examine` found, and put a kept checkpoint back that is gone or damaged.

    Args:
        db: the database that was examined.
        custody: records the recovery.
        heads: the places outside the database.
        keys: verifier keys of the log.
        loss: what is missing, and what is known of it.
        about: the archive, as an object of events.
        who: the operator.

    Raises:
        ConflictError: `database_changed` when events were added meanwhile.
        EnvironmentFailedError: `recovery_rows_refused`.
    """
    head_put_back = heads.put_back(loss.signed, keys)
    with db.write() as session:
        transaction = log_of(session)
        if transaction.lock_head() != loss.here:
            raise ConflictError("database_changed", "events were added meanwhile: stop the server and look again")
        if loss.places:
            sequencer.append(transaction, loss.entries)
            put_events(session, ((place, *one) for place, one in loss.effects.events.items()))
            _put_lost(session, loss)
            loss.effects.write_rows(session)
        if loss.places or head_put_back:
            for details in _told(loss, head_put_back=head_put_back):
                custody.record(session, about, EVENT, who, details=details)


def _put_lost(session: Session, loss: Loss) -> None:
    rows = []
    for place, entry in zip(loss.places, loss.entries, strict=True):
        if place not in loss.effects.events:
            _, canonical = loss.texts.get(place, (None, None))
            rows.append((place, entry, canonical))
    put_rows(session.connection(), _LOST, ("leaf_index", "entry", "canonical"), rows)


def _told(loss: Loss, *, head_put_back: bool) -> Iterator[dict[str, JsonValue]]:
    """What the log says of the recovery: places without effect as ranges, both ends included."""
    ranges = lost_ranges([place for place in loss.places if place not in loss.effects.events])
    checkpoint: dict[str, JsonValue] = {"size": loss.target.size, "root": loss.target.root.hex()}
    details: dict[str, JsonValue] = {
        "here": loss.here,
        "checkpoint": checkpoint,
        "brought_back": len(loss.effects.events),
        "without_effect": len(loss.without_effect),
        "without_text": len(loss.without_text),
        "head_put_back": head_put_back,
    }
    for start in range(0, max(1, len(ranges)), _RANGES_AN_EVENT):
        some: list[JsonValue] = [[first, last] for first, last in ranges[start : start + _RANGES_AN_EVENT]]
        yield {**details, "lost": some}


def lost_ranges(places: Sequence[int]) -> list[tuple[int, int]]:
    """Rising places as ranges, both ends included."""
    ranges: list[tuple[int, int]] = []
    for place in places:
        if ranges and ranges[-1][1] == place - 1:
            ranges[-1] = ranges[-1][0], place
        else:
            ranges.append((place, place))
    return ranges
