"""Tracks of items: as a summary, at one second, as GeoJSON and as GPX. Every read is recorded."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from app.analysis.track_files import GEOJSON_TYPE, GPX_TYPE, geojson, gpx
from app.analysis.tracks import OfferedTrack
from app.api.deps import ItemRef, Serv, Who, known_id
from app.api.described import sent_as
from app.api.fields import attachment
from app.api.files import INERT
from schemas.api.tracks import PositionShown, TrackShown

router = APIRouter(prefix="/items", tags=["items"])
LONGEST_S = 1_000_000.0


def track_shown(track: OfferedTrack) -> TrackShown:
    """A track's summary."""
    return TrackShown(
        item=track.item.id,
        track_of=track.owner.id,
        basis=track.basis,
        sha256=track.made.sha256,
        summary=track.record.summary,
        findings=track.findings,
    )


def position_shown(track: OfferedTrack, at: float) -> PositionShown:
    """A track at a second."""
    found = track.at(at)
    return PositionShown(
        item=track.item.id,
        track_of=track.owner.id,
        at=at,
        state=found.state,
        reason=found.reason,
        certainty=found.certainty,
        between=found.between,
        point=found.point,
    )


@router.get("/{item}/track")
def track(
    item: ItemRef,
    who: Who,
    services: Serv,
    at: Annotated[
        float | None,
        Query(ge=0, le=LONGEST_S, allow_inf_nan=False, description="Second of the video; without it, the summary."),
    ] = None,
) -> TrackShown | PositionShown:
    """Where the recorder was at a second of the video, or a summary of the track.

    A position between two samples is `derived`. Outside the track, across a gap and where the receiver had no fix there
    is none, and the reason says so.
    """
    found = services.tracks.read(who, known_id(item, "item"))
    return track_shown(found) if at is None else position_shown(found, at)


@router.get(
    "/{item}/track.geojson", response_class=Response, responses=sent_as(GEOJSON_TYPE, "The track (RFC 7946).", {})
)
def track_geojson(item: ItemRef, who: Who, services: Serv) -> Response:
    """The track as GeoJSON: a line for each unbroken run, doubtful positions apart and marked."""
    found = services.tracks.read(who, known_id(item, "item"))
    return _sent(geojson(found.record, found.owner.id), GEOJSON_TYPE, f"{found.item.id}.geojson")


@router.get("/{item}/track.gpx", response_class=Response, responses=sent_as(GPX_TYPE, "The track (GPX 1.1).", "<gpx/>"))
def track_gpx(item: ItemRef, who: Who, services: Serv) -> Response:
    """The track as GPX 1.1: a segment for each unbroken run, without doubtful positions."""
    found = services.tracks.read(who, known_id(item, "item"))
    return _sent(gpx(found.record, found.owner.id), GPX_TYPE, f"{found.item.id}.gpx")


def _sent(data: bytes, media_type: str, name: str) -> Response:
    headers = {**INERT, "Cache-Control": "private, no-store", "Content-Disposition": attachment(name)}
    return Response(data, media_type=media_type, headers=headers)
