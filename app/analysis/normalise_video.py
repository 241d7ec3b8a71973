"""What recordings say of device, time, place and encoder, beyond what photos do."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Final

from app.analysis.facts import Said
from app.analysis.gathered import Gathered
from app.analysis.normalise_values import coordinate, iso6709, number, parse_moment, utc_text
from schemas.records.v1.media_metadata import Certainty

_UTC_ASSUMED = "if its clock is UTC as the standard asks"
_NEAR: Final = timedelta(seconds=120)
PLACES: Final = ("com.apple.quicktime.location.ISO6709", "©xyz", "@xyz")
_CLOCKS_WITH_OFFSET = ("com.apple.quicktime.creationdate", "CreationDate value", "©day", "@day", "date")
_MAKER_HANDLERS = re.compile(r"^(GoPro|DJI)\b[ .]?")
_TELLING_HANDLERS = re.compile(r"Google|L-SMASH|Mainconcept|GPAC|HandBrake|Bento4|Twitter|Vimeo|Lavf", re.IGNORECASE)
_WORLD = re.compile(r"^(WGS_?84|EPSG:?(4326|4979))$", re.IGNORECASE)
_CRS = re.compile(r"CRS([^/]{1,40})")
_OPTIONS = " - options"


# -- time ------------------------------------------------------------------------------------------


def _is_gopro(gathered: Gathered) -> bool:
    movie = gathered.movie
    if movie is None:
        return False
    names = [track.handler_name or "" for track in movie.tracks]
    return bool(movie.gopro) or "FIRM" in movie.texts or any(name.startswith("GoPro") for name in names)


def _stated(gathered: Gathered) -> tuple[datetime, datetime, str] | None:
    """A recorded local time with its offset: local, the same in UTC (both without a zone), its source."""
    said = gathered.movie_text(*_CLOCKS_WITH_OFFSET)
    moment = parse_moment(said.value) if said else None
    if said is None or moment is None or not moment.offset:
        return None
    return moment.local, moment.local - moment.offset, said.source


def header_clock(gathered: Gathered, time: datetime | None, name: str) -> Said[str] | None:
    """The movie header's clock: UTC by the standard, local time by the habit of many recorders.

    GoPro cameras set it to local time. Where a time with an offset stands in the same file, the two decide.
    """
    if time is None:
        return None
    source, raw = f"boxes moov/mvhd {name}", time.isoformat()
    local_text = time.strftime("%Y-%m-%dT%H:%M:%S")
    stated = _stated(gathered)
    if stated is not None:
        local, utc, where = stated
        plain = time.replace(tzinfo=None)
        if name == "creation_time" and abs(plain - utc) <= _NEAR:
            return Said(utc_text(time), raw, f"{source}, UTC by comparison with {where}", "derived")
        if name == "creation_time" and abs(plain - local) <= _NEAR:
            return Said(local_text, raw, f"{source}, local time by comparison with {where}", "derived")
    elif _is_gopro(gathered):
        return Said(local_text, raw, f"{source}, local time as GoPro cameras write it", "inferred")
    return Said(utc_text(time), raw, f"{source}, {_UTC_ASSUMED}", "inferred")


def container_clocks(gathered: Gathered) -> tuple[Said[str] | None, Said[str] | None] | None:
    """Creation and change of a movie or Matroska file; None where its structure states no creation."""
    movie, matroska = gathered.movie, gathered.matroska
    if movie is not None and movie.created is not None:
        return (
            header_clock(gathered, movie.created, "creation_time"),
            header_clock(gathered, movie.modified, "modification_time"),
        )
    if matroska is not None and matroska.created is not None:
        fraction = f"{matroska.created.microsecond:06d}".rstrip("0")
        return Said(utc_text(matroska.created, fraction), str(matroska.date_raw), "matroska DateUTC"), None
    return None


def recorder_clocks(gathered: Gathered) -> list[Said[str]]:
    """Capture times that recorders write in places of their own, best first."""
    found: list[Said[str]] = []
    traces, riff, movie = gathered.traces, gathered.riff, gathered.movie
    if traces.clock is not None:
        found.append(Said(traces.clock, traces.clock_raw or "", "packets AVCHD recording date"))
    if riff is not None and riff.dated is not None:
        found.append(Said(riff.dated, riff.texts.get("IDIT", ""), "riff IDIT"))
    for names in (("nikon/DateTimeOriginal",), ("CreationDate value",), ("DATE_RECORDED", "DATE_DIGITIZED")):
        said = gathered.movie_text(*names)
        found += [said] if said else []
    if movie is not None and movie.created is not None and _is_gopro(gathered) and _stated(gathered) is None:
        clock = header_clock(gathered, movie.created, "creation_time")
        found += [clock] if clock else []
    return found


# -- place -----------------------------------------------------------------------------------------

Place = tuple[Said[float] | None, Said[float] | None, Said[float] | None]


def movie_places(gathered: Gathered) -> list[Place]:
    """Latitude, longitude, height of each location that the movie states, best first.

    Texts in the movie's own boxes come first: `loci` is coarser, and its height always stands there, known or not.
    FFmpeg's `location` is made from either, and speaks only where they are silent.
    """
    texts = (_written_place(said) for said in gathered.movie_texts(*PLACES))
    found = [place for place in texts if place[0] is not None]
    movie = gathered.movie
    if movie is not None and movie.location is not None:
        raw = movie.location_text or str(movie.location)
        lat, lon, alt = (Said(part, raw, "boxes udta loci") for part in movie.location)
        found.append((lat, lon, None if found else alt))
    found.append(_recorder_place(gathered))
    if all(place[0] is None for place in found):
        found.append(_written_place(gathered.movie_text("location", "LOCATION")))
    return [place for place in found if place[0] is not None]


def movie_place(gathered: Gathered) -> Place:
    """The best of them."""
    return next(iter(movie_places(gathered)), (None, None, None))


def _recorder_place(gathered: Gathered) -> Place:
    """Sony's acquisition record repeats the GPS tags of EXIF: "47:30:57.6" with its reference; status V is no fix."""
    status = gathered.movie_text("ExifGPS Status")
    if status is not None and status.value != "A":
        return None, None, None
    found: list[Said[float] | None] = []
    for name, limit in (("Latitude", 90), ("Longitude", 180)):
        said, reference = (gathered.movie_text(f"ExifGPS {part}") for part in (name, f"{name}Ref"))
        parts = tuple(number(part) for part in said.value.split(":")) if said else ()
        value = coordinate(parts, reference.value if reference else "", limit=limit)
        found.append(None if said is None or value is None else Said(value, said.raw, said.source))
    lat, lon = found
    return (lat, lon, None) if lat is not None and lon is not None else (None, None, None)


