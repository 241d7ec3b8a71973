"""From what the probes read to the published record."""

from __future__ import annotations

from app.analysis.gathered import Gathered
from app.analysis.normalise_container import container
from app.analysis.normalise_device import device, editing
from app.analysis.normalise_exposure import exposure
from app.analysis.normalise_image import image
from app.analysis.normalise_position import attitude, position
from app.analysis.normalise_text import description
from app.analysis.normalise_time import time
from app.analysis.probes.readings import clean
from app.analysis.probes.srt import SrtPoint
from schemas.records.v1.media_metadata import FileFacts, MediaMetadata, PositionTrack, TrackPoint

_MAX_RAW_BYTES = 256 * 1024


def normalise(gathered: Gathered) -> MediaMetadata:
    """The record without findings."""
    return MediaMetadata(
        file=FileFacts(
            original_name=clean(gathered.name),
            size=gathered.size,
            kind=gathered.type.kind,
            media_type=gathered.type.media_type,
            format=gathered.type.format,
        ),
        device=device(gathered),
        time=time(gathered),
        position=position(gathered),
        attitude=attitude(gathered),
        exposure=exposure(gathered),
        image=image(gathered),
        description=description(gathered),
        container=container(gathered),
        editing=editing(gathered),
        track=_track(gathered),
        tools={dump.tool: dump.version for dump in gathered.dumps},
        raw=_raw(gathered),
    )


def _track(gathered: Gathered) -> PositionTrack:
    track = gathered.srt
    if track is None or not track.points:
        return PositionTrack()
    placed = [point for point in track.points if point.lat is not None]
    return PositionTrack(
        points=len(placed),
        samples=len(track.points),
        certainty="inferred" if track.inferred else "recorded",
        dialect=track.dialect,
        source=track.source,
        first=_point(placed[0]) if placed else None,
        last=_point(placed[-1]) if placed else None,
    )


def _point(point: SrtPoint) -> TrackPoint:
    return TrackPoint(
        t=point.t, lat=point.lat, lon=point.lon, alt=point.alt, alt_relative=point.alt_relative, time=point.time
    )


def _raw(gathered: Gathered) -> dict[str, dict[str, str]]:
    """The dumps of all tools, cut where they would pass the bound."""
    raw: dict[str, dict[str, str]] = {}
    room = _MAX_RAW_BYTES
    for dump in gathered.dumps:
        kept = raw.setdefault(dump.tool, {})
        for tag, text in dump.tags.items():
            room -= len(tag) + len(text)
            if room < 0:
                return raw
            kept[tag] = text
    return raw
