"""Recorded values that are left out of the record because they say nothing clear: each is named, none is guessed."""

from __future__ import annotations

import re
from collections.abc import Iterator

from app.analysis.facts import Said
from app.analysis.gathered import Gathered
from app.analysis.normalise_position import (
    LAT_LIMIT,
    LON_LIMIT,
    XMP_LATITUDES,
    XMP_LONGITUDES,
    exif_altitude,
    exif_axis,
)
from app.analysis.normalise_time import creation_moment, creation_text, gps_clock
from app.analysis.normalise_values import gps_moment, iso6709, number, parse_moment, parse_offset, xmp_coordinate
from app.analysis.probes.movie import FIRST_DIGITAL_YEAR
from app.analysis.probes.readings import Remark, unusable

# What writers put where they know no date: "0000:00:00 00:00:00", "    :  :     :  :  ".
_UNSET = set("0 :-/.TZ+\0")
_WITH_OFFSET = re.compile(r":\d{2}(?:[.,]\d{1,9})?\s*[+-]\d{2}:?\d{2}$")
_EXIF_CLOCKS = (
    ("DateTimeOriginal", "SubSecTimeOriginal"),
    ("DateTimeDigitized", "SubSecTimeDigitized"),
    ("DateTime", "SubSecTime"),
)
_XMP_CLOCKS = ("exif:DateTimeOriginal", "photoshop:DateCreated", "xmp:CreateDate", "xmp:ModifyDate")
_MOVIE_CLOCKS = (
    ("com.apple.quicktime.creationdate", "CreationDate value", "©day", "@day", "date"),
    ("creation_time", "DATE", "date", "ICRD"),
)
_MOVIE_PLACES = (("com.apple.quicktime.location.ISO6709", "©xyz", "@xyz"), ("location", "LOCATION"))
_SPEED_UNITS = {"K", "M", "N"}
_NO_TIME = "which gives no date with a time of day"


def unusable_values(gathered: Gathered) -> list[Remark]:
    """A remark `value_unusable` for every time, place and height that is recorded and left out."""
    parts = (_places, _heights_and_speed, _clocks, _offsets, _satellite_time, _movie, _track)
    return [remark for part in parts for remark in part(gathered)]


def _unset(text: str) -> bool:
    return set(text) <= _UNSET


def _places(gathered: Gathered) -> Iterator[Remark]:
    for name, limit, letters in (("GPSLatitude", LAT_LIMIT, "NS"), ("GPSLongitude", LON_LIMIT, "EW")):
        if gathered.tag(name) is None or exif_axis(gathered, name, limit) is not None:
            continue
        reference = gathered.exif_text(name + "Ref")
        known = reference is not None and reference.value[:1].upper() in letters
        why = f"which is no angle within {limit} degrees" if known else f"without a reference {' or '.join(letters)}"
        yield unusable(gathered.exif_source(name), gathered.raw(name, name + "Ref"), why)
    for groups, limit in ((XMP_LATITUDES, LAT_LIMIT), (XMP_LONGITUDES, LON_LIMIT)):
        for name in (name for names in groups for name in names):
            text = gathered.xmp.properties.get(name)
            if text and xmp_coordinate(text, limit=limit) is None:
                yield unusable(f"xmp {name}", text, f"which is no angle within {limit} degrees")


def _heights_and_speed(gathered: Gathered) -> Iterator[Remark]:
    if gathered.tag("GPSAltitude") is not None and exif_altitude(gathered) is None:
        yield unusable(gathered.exif_source("GPSAltitude"), gathered.raw("GPSAltitude"), "which is no height")
    text = gathered.xmp.properties.get("exif:GPSAltitude")
    if text and number(text) is None:
        yield unusable("xmp exif:GPSAltitude", text, "which is no height")
    speed, unit = gathered.exif_number("GPSSpeed"), gathered.exif_text("GPSSpeedRef")
    if speed is not None and (unit is None or unit.value[:1].upper() not in _SPEED_UNITS):
        yield unusable(speed.source, gathered.raw("GPSSpeed", "GPSSpeedRef"), "without a unit that is known")


def _clocks(gathered: Gathered) -> Iterator[Remark]:
    texts: list[Said[str] | None] = []
    for name, fraction_name in _EXIF_CLOCKS:
        texts.append(gathered.exif_text(name))
        fraction = gathered.exif_text(fraction_name)
        if fraction is not None and not (fraction.value.isascii() and fraction.value.isdecimal()):
            yield unusable(fraction.source, fraction.raw, "which is no fraction of a second")
    texts += [gathered.xmp_text(name) for name in _XMP_CLOCKS]
    texts += [gathered.movie_text(*names) for names in _MOVIE_CLOCKS]
    written = creation_text(gathered)
    if written is not None and creation_moment(written.value) is None:
        yield unusable(written.source, written.raw, _NO_TIME)
    for said in dict.fromkeys(texts):
        if said is None or _unset(said.value):
            continue
        moment = parse_moment(said.value)
        if moment is None:
            yield unusable(said.source, said.raw, _NO_TIME)
        elif moment.offset is None and _WITH_OFFSET.search(said.value):
            yield unusable(said.source, said.raw, "whose UTC offset is none in use; only the local time was taken")


def _offsets(gathered: Gathered) -> Iterator[Remark]:
    for name in ("OffsetTimeOriginal", "OffsetTimeDigitized", "OffsetTime"):
        said = gathered.exif_text(name)
        if said is not None and said.value.strip(" :") and parse_offset(said.value) is None:
            yield unusable(said.source, said.raw, "which is no UTC offset")


def _satellite_time(gathered: Gathered) -> Iterator[Remark]:
    day, clock = gathered.exif_text("GPSDateStamp"), gps_clock(gathered)
    told = (day is not None and not _unset(day.value)) or any(clock)
    if told and gps_moment(day.value if day else "", clock) is None:
        name = "GPSTimeStamp" if gathered.tag("GPSTimeStamp") is not None else "GPSDateStamp"
        raw = gathered.raw("GPSDateStamp", "GPSTimeStamp")
        yield unusable(gathered.exif_source(name), raw, "which gives no satellite date with a time of day")
    said = gathered.xmp_text("exif:GPSTimeStamp")
    moment = parse_moment(said.value) if said else None
    if said is not None and (moment is None or moment.offset is None or moment.offset):
        yield unusable(said.source, said.raw, "which is no time in UTC")


def _movie(gathered: Gathered) -> Iterator[Remark]:
    for names in _MOVIE_PLACES:
        said = gathered.movie_text(*names)
        if said is not None and iso6709(said.value) is None:
            yield unusable(said.source, said.raw, "which is no place as ISO 6709 writes it")
    said = gathered.movie_text("creation_time") if gathered.movie is not None else None
    moment = parse_moment(said.value) if said else None
    if said is not None and moment is not None and moment.local.year < FIRST_DIGITAL_YEAR:
        yield unusable(said.source, said.raw, "which is no time of a digital recording")


def _track(gathered: Gathered) -> Iterator[Remark]:
    track = gathered.track
    if track is None:
        return
    for text in track.unusable:
        yield unusable(f"{track.source} position", text, "which is no place on earth")
    first = next((point.time for point in track.points if point.time), None)
    if first is not None and parse_moment(first) is None:
        yield unusable(f"{track.source} first sample's clock", first, _NO_TIME)
