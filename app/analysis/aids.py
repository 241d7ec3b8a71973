"""What can be worked out beside a metadata record, for whoever looks at it: never stored, never a fact of the file."""

from __future__ import annotations

from datetime import datetime

from app.analysis.findings import rest
from app.analysis.rules_source import find_with_source
from app.analysis.sun import SunPosition, sun_at
from app.errors import InvalidInputError
from schemas.api.aids import AidsShown, SunShown
from schemas.records.v1.media_metadata import Certainty, MediaMetadata

SUN_NOTE = (
    "computed, not recorded: mean refraction (1010 hPa, 10 degrees Celsius), level horizon; hills, height and weather "
    "move sunrise and sunset by minutes"
)
_SECOND = 19
_PLACE_AND_TIME = ("position.lat", "position.lon", "time.capture_utc", "time.gps_utc")


def aids(item: str, sha256: str, record: MediaMetadata, source: dict[str, object], received_at: str) -> AidsShown:
    """The aids for an item.

    Args:
        item: its id.
        sha256: of the record's bytes.
        record: the record.
        source: the newest statement of its source.
        received_at: RFC 3339.
    """
    sun = sun_of(record)
    return AidsShown(
        item=item,
        record_sha256=sha256,
        findings=find_with_source(
            record,
            posted_at=_moment(source.get("posted_at")),
            collected_at=_moment(source.get("collected_at")),
            received_at=_moment(received_at),
        ),
        sun=None if sun is None else shown(sun),
        sun_certainty="absent" if sun is None else _certainty(record),
        sun_rests_on=rest(record, *_PLACE_AND_TIME),
    )


def _certainty(record: MediaMetadata) -> Certainty:
    """No better than the worst of the facts that were used."""
    time, position = record.time, record.position
    when = time.gps_utc if time.capture_utc.value is None else time.capture_utc
    found = {fact.certainty for fact in (position.lat, position.lon, when)}
    return "conflicting" if "conflicting" in found else "inferred" if "inferred" in found else "derived"


def sun_of(record: MediaMetadata) -> SunPosition | None:
    """Where the sun stood when and where the record says; None when it does not say both, or says 0,0."""
    lat, lon = record.position.lat.value, record.position.lon.value
    when = record.time.capture_utc.value or record.time.gps_utc.value
    moment = None if when is None else _moment(f"{when[:_SECOND]}Z")
    if lat is None or lon is None or moment is None or (lat == 0 and lon == 0):
        return None
    try:
        return sun_at(lat, lon, moment)
    except InvalidInputError:
        return None  # a year that the equations do not hold for


def shown(sun: SunPosition) -> SunShown:
    """For an answer."""
    return SunShown(
        lat=sun.lat,
        lon=sun.lon,
        at=_utc(sun.at),
        altitude=sun.altitude,
        altitude_geometric=sun.altitude_geometric,
        azimuth=sun.azimuth,
        shadow_direction=sun.shadow_direction,
        shadow_ratio=sun.shadow_ratio,
        phase=sun.phase,
        day=sun.day,
        noon=_utc(sun.noon),
        sunrise=None if sun.sunrise is None else _utc(sun.sunrise),
        sunset=None if sun.sunset is None else _utc(sun.sunset),
        note=SUN_NOTE,
    )


def moment_of(text: str) -> datetime:
    """A moment with its offset, as people type it.

    Raises:
        InvalidInputError: `bad_time`.
    """
    found = _moment(text.strip())
    if found is None:
        raise InvalidInputError("bad_time", "the time is RFC 3339 with its offset: 2024-06-21T12:00:00Z or ...+03:00")
    return found


def _moment(text: object) -> datetime | None:
    """An aware moment; None for anything else."""
    try:
        found = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return found if found is not None and found.tzinfo is not None else None


def _utc(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
