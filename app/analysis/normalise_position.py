"""Position and attitude."""

from __future__ import annotations

import re

from app.analysis.facts import Said, integer_fact, number_fact, text_fact, within
from app.analysis.gathered import Gathered
from app.analysis.normalise_values import coordinate, xmp_coordinate
from app.analysis.normalise_video import movie_places
from app.analysis.probes.readings import shown
from schemas.records.v1.media_metadata import AttitudeFacts, Certainty, NumberFact, PositionFacts

LAT_LIMIT, LON_LIMIT = 90, 180
XMP_LATITUDES = (
    ("exif:GPSLatitude",),
    ("drone-dji:GpsLatitude", "drone-dji:Latitude"),
    ("drone-skydio:Latitude", "drone-yuneec:GpsLatitude", "drone-autel:GpsLatitude"),
)
XMP_LONGITUDES = (
    ("exif:GPSLongitude",),
    ("drone-dji:GpsLongitude", "drone-dji:GpsLongtitude", "drone-dji:Longitude"),
    ("drone-skydio:Longitude", "drone-yuneec:GpsLongitude", "drone-autel:GpsLongitude"),
)
_NO_FIX = "if 0,0 is a place and not a receiver without a satellite fix"
_DEGREES_APART = 1e-4  # about eleven metres: rounding of other writers, not another place
_METRES_APART = 1.0
_SPEED_UNITS = {"K": 1 / 3.6, "M": 1609.344 / 3600, "N": 1852 / 3600}
_BELOW = {1, 3}  # EXIF 2.32: below sea level; EXIF 3.0: below the ellipsoid
_ALTITUDE_LIMIT = 1_000_000
_DIRECTIONS = {"T": "deg true", "M": "deg magnetic"}
_STATUSES = {"A": "measurement active", "V": "measurement void"}
_TENTH = 0.1
_WORLD_DATUM = re.compile(r"WGS\W*_?(19)?84|world geodetic system|EPSG\W*4326|ITRF", re.IGNORECASE)


def exif_axis(gathered: Gathered, name: str, limit: int) -> Said[float] | None:
    """GPSLatitude or GPSLongitude in signed degrees; None where either part is missing or out of range."""
    reference = gathered.exif_text(name + "Ref")
    value = coordinate(gathered.exif_numbers(name), reference.value if reference else "", limit=limit)
    if value is None:
        return None
    raw, source, doubts = gathered.raw(name, name + "Ref"), gathered.exif_source(name), _receiver_doubts(gathered)
    return Said(value, raw, ", ".join((source, *doubts)), "inferred" if doubts else "recorded")


