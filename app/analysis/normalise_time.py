"""Times: what each clock says, kept apart, and UTC only where it follows from what is recorded."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from typing import Literal

from app.analysis.facts import Said, text_fact
from app.analysis.gathered import Gathered
from app.analysis.normalise_text import iptc_moment
from app.analysis.normalise_values import (
    Moment,
    gps_moment,
    number,
    offset_from_satellites,
    offset_text,
    parse_moment,
    parse_offset,
    to_utc,
    utc_text,
)
from app.analysis.normalise_video import container_clocks, recorder_clocks
from app.analysis.probes.movie import FIRST_DIGITAL_YEAR
from app.analysis.probes.tiff import Number
from schemas.records.v1.media_metadata import Certainty, TextFact, TimeFacts

_MOST_HOURS = 14
_SECONDS = 19  # length of "2014-09-16T14:05:12"


@dataclass(frozen=True)
class _Clock:
    """A wall clock reading with its evidence."""

    moment: Moment
    raw: str
    source: str
    certainty: Certainty = "recorded"

    def local(self) -> Said[str]:
        return Said(self.moment.local_text(), self.raw, self.source, self.certainty)


def _same_second(first: object, second: object) -> bool:
    return str(first)[:_SECONDS] == str(second)[:_SECONDS]


def _exif_clock(gathered: Gathered, name: str, subsec: str, certainty: Certainty = "recorded") -> _Clock | None:
    said = gathered.exif_text(name)
    if said is None:
        return None
    fraction = gathered.exif_text(subsec)
    moment = parse_moment(said.value, fraction.value if fraction else "")
    return _Clock(moment, said.raw, said.source, certainty) if moment else None


def _text_clock(said: Said[str] | None, certainty: Certainty = "recorded") -> _Clock | None:
    moment = parse_moment(said.value) if said else None
    return _Clock(moment, said.raw, said.source, certainty) if said and moment else None


def _flir_clock(gathered: Gathered) -> _Clock | None:
    time = gathered.flir.time
    if time is None:
        return None
    fraction = f"{time.microsecond // 1000:03d}" if time.microsecond else ""
    moment = Moment(time.replace(tzinfo=None, microsecond=0), fraction, time.utcoffset())
    return _Clock(moment, time.isoformat(), "flir DateTimeOriginal")


def _track_clock(gathered: Gathered) -> _Clock | None:
    """The drone's clock at the first sample of its flight log."""
    first = next((point for point in gathered.track.points if point.time), None) if gathered.track else None
    moment = parse_moment(first.time) if first and first.time else None
    if gathered.track is None or first is None or first.time is None or moment is None:
        return None
    return _Clock(moment, first.time, f"{gathered.track.source}, first sample's clock", "inferred")


def _capture_clocks(gathered: Gathered) -> list[_Clock]:
    """Readings of the capture time, best first; the last resorts are marked as inferred."""
    clocks = [
        _exif_clock(gathered, "DateTimeOriginal", "SubSecTimeOriginal"),
        _text_clock(gathered.xmp_text("exif:DateTimeOriginal")),
        _flir_clock(gathered),
        *_movie_clocks(gathered),
        *(_text_clock(said, said.certainty) for said in recorder_clocks(gathered)),
        _text_clock(gathered.xmp_text("photoshop:DateCreated"), "inferred"),
        _exif_clock(gathered, "DateTimeDigitized", "SubSecTimeDigitized", "inferred"),
        _text_clock(gathered.xmp_text("xmp:CreateDate"), "inferred"),
        _text_clock(iptc_moment(gathered, "DateCreated", "TimeCreated"), "inferred"),
        _creation_text(gathered),
        _track_clock(gathered),
    ]
    return [clock for clock in clocks if clock is not None]


def _movie_clocks(gathered: Gathered) -> list[_Clock]:
    """Readings in a movie's texts; a moment that was said before, in another zone or by another tool, is no other."""
    found: dict[datetime, _Clock] = {}
    for said in gathered.movie_texts("com.apple.quicktime.creationdate", "©day", "@day", "date"):
        clock = _text_clock(said)
        if clock is not None:
            moment = clock.moment
            found.setdefault(_aware(moment), clock)
    return list(found.values())


