"""DJI's `djmd` data track: one protobuf message a picture, by field numbers that are known for some models.

Layouts are as published for exiftool's tag tables; DJI publishes none. A recorder of an unknown model is read by the
layouts that others have, and only where two numbers at the place of a position are degrees or radians of one; the track
is then marked as inferred. Units are checked against the range: what lies beyond pi is no radian.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from app.analysis.probes.protobuf import MalformedError, Value, fields, message, signed, text
from app.analysis.probes.readings import Remark, clean
from app.analysis.probes.srt_fields import read_clock
from app.analysis.probes.telemetry import Sample, Telemetry, real

_MAX_REPORTED: Final = 3
_DEGREES: Final = frozenset({"Mavic4", "Mini5Pro"})
"""Models that write degrees without saying so."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Field numbers below field 3 of a message; None where a model has no such field.

    Attributes:
        vehicle: message with position and attitude.
        gps: in it, position (1), height in millimetres (2), clock (6).
        attitude: in it, roll (1), pitch (2), yaw (3) in tenths of a degree.
        relative: in it, height above take-off in millimetres (1).
        gimbal: beside the vehicle, camera message with pitch (1), roll (2), yaw (3) in its field 3.
    """

    vehicle: int
    gps: int
    attitude: int | None
    relative: int | None
    gimbal: int | None


_FLYING: Final = Layout(3, 4, 3, 5, 4)
_FPV: Final = Layout(4, 4, 3, 5, None)
_HANDHELD: Final = Layout(4, 2, None, None, None)
_LAYOUTS: Final = {
    **dict.fromkeys(
        ("wm265e", "pm320", "Mini4_Pro", "Air3", "Air3s", "wm261", "wa345e", "Mavic4", "Mini5Pro"), _FLYING
    ),
    **dict.fromkeys(("AVATA2", "dji_neo"), _FPV),
    **dict.fromkeys(("ac203", "ac204", "ac206", "oq101"), _HANDHELD),
}


@dataclass(slots=True)
class _Raw:
    """A position before its unit is known."""

    sample: Sample
    lat: float
    lon: float
    degrees: bool


def read_djmd(samples: Sequence[tuple[float, bytes]], source: str) -> Telemetry:
    """The track of a recording's messages; malformed ones are left out and named.

    Args:
        samples: second of the video and bytes of each message, in the order of the file.
        source: what facts name as their source.
    """
    track = Telemetry(source=source)
    model = _header(samples, track)
    layout = _LAYOUTS.get(model or "")
    if layout is None:
        layout = _guess([data for _, data in samples[:: max(1, len(samples) // 50)]])
        if layout is None:
            track.remarks.append(
                Remark("metadata_unread", f"DJI telemetry of a layout that is not known ({model or 'unnamed'})")
            )
            return track
        track.inferred, track.axis_order = True, "layout"
    track.dialect = f"DJI djmd {model or 'of an unnamed model'}"
    raws: list[_Raw] = []
    broken = 0
    for start, data in track.thinned(samples):
        sample = Sample(t=real(start, 3))
        try:
            _read(fields(data), layout, sample, raws)
        except MalformedError:
            broken += 1
            continue
        track.points.append(sample)
    if broken:
        track.remarks.append(Remark("telemetry_malformed", f"{broken} djmd messages are malformed and left out"))
    _place(raws, track, always_degrees=model in _DEGREES)
    return track


def _header(samples: Sequence[tuple[float, bytes]], track: Telemetry) -> str | None:
    """Field 1.1 of one of the first messages: protocol (1), serial (5), model (10)."""
    for _, data in samples[:_MAX_REPORTED]:
        try:
            header = message(message(fields(data), 1), 1)
        except MalformedError:
            continue
        protocol = text(header.get(1))
        if protocol is None:
            continue
        track.texts["protocol"] = clean(protocol)
        for number, name in ((10, "device"), (5, "serial")):
            said = text(header.get(number))
            if said:
                setattr(track, name, clean(said))
                track.texts[name] = clean(said)
        return protocol.removeprefix("dvtm_").removesuffix(".proto")
    return None


def _guess(messages: Sequence[bytes]) -> Layout | None:
    """The known layout whose place of a position holds one in at least half of some messages."""
    for layout in (_FLYING, _FPV, _HANDHELD):
        hits = 0
        for data in messages:
            try:
                position = message(message(message(message(fields(data), 3), layout.vehicle), layout.gps), 1)
            except MalformedError:
                continue
            lat, lon = position.get(2), position.get(3)
            hits += isinstance(lat, float) and isinstance(lon, float) and _plausible(lat, lon)
        if hits * 2 >= len(messages) > 0:
            return layout
    return None


def _plausible(lat: float, lon: float) -> bool:
    return 1e-6 < abs(lat) <= 90 and 1e-6 < abs(lon) <= 180  # noqa: PLR2004 (degrees; radians lie within)


def _read(found: dict[int, Value], layout: Layout, sample: Sample, raws: list[_Raw]) -> None:
    frame = message(found, 3)
    vehicle = message(frame, layout.vehicle)
    gps = message(vehicle, layout.gps)
    position = message(gps, 1)
    lat, lon = position.get(2), position.get(3)
    if isinstance(lat, float) and isinstance(lon, float) and math.isfinite(lat) and math.isfinite(lon):
        raws.append(_Raw(sample, lat, lon, degrees=position.get(1) == 1))
        height = signed(gps.get(2))
        sample.alt = None if height is None else real(height / 1000, 3)
    if 6 in gps:  # noqa: PLR2004 (a field number)
        clock = text(message(gps, 6).get(1))
        sample.time = None if clock is None else read_clock(clock)
    if layout.relative is not None:
        relative = message(vehicle, layout.relative).get(1)
        sample.alt_relative = real(relative / 1000, 3) if isinstance(relative, float) else None
    if layout.attitude is not None and layout.attitude in vehicle:
        _angles(message(vehicle, layout.attitude), sample, ("roll", "pitch", "yaw"))
    if layout.gimbal is not None:
        camera = message(frame, layout.gimbal)
        if 3 in camera:  # noqa: PLR2004 (a field number)
            _angles(message(camera, 3), sample, ("gimbal_pitch", "gimbal_roll", "gimbal_yaw"))


def _angles(found: dict[int, Value], sample: Sample, names: tuple[str, str, str]) -> None:
    """Tenths of a degree; a zero is not written (proto3), so what is missing beside others is zero."""
    if not found:
        return
    for number, name in enumerate(names, 1):
        tenths = signed(found.get(number, 0))
        if tenths is not None and abs(tenths) <= 3600:  # noqa: PLR2004 (a turn)
            setattr(sample, name, tenths / 10 + 0.0)


def _place(raws: list[_Raw], track: Telemetry, *, always_degrees: bool) -> None:
    beyond = any(abs(raw.lat) > math.pi / 2 or abs(raw.lon) > math.pi for raw in raws)
    said = any(raw.degrees for raw in raws)
    degrees = said or beyond or always_degrees
    if degrees and not said and not beyond:
        track.inferred, track.axis_order = True, "unit"
    for raw in raws:
        lat, lon = (raw.lat, raw.lon) if degrees else (math.degrees(raw.lat), math.degrees(raw.lon))
        zero = abs(raw.lat) < 1e-6 and abs(raw.lon) < 1e-6  # noqa: PLR2004 (a tenth of a metre of the zero point)
        track.place(raw.sample, 0.0 if zero else real(lat, 8), 0.0 if zero else real(lon, 8))
