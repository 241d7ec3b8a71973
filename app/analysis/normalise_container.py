"""Container and streams of a video."""

from __future__ import annotations

from app.analysis.facts import Said, integer_fact, number_fact, text_fact
from app.analysis.gathered import Gathered
from app.analysis.probes.video import StreamFacts
from schemas.records.v1.media_metadata import ContainerFacts, Track


def container(gathered: Gathered) -> ContainerFacts:
    """Facts of the container; for a photo only the brand of a HEIF or AVIF file."""
    movie, video = gathered.movie, gathered.video
    brand = gathered.brand or (movie.brand if movie is not None else None)
    if video is None:
        return ContainerFacts(brand=text_fact([_said(brand, "boxes ftyp major_brand")]))
    rotations = movie.rotations if movie is not None else []
    tracks = tuple(_track(stream, _rotation(rotations, stream.index)) for stream in video.streams)
    first = next((track for track in tracks if track.type == "video"), None)
    name = f"PyAV stream {first.index}" if first else ""
    rotation = (
        None
        if first is None or first.rotation is None
        else Said(first.rotation, str(first.rotation), "boxes tkhd matrix")
    )
    return ContainerFacts(
        brand=text_fact([_said(brand, "boxes ftyp major_brand")]),
        duration_s=number_fact([_number(video.duration_s, "PyAV duration")], "s"),
        codec=text_fact([_said(first.codec if first else None, f"{name} codec")]),
        fps=number_fact([_number(first.fps if first else None, f"{name} average rate")], "1/s"),
        rotation=number_fact([rotation], "deg clockwise"),
        encoder=text_fact([gathered.movie_text("encoder", "©too", "ENCODER")]),
        trailing_bytes=integer_fact([Said(movie.trailing, str(movie.trailing), "boxes")] if movie else [], "bytes"),
        tracks=tracks,
    )


def _said(text: str | None, source: str) -> Said[str] | None:
    return Said(text, text, source) if text else None


def _number(value: float | None, source: str) -> Said[float] | None:
    return None if value is None else Said(value, repr(value), source)


def _rotation(rotations: list[int | None], index: int) -> float | None:
    turn = rotations[index] if index < len(rotations) else None
    return None if turn is None else float(turn)


def _track(stream: StreamFacts, rotation: float | None) -> Track:
    metadata = stream.metadata
    return Track(
        index=stream.index,
        type=stream.type,
        codec=stream.codec,
        codec_tag=stream.codec_tag,
        width=stream.width,
        height=stream.height,
        fps=stream.fps,
        frames=stream.frames,
        duration_s=stream.duration_s,
        sample_rate=stream.sample_rate,
        channels=stream.channels,
        rotation=rotation if stream.type == "video" else None,
        handler=metadata.get("handler_name") or None,
        language=metadata.get("language") or None,
        created=metadata.get("creation_time") or None,
        encoder=metadata.get("encoder") or None,
    )