def _aware(moment: Moment) -> datetime:
    """With its zone where one is recorded; equal are moments, and readings without a zone."""
    return moment.local if moment.offset is None else moment.local.replace(tzinfo=timezone(moment.offset))


def _creation_text(gathered: Gathered) -> _Clock | None:
    said = creation_text(gathered)
    moment = creation_moment(said.value) if said else None
    return _Clock(moment, said.raw, said.source, "inferred") if said and moment else None


def creation_text(gathered: Gathered) -> Said[str] | None:
    """The text in which a PNG says when it was made."""
    return gathered.written("Creation Time", "creation_time", "date:create")


def creation_moment(text: str) -> Moment | None:
    """PNG's "Creation Time": RFC 1123 as the standard asks (PNG 3rd edition 11.3.3.2), or a date as others write it."""
    known = parse_moment(text)
    if known is not None:
        return known
    try:
        time = parsedate_to_datetime(text)
    except (ValueError, OverflowError, IndexError, TypeError):
        return None
    moment = parse_moment(time.replace(tzinfo=None, microsecond=0).isoformat())
    return Moment(moment.local, "", time.utcoffset()) if moment else None


def _offsets(gathered: Gathered, capture: _Clock | None, clocks: list[_Clock]) -> list[Said[str]]:
    """UTC offsets that belong to the capture time, best first."""
    found: list[Said[str]] = []
    if capture is None:
        return found
    for name, clock_name in (
        ("OffsetTimeOriginal", "DateTimeOriginal"),
        ("OffsetTimeDigitized", "DateTimeDigitized"),
        ("OffsetTime", "DateTime"),
    ):
        said = gathered.exif_text(name)
        offset = parse_offset(said.value) if said else None
        clock = _exif_clock(gathered, clock_name, "SubSecTime")
        if said is None or offset is None or clock is None or clock.moment.local != capture.moment.local:
            continue
        certainty: Certainty = "recorded" if name == "OffsetTimeOriginal" else "derived"
        found.append(Said(offset_text(offset), said.raw, said.source, certainty))
    hours = gathered.exif_numbers("TimeZoneOffset")
    if hours and isinstance(hours[0], int) and abs(hours[0]) <= _MOST_HOURS and "DateTimeOriginal" in capture.source:
        raw, source = gathered.raw("TimeZoneOffset"), gathered.exif_source("TimeZoneOffset")
        found.append(Said(offset_text(timedelta(hours=hours[0])), raw, source))
    found += [
        Said(offset_text(clock.moment.offset), clock.raw, clock.source, clock.certainty)
        for clock in clocks
        if clock.moment.offset is not None and clock.moment.local == capture.moment.local
    ]
    return found


def _inferred_offset(gathered: Gathered, capture: _Clock | None, gps: tuple[datetime, str] | None) -> Said[str] | None:
    """The offset by another clock of the file, or by the camera's setting; each under an assumption."""
    if capture is None or capture.moment.offset is not None:
        return None
    told = _exposure_utc(gathered) or _trailer_utc(gathered)
    if told is not None:
        offset = offset_from_satellites(capture.moment.local, told[0])
        if offset is not None:
            source = f"{capture.source} minus {told[1].source}, assuming both show the same moment"
            return Said(offset_text(offset), f"{capture.raw} minus {told[1].raw}", source, "inferred")
    return _satellite_offset(capture, gps) or _zone_setting(gathered, capture)


def _exposure_utc(gathered: Gathered) -> tuple[datetime, Said[str]] | None:
    """DJI's clock at the exposure, which its name calls UTC."""
    said = gathered.xmp_text("drone-dji:UTCAtExposure")
    moment = parse_moment(said.value) if said else None
    if said is None or moment is None or moment.offset:
        return None
    return moment.local.replace(tzinfo=UTC), said


