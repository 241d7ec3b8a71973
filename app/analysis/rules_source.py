"""Findings that need more than the file: what its collector states, and when it came into the archive. Pure.

They are worked out when somebody looks, and never stored: the statements of a source can be corrected later.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from app.analysis.findings import rest, stated, warn
from schemas.records.v1.media_metadata import Finding, MediaMetadata, RestsOn

_SECOND = 19
_TOLERANCE = timedelta(minutes=5)  # clocks of cameras and platforms are not compared more finely
_FARTHEST_ZONE = timedelta(hours=14)
_CLOCKS = ("capture_utc", "gps_utc", "capture_local", "modified", "container_created")
_LOCAL = {"capture_local", "modified"}

Moments = tuple[tuple[str, datetime], ...]
"""Path of the statement, and the moment that it names; aware."""


def find_with_source(
    record: MediaMetadata,
    *,
    posted_at: datetime | None = None,
    collected_at: datetime | None = None,
    received_at: datetime | None = None,
) -> tuple[Finding, ...]:
    """What the file's clocks say beside the moments at which it must have existed.

    Args:
        record: the metadata record.
        posted_at: when it was posted, as the platform says.
        collected_at: when it was collected, as the collector says.
        received_at: when the archive received it.
    """
    moments = (("source.posted_at", posted_at), ("source.collected_at", collected_at), ("received_at", received_at))
    known = tuple((name, moment) for name, moment in moments if moment is not None)
    return tuple(_later_than(record, known))


def _later_than(record: MediaMetadata, moments: Moments) -> Iterator[Finding]:
    earliest = min(moments, key=lambda one: one[1], default=None)
    if earliest is None:
        return
    late = [
        (name, moment)
        for name in _CLOCKS
        if (moment := _at_the_earliest(record, name)) and moment > earliest[1] + _TOLERANCE
    ]
    if late:
        path, existed = earliest
        names = ", ".join(f"{name} {getattr(record.time, name).value}" for name, _ in late)
        text = (
            f"the file says {names}, and was there at {existed.isoformat()} ({path}); consistent with a clock that was "
            "set wrong, or with a date that was written later"
        )
        values: list[RestsOn] = [stated(path, existed.isoformat())]
        yield warn("capture_after_source", text, *values, *rest(record, *(f"time.{name}" for name, _ in late)))


def _at_the_earliest(record: MediaMetadata, name: str) -> datetime | None:
    """The first moment that a clock's reading may mean: of a local time, in the zone that is farthest ahead."""
    fact = getattr(record.time, name)
    if fact.value is None or fact.certainty == "inferred":
        return None
    if name == "capture_local" and record.time.capture_utc.certainty not in {"absent", "inferred"}:
        return None  # the same reading, better known
    try:
        moment = datetime.fromisoformat(fact.value[:_SECOND]).replace(tzinfo=UTC)
    except ValueError:
        return None
    return moment - _FARTHEST_ZONE if name in _LOCAL else moment