def _receiver_doubts(gathered: Gathered) -> list[str]:
    """What EXIF itself says against reading its position as one of WGS 84 that was measured then."""
    doubts = []
    datum, status = gathered.exif_text("GPSMapDatum"), gathered.exif_text("GPSStatus")
    if datum is not None and any(map(str.isalnum, datum.value)) and not _WORLD_DATUM.search(datum.value):
        doubts.append(f"as if {shown(datum.value)} were WGS 84")
    if status is not None and status.value[:1].upper() == "V":
        doubts.append("if it holds though GPSStatus says that the measurement is void")
    return doubts


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
    if said is None or abs(said.value) > _ALTITUDE_LIMIT:
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
    stated = movie_places(gathered)
    track_lat, track_lon = _track_place(gathered)
    flir = gathered.flir
    latitude, longitude = _doubted(
        number_fact(
            [
                exif_axis(gathered, "GPSLatitude", LAT_LIMIT),
                *(_xmp_axis(gathered, LAT_LIMIT, *names) for names in XMP_LATITUDES),
                _flir(flir.lat, "GPSLatitude"),
                *(lat for lat, _, _ in stated),
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
                *(lon for _, lon, _ in stated),
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
            [
                exif_altitude(gathered),
                _xmp_altitude(gathered),
                _flir(flir.alt, "GPSAltitude"),
                *(height for _, _, height in stated),
            ],
            "m",
            within(_METRES_APART),
        ),
        alt_absolute=number_fact([gathered.drone_number("AbsoluteAltitude")], "m"),
        alt_relative=number_fact(
            [
                gathered.drone_number("RelativeAltitude"),
                gathered.xmp_number("FLIR:MAVRelativeAltitude", "Camera:AboveGroundAltitude"),
            ],
            "m",
            within(_METRES_APART),
        ),
        image_direction=_direction(gathered, "GPSImgDirection"),
        track=_direction(gathered, "GPSTrack"),
        dest_bearing=_direction(gathered, "GPSDestBearing"),
        horizontal_error=number_fact(
            [gathered.exif_number("GPSHPositioningError"), gathered.xmp_number("Camera:GPSXYAccuracy")],
            "m",
            within(1.0),
        ),
        vertical_error=number_fact([gathered.xmp_number("Camera:GPSZAccuracy")], "m"),
        dop=number_fact([gathered.exif_number("GPSDOP"), gathered.xmp_number("exif:GPSDOP")], None, within(_TENTH)),
        speed=number_fact([_speed(gathered)], "m/s"),
        map_datum=text_fact([gathered.exif_text("GPSMapDatum")]),
        satellites=text_fact([gathered.exif_text("GPSSatellites") or gathered.xmp_text("exif:GPSSatellites")]),
        status=text_fact([_status(gathered)]),
        measure_mode=text_fact([gathered.exif_text("GPSMeasureMode") or gathered.xmp_text("exif:GPSMeasureMode")]),
        processing_method=text_fact([_processing_method(gathered)]),
        differential=integer_fact([_whole(gathered.exif_number("GPSDifferential"))]),
        rtk_flag=integer_fact([_whole(gathered.drone_number("RtkFlag"))]),
        rtk_std_lat=number_fact([gathered.drone_number("RtkStdLat")], "m"),
        rtk_std_lon=number_fact([gathered.drone_number("RtkStdLon")], "m"),
        rtk_std_alt=number_fact([gathered.drone_number("RtkStdHgt")], "m"),
    )


def _direction(gathered: Gathered, name: str) -> NumberFact:
    """An angle from north, true or magnetic by its reference, within a full turn."""
    said, reference = gathered.exif_number(name), gathered.exif_text(name + "Ref")
    unit = _DIRECTIONS.get(reference.value[:1].upper() if reference else "", "deg")
    return number_fact([said if said is not None and 0 <= said.value <= 360 else None], unit)  # noqa: PLR2004 (degrees)


def _whole(said: Said[float] | None) -> Said[int] | None:
    return Said(int(said.value), said.raw, said.source) if said is not None and said.value.is_integer() else None


def _status(gathered: Gathered) -> Said[str] | None:
    said = gathered.exif_text("GPSStatus")
    if said is not None:
        return Said(_STATUSES.get(said.value[:1].upper(), said.value), said.raw, said.source)
    return gathered.xmp_text("drone-dji:GpsStatus")


def _processing_method(gathered: Gathered) -> Said[str] | None:
    """Text behind its eight bytes of character code (EXIF 2.32, GPSProcessingMethod)."""
    tag = gathered.tag("GPSProcessingMethod")
    if tag is None:
        return None
    value = tag.value
    if isinstance(value, tuple):
        value = bytes(part & 0xFF for part in value if isinstance(part, int))
    text = (value.decode("latin-1") if isinstance(value, bytes) else value).strip("\0 ")
    for code in ("ASCII\0\0\0", "ASCII"):
        if text.startswith(code) and text != code:
            text = text.removeprefix(code).strip("\0 ")
            break
    text = text.split("\0", 1)[0].strip()
    return Said(text, text, gathered.exif_source("GPSProcessingMethod")) if text and text.isprintable() else None


def attitude(gathered: Gathered) -> AttitudeFacts:
    """Angles of aircraft and camera, by any maker's drone namespace; `Camera:` is the camera's own."""
    drone, xmp, maker = gathered.drone_number, gathered.xmp_number, gathered.maker_number
    axes = "drone-skydio:CameraOrientationNED"
    return AttitudeFacts(
        flight_yaw=_angle(drone("FlightYawDegree", "DroneYawDegree"), xmp("FLIR:MAVYaw"), maker("Yaw", "DJI")),
        flight_pitch=_angle(
            drone("FlightPitchDegree", "DronePitchDegree"), xmp("FLIR:MAVPitch"), maker("Pitch", "DJI")
        ),
        flight_roll=_angle(drone("FlightRollDegree", "DroneRollDegree"), xmp("FLIR:MAVRoll"), maker("Roll", "DJI")),
        gimbal_yaw=_angle(
            drone("GimbalYawDegree", "CameraYawDegree"), xmp("Camera:Yaw", f"{axes}/Yaw"), maker("CameraYaw", "DJI")
        ),
        gimbal_pitch=_angle(
            drone("GimbalPitchDegree", "CameraPitchDegree"),
            xmp("Camera:Pitch", f"{axes}/Pitch"),
            maker("CameraPitch", "DJI"),
        ),
        gimbal_roll=_angle(
            drone("GimbalRollDegree", "CameraRollDegree"),
            xmp("Camera:Roll", f"{axes}/Roll"),
            maker("CameraRoll", "DJI"),
        ),
        speed_x=_along("FlightXSpeed", "SpeedX", gathered),
        speed_y=_along("FlightYSpeed", "SpeedY", gathered),
        speed_z=_along("FlightZSpeed", "SpeedZ", gathered),
    )


def _angle(*said: Said[float] | None) -> NumberFact:
    return number_fact(said, "deg", within(_TENTH))


def _along(name: str, maker_name: str, gathered: Gathered) -> NumberFact:
    """Speed along one of the aircraft's axes, as DJI writes it."""
    said = [gathered.drone_number(name), gathered.maker_number(maker_name, "DJI")]
    return number_fact(said, "m/s", within(_TENTH))