def _trailer_utc(gathered: Gathered) -> tuple[datetime, Said[str]] | None:
    """Samsung's Image_UTC_Data: milliseconds since 1970."""
    taken = gathered.picture.taken_ms
    if taken is None:
        return None
    time = datetime.fromtimestamp(taken // 1000, UTC)
    return time, Said(utc_text(time, f"{taken % 1000:03d}"), str(taken), "jpeg trailer Image_UTC_Data")


def _zone_setting(gathered: Gathered, capture: _Clock) -> Said[str] | None:
    """The zone that the camera is set to, with its daylight saving: of Canon's and Nikon's private blocks."""
    if "DateTimeOriginal" not in capture.source:
        return None
    maker = gathered.maker
    if maker.maker == "Canon":
        numbers = maker.numbers("TimeInfo")
        minutes, saving = (numbers[1], numbers[3]) if len(numbers) > 3 else (None, None)  # noqa: PLR2004 (size, zone, city, saving)
    elif maker.maker == "Nikon":
        minutes, saving = nikon_zone(maker.values.get("WorldTime"), maker.order)
    else:
        return None
    if not isinstance(minutes, int) or saving not in {0, 1, 60} or abs(minutes) > 60 * _MOST_HOURS:
        return None
    offset = timedelta(minutes=minutes + (60 if saving else 0))
    source = f"makernotes {maker.maker} time zone and daylight saving, assuming that the clock follows them"
    return Said(offset_text(offset), f"{minutes} {saving}", source, "inferred")


def nikon_zone(value: object, order: Literal["little", "big"]) -> tuple[int | None, int | None]:
    """Minutes and daylight saving of Nikon's WorldTime: a number of 16 bits and a byte."""
    data = value if isinstance(value, bytes) else b""
    if len(data) < 4:  # noqa: PLR2004 (zone, saving, date format)
        return None, None
    return int.from_bytes(data[:2], order, signed=True), data[2]


def _satellite_offset(capture: _Clock | None, gps: tuple[datetime, str] | None) -> Said[str] | None:
    offset = offset_from_satellites(capture.moment.local, gps[0]) if capture and gps else None
    if offset is None or capture is None or gps is None:
        return None
    raw = f"{capture.raw} minus {utc_text(*gps)}"
    return Said(
        offset_text(offset), raw, f"{capture.source} minus GPS time, assuming both show the same moment", "inferred"
    )


def _gps(gathered: Gathered) -> tuple[tuple[datetime, str] | None, Said[str] | None]:
    day = gathered.exif_text("GPSDateStamp")
    if day is not None:
        moment = gps_moment(day.value, gps_clock(gathered))
        if moment is not None:
            raw = gathered.raw("GPSDateStamp", "GPSTimeStamp")
            return moment, Said(utc_text(*moment), raw, gathered.exif_source("GPSTimeStamp"))
    clock = _text_clock(gathered.xmp_text("exif:GPSTimeStamp"))
    if clock is not None and clock.moment.offset == timedelta(0):
        value = to_utc(clock.moment, timedelta(0))
        return None, Said(value, clock.raw, clock.source) if value else None
    return None, None


def _track_utc(gathered: Gathered) -> Said[str] | None:
    """UTC at the track's first sample that states it; without a satellite fix it is the recorder's own clock."""
    track = gathered.track
    first = next((point for point in track.points if point.utc), None) if track else None
    if track is None or first is None or first.utc is None or first.checksum == "wrong":
        return None
    source = f"{track.source}, first sample with UTC"
    if first.fix == 0:
        return Said(first.utc, first.utc, f"{source}, without a satellite fix", "inferred")
    return Said(first.utc, first.utc, source, "derived")


def gps_clock(gathered: Gathered) -> tuple[Number, ...]:
    """GPSTimeStamp as three numbers; some writers put "10:31:07" there."""
    tag = gathered.tag("GPSTimeStamp")
    if tag is not None and isinstance(tag.value, str):
        parts = tag.value.strip("\0 ").split(":")
        return tuple(number(part) for part in parts) if len(parts) == 3 else ()  # noqa: PLR2004 (h, m, s)
    return gathered.exif_numbers("GPSTimeStamp")


def _container(gathered: Gathered) -> tuple[Said[str] | None, Said[str] | None]:
    """Creation and change of the container; boxes count seconds that the standard calls UTC."""
    own = container_clocks(gathered)
    if own is not None:
        return own
    changed = gathered.picture.changed
    if changed is not None and (moment := parse_moment(changed)) is not None:
        value = to_utc(moment, timedelta(0))
        source = "png tIME, if it is UTC as the standard asks"
        return None, Said(value, changed, source, "inferred") if value else None
    clock = _text_clock(gathered.movie_text("creation_time", "DATE", "date", "ICRD"))
    if clock is None:
        return None, None
    if clock.moment.offset is None:
        return clock.local(), None
    return _container_utc(clock, clock.moment.offset, of_movie=gathered.movie is not None), None


def _container_utc(clock: _Clock, offset: timedelta, *, of_movie: bool) -> Said[str] | None:
    """A demuxer's creation time; that of a movie rests on the same header clock as the boxes do."""
    value = to_utc(clock.moment, offset)
    if value is None or (of_movie and clock.moment.local.year < FIRST_DIGITAL_YEAR):
        return None
    if not of_movie:
        return Said(value, clock.raw, clock.source)
    return Said(value, clock.raw, f"{clock.source}, if its clock is UTC as the standard asks", "inferred")


def _capture_utc(
    capture: _Clock | None,
    offset: TextFact,
    created: Said[str] | None,
    track: Said[str] | None,
    told: tuple[datetime, Said[str]] | None,
) -> Said[str] | None:
    known = parse_offset(offset.value) if offset.value else None
    if capture is not None and known is not None:
        value = to_utc(capture.moment, known)
        certain = offset.certainty in {"recorded", "derived"} and capture.certainty == "recorded"
        source = f"{capture.source} and {offset.source}"
        return (
            Said(value, f"{capture.raw} {offset.value}", source, "derived" if certain else "inferred")
            if value
            else None
        )
    if known is None and track is not None:
        return Said(track.value, track.raw, track.source, "inferred")
    if known is None and told is not None:
        return Said(utc_text(told[0]), told[1].raw, f"{told[1].source}, if its clock is UTC", "inferred")
    if known is None and created is not None and created.value.endswith("Z"):
        return Said(created.value, created.raw, created.source, "inferred")
    return None


def _other_moments(clocks: list[_Clock], offset: TextFact) -> list[_Clock]:
    """Without those that give the first one's moment in the words of another zone: they do not disagree with it."""
    known = parse_offset(offset.value) if offset.value and offset.certainty in {"recorded", "derived"} else None
    if known is None:
        return clocks
    moment = clocks[0].moment.local.replace(tzinfo=timezone(known))
    return [*clocks[:1], *(clock for clock in clocks[1:] if _aware(clock.moment) != moment)]


def time(gathered: Gathered) -> TimeFacts:
    """All times of a file."""
    clocks = _capture_clocks(gathered)
    capture = clocks[0] if clocks else None
    gps_pair, gps = _gps(gathered)
    recorded = _offsets(gathered, capture, clocks)
    offset = text_fact(recorded or [_inferred_offset(gathered, capture, gps_pair)])
    created, changed = _container(gathered)
    modified = _exif_clock(gathered, "DateTime", "SubSecTime") or _text_clock(gathered.xmp_text("xmp:ModifyDate"))
    digitized = (
        _exif_clock(gathered, "DateTimeDigitized", "SubSecTimeDigitized")
        or _text_clock(gathered.xmp_text("exif:DateTimeDigitized"))
        or _text_clock(iptc_moment(gathered, "DigitalCreationDate", "DigitalCreationTime"))
    )
    return TimeFacts(
        capture_local=text_fact([clock.local() for clock in _other_moments(clocks, offset)], _same_second),
        utc_offset=offset,
        capture_utc=text_fact(
            [
                _capture_utc(
                    capture, offset, created, _track_utc(gathered), _exposure_utc(gathered) or _trailer_utc(gathered)
                )
            ]
        ),
        gps_utc=text_fact([gps, _track_utc(gathered)], _same_second),
        container_created=text_fact([created]),
        container_modified=text_fact([changed]),
        modified=text_fact([modified.local() if modified else None]),
        digitized_local=text_fact([digitized.local() if digitized else None]),
        metadata_changed=text_fact([_full(gathered.xmp_text("xmp:MetadataDate"))]),
    )


def _full(said: Said[str] | None) -> Said[str] | None:
    """A time of another clock than the camera's: with its offset, where it has one."""
    moment = parse_moment(said.value) if said else None
    if said is None or moment is None:
        return None
    offset = "" if moment.offset is None else offset_text(moment.offset)
    return Said(moment.local_text() + offset, said.raw, said.source)