def movie_number(gathered: Gathered, *names: str) -> Said[float] | None:
    """The first of some texts that holds a number."""
    said = gathered.movie_text(*names)
    value = number(said.value) if said else None
    return None if said is None or value is None else Said(value, said.raw, said.source)


def _written_place(said: Said[str] | None) -> Place:
    place = iso6709(said.value) if said else None
    if said is None or place is None:
        return None, None, None
    crs = _CRS.search(said.value)
    other = crs is not None and not _WORLD.match(crs[1])
    source = f"{said.source}, as if {crs[1]} were WGS 84" if crs is not None and other else said.source
    certainty: Certainty = "inferred" if other else "recorded"
    lat, lon = (Said(part, said.raw, source, certainty) for part in place[:2])
    return lat, lon, None if place[2] is None else Said(place[2], said.raw, source, certainty)


def movie_datum(gathered: Gathered) -> Said[str] | None:
    """The coordinate reference system that an ISO 6709 text names."""
    said = gathered.movie_text(*PLACES, "location", "LOCATION")
    crs = _CRS.search(said.value) if said else None
    return Said(crs[1], said.raw, said.source) if crs and said else None


# -- device and encoder ----------------------------------------------------------------------------


def maker_by_handler(gathered: Gathered) -> Said[str] | None:
    """The maker, as the names of the track handlers suggest."""
    for track in gathered.movie.tracks if gathered.movie is not None else ():
        match = _MAKER_HANDLERS.match(track.handler_name or "")
        if match:
            source = f"boxes track {track.id} hdlr name, if the name of the maker is meant"
            return Said(match[1], track.handler_name or "", source, "inferred")
    if gathered.traces.maker is not None:
        return Said(gathered.traces.maker, gathered.traces.maker, "packets AVCHD maker number")
    return None


def attitude_text(gathered: Gathered, code: str) -> Said[float] | None:
    """An angle that a DJI drone wrote into the movie's user data, degrees."""
    said = gathered.movie_text(code)
    try:
        value = float(said.value) if said else None
    except ValueError:
        return None
    return Said(value + 0.0, said.raw, said.source) if said and value is not None and abs(value) <= 360 else None  # noqa: PLR2004


def encoder_words(gathered: Gathered) -> Said[str] | None:
    """Settings that x264 or x265 left among the pictures."""
    for name in ("x264", "x265"):
        text = gathered.traces.texts.get(name)
        if text:
            return Said(text, text, f"packets SEI {name}")
    return None


def encoder_traces(gathered: Gathered) -> list[Said[str]]:
    """Programs that left their name inside the pictures and sounds, in handler names and in the segment."""
    found = [
        Said(text.partition(_OPTIONS)[0], text, f"packets {name}")
        for name, text in gathered.traces.texts.items()
        if not name.startswith("SEI ")
    ]
    for track in gathered.movie.tracks if gathered.movie is not None else ():
        for text, field in ((track.handler_name, "hdlr name"), (track.compressor, "stsd compressor name")):
            if text and (_TELLING_HANDLERS.search(text) or "Lavc" in text):
                found.append(Said(text, text, f"boxes track {track.id} {field}"))
    for name in ("MuxingApp", "WritingApp", "INFO/ISFT"):
        said = gathered.movie_text(name)
        found += [said] if said else []
    return found
