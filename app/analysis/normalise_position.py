"""Position and attitude."""

from __future__ import annotations

from app.analysis.facts import Said, number_fact, text_fact, within
from app.analysis.gathered import Gathered
from app.analysis.normalise_values import coordinate, xmp_coordinate
from app.analysis.normalise_video import movie_place
from schemas.records.v1.media_metadata import AttitudeFacts, Certainty, NumberFact, PositionFacts

LAT_LIMIT, LON_LIMIT = 90, 180
XMP_LATITUDES = (("exif:GPSLatitude",), ("drone-dji:GpsLatitude", "drone-dji:Latitude"))
XMP_LONGITUDES = (
    ("exif:GPSLongitude",),
    ("drone-dji:GpsLongitude", "drone-dji:GpsLongtitude", "drone-dji:Longitude"),
)
_NO_FIX = "if 0,0 is a place and not a receiver without a satellite fix"
_DEGREES_APART = 1e-4  # about eleven metres: rounding of other writers, not another place
_METRES_APART = 1.0
_SPEED_UNITS = {"K": 1 / 3.6, "M": 1609.344 / 3600, "N": 1852 / 3600}
_BELOW = {1, 3}  # EXIF 2.32: below sea level; EXIF 3.0: below the ellipsoid
_ALTITUDE_LIMIT = 1_000_000


def exif_axis(gathered: Gathered, name: str, limit: int) -> Said[float] | None:
    """GPSLatitude or GPSLongitude in signed degrees; None where either part is missing or out of range."""
    reference = gathered.exif_text(name + "Ref")
    value = coordinate(gathered.exif_numbers(name), reference.value if reference else "", limit=limit)
    if value is None:
        return None
    return Said(value, gathered.raw(name, name + "Ref"), gathered.exif_source(name))


def _xmp_axis(gathered: Gathered, limit: int, *names: str) -> Said[float] | None:
    for name in names:
        text = gathered.xmp.properties.get(name)
        value = xmp_coordinate(text, limit=limit) if text else None
        if text and value is not None:
            return Said(value, text, f"xmp {name}")
    return None


def exif_altitude(gathered: Gathered) -> Said[float] | None:
    """GPSAltitude in metres with its sign; None where it is undefined or beyond belief."""
    said = gathered.exif_number("GPSAltitude")
    if said is None or abs(said.value) > _ALTITUDE_LIMIT:
        return None
    reference = gathered.exif_numbers("GPSAltitudeRef")
    below = bool(reference) and reference[0] in _BELOW
    value = -said.value if below and said.value > 0 else said.value
    raw = gathered.raw("GPSAltitude", "GPSAltitudeRef")
    if reference:
        return Said(value, raw, said.source)
    return Said(value, raw, f"{said.source}, above sea level as EXIF's default says", "inferred")


def _xmp_altitude(gathered: Gathered) -> Said[float] | None:
    said = gathered.xmp_number("exif:GPSAltitude")
    if said is None:
        return None
    below = gathered.xmp.properties.get("exif:GPSAltitudeRef", "0") == "1"
    return Said(-said.value if below and said.value > 0 else said.value, said.raw, said.source)


def _track_place(gathered: Gathered) -> tuple[Said[float] | None, Said[float] | None]:
    """Where the flight log begins: its first sample with a position."""
    track = gathered.track
    first = next((point for point in track.points if point.usable), None) if track else None
    if track is None or first is None or first.lat is None or first.lon is None:
        return None, None
    source = f"{track.source}, first sample with a position"
    certainty: Certainty = "inferred" if track.inferred else "derived"
    raw = f"{first.lat!r} {first.lon!r}"
    return Said(first.lat, raw, source, certainty), Said(first.lon, raw, source, certainty)


def _flir(value: float | None, name: str) -> Said[float] | None:
    return None if value is None else Said(value, repr(value), f"flir {name}")


def _doubted(lat: NumberFact, lon: NumberFact) -> tuple[NumberFact, NumberFact]:
    """0,0 stands in the file, and is a place only under an assumption that receivers break: inferred."""
    if lat.value != 0 or lon.value != 0:
        return lat, lon
    first, second = (
        fact.model_copy(
            update={
                "source": f"{fact.source}, {_NO_FIX}",
                "certainty": "conflicting" if fact.certainty == "conflicting" else "inferred",
            }
        )
        for fact in (lat, lon)
    )
    return first, second


def _speed(gathered: Gathered) -> Said[float] | None:
    reference = gathered.exif_text("GPSSpeedRef")
    factor = _SPEED_UNITS.get(reference.value[:1].upper()) if reference else None
    return gathered.exif_number("GPSSpeed", factor) if factor else None


def position(gathered: Gathered) -> PositionFacts:
    """Position by EXIF, then XMP, the maker's record, then the movie's location."""
    lat, lon, height = movie_place(gathered)
    track_lat, track_lon = _track_place(gathered)
    flir = gathered.flir
    direction = gathered.exif_number("GPSImgDirection")
    reference = gathered.exif_text("GPSImgDirectionRef")
    unit = {"T": "deg true", "M": "deg magnetic"}.get(reference.value[:1].upper() if reference else "", "deg")
    latitude, longitude = _doubted(
        number_fact(
            [
                exif_axis(gathered, "GPSLatitude", LAT_LIMIT),
                *(_xmp_axis(gathered, LAT_LIMIT, *names) for names in XMP_LATITUDES),
                _flir(flir.lat, "GPSLatitude"),
                lat,
                track_lat,
            ],
            "deg",
            within(_DEGREES_APART),
        ),
        number_fact(
            [
                exif_axis(gathered, "GPSLongitude", LON_LIMIT),
                *(_xmp_axis(gathered, LON_LIMIT, *names) for names in XMP_LONGITUDES),
                _flir(flir.lon, "GPSLongitude"),
                lon,
                track_lon,
            ],
            "deg",
            within(_DEGREES_APART),
        ),
    )
    return PositionFacts(
        lat=latitude,
        lon=longitude,
        alt_gps=number_fact(
            [exif_altitude(gathered), _xmp_altitude(gathered), _flir(flir.alt, "GPSAltitude"), height],
            "m",
            within(_METRES_APART),
        ),
        alt_absolute=number_fact([gathered.drone_number("AbsoluteAltitude")], "m"),
        alt_relative=number_fact([gathered.drone_number("RelativeAltitude")], "m"),
        image_direction=number_fact([direction], unit),
        horizontal_error=number_fact([gathered.exif_number("GPSHPositioningError")], "m"),
        dop=number_fact([gathered.exif_number("GPSDOP")], None),
        speed=number_fact([_speed(gathered)], "m/s"),
        map_datum=text_fact([gathered.exif_text("GPSMapDatum")]),
    )


def attitude(gathered: Gathered) -> AttitudeFacts:
    """Angles of aircraft and camera, by any maker's drone namespace; `Camera:` is the camera's own."""
    drone, xmp = gathered.drone_number, gathered.xmp_number
    return AttitudeFacts(
        flight_yaw=number_fact([drone("FlightYawDegree", "DroneYawDegree")], "deg"),
        flight_pitch=number_fact([drone("FlightPitchDegree", "DronePitchDegree")], "deg"),
        flight_roll=number_fact([drone("FlightRollDegree", "DroneRollDegree")], "deg"),
        gimbal_yaw=number_fact([drone("GimbalYawDegree", "CameraYawDegree"), xmp("Camera:Yaw")], "deg"),
        gimbal_pitch=number_fact([drone("GimbalPitchDegree", "CameraPitchDegree"), xmp("Camera:Pitch")], "deg"),
        gimbal_roll=number_fact([drone("GimbalRollDegree", "CameraRollDegree"), xmp("Camera:Roll")], "deg"),
    )
