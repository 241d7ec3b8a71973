"""Container and streams of a video."""

from __future__ import annotations

from datetime import datetime

from app.analysis.facts import Said, integer_fact, number_fact, text_fact
from app.analysis.gathered import Gathered
from app.analysis.normalise_values import utc_text
from app.analysis.normalise_video import encoder_words, movie_number
from app.analysis.probes.movie import MovieBoxes
from app.analysis.probes.movie_tracks import MovieTrack
from app.analysis.probes.transport import ElementaryStream
from app.analysis.probes.video import StreamFacts
from schemas.records.v1.media_metadata import (
    ContainerFacts,
    ContainerPart,
    Edit,
    NumberFact,
    ProgramFacts,
    RawData,
    TextFact,
    Track,
)

_NOT_UTC_FOR_SURE = "if its clock is UTC as the standard asks"
_MAX_TRACKS = 64
_DURATION_SLACK_S, _DURATION_SLACK = 1.0, 0.02  # demuxers round, and leave out edits


def container(gathered: Gathered) -> ContainerFacts:
    """Facts of the container; for a photo only the brand of a HEIF or AVIF file."""
    movie, video = gathered.movie, gathered.video
    brand = gathered.brand or (movie.brand if movie is not None else None)
    if video is None:
        return ContainerFacts(brand=text_fact([_said(brand, "boxes ftyp major_brand")]))
    tracks = _tracks(gathered, video.streams)
    first = next((track for track in tracks if track.type == "video"), None)
    name = f"PyAV stream {first.index}" if first else ""
    facts = ContainerFacts(
        brand=text_fact([_said(brand, "boxes ftyp major_brand"), gathered.movie_text("DocType")]),
        duration_s=number_fact(_durations(gathered), "s"),
        codec=text_fact([_said(first.codec if first else None, f"{name} codec")]),
        fps=number_fact([_number(first.fps if first else None, f"{name} average rate")], "1/s"),
        rotation=_rotation(first),
        encoder=text_fact([gathered.movie_text("©too", "MuxingApp", "INFO/ISFT", "encoder", "ENCODER")]),
        writing_application=text_fact([gathered.movie_text("WritingApp", "©swr", "©enc")]),
        encoder_settings=text_fact([encoder_words(gathered)]),
        trailing_bytes=integer_fact([_trailing(gathered)], "bytes"),
        tracks=tracks,
        timecode=_timecode(gathered),
        capture_fps=number_fact([movie_number(gathered, "com.android.capture.fps")], "1/s"),
        unknown=_unknown(gathered),
    )
    more = _of_transport(gathered) if movie is None else _of_movie(movie)
    return facts.model_copy(update=more)


def _said(text: str | None, source: str) -> Said[str] | None:
    return Said(text, text, source) if text else None


def _number(value: float | None, source: str) -> Said[float] | None:
    return None if value is None else Said(value, repr(value), source)


def _whole(value: int | None, source: str) -> Said[int] | None:
    return None if value is None else Said(value, str(value), source)


def _durations(gathered: Gathered) -> list[Said[float] | None]:
    """The demuxer's, and what the container states where that is another; best first.

    The demuxer reckons it from the samples or the bytes that are there, so where the two differ the header goes before
    it. The header of a fragmented movie speaks of its beginning only.
    """
    movie, matroska = gathered.movie, gathered.matroska
    demuxed = _number(gathered.video.duration_s if gathered.video else None, "PyAV duration")
    stated = [
        _number((movie.duration_s or None) if movie else None, "boxes moov/mvhd duration"),
        _number((matroska.duration_s or None) if matroska else None, "matroska Duration"),
    ]
    if demuxed is None:
        return stated
    if movie is not None and movie.fragments:
        return [demuxed]
    slack = max(_DURATION_SLACK_S, _DURATION_SLACK * demuxed.value)
    return [*(said for said in stated if said is not None and abs(said.value - demuxed.value) > slack), demuxed]


def _rotation(first: Track | None) -> NumberFact:
    if first is None or first.rotation is None:
        return NumberFact()
    return number_fact([Said(first.rotation, f"{first.rotation:g}", "boxes tkhd matrix")], "deg clockwise")


def _trailing(gathered: Gathered) -> Said[int] | None:
    for part, tool in ((gathered.movie, "boxes"), (gathered.matroska, "matroska"), (gathered.riff, "riff")):
        if part is not None:
            return Said(part.trailing, str(part.trailing), tool)
    return None


def _timecode(gathered: Gathered) -> TextFact:
    said: list[Said[str] | None] = []
    for track in gathered.movie.tracks if gathered.movie is not None else ():
        code = track.timecode
        if code is not None and code.text is not None:
            said.append(Said(code.text, f"{code.raw} at {code.frames} a second", f"boxes track {track.id} tmcd"))
    said.append(gathered.movie_text("timecode", "TIMECODE"))
    return text_fact(said[:1] if said[0] is not None else said)


def _of_movie(movie: MovieBoxes) -> dict[str, object]:
    before = movie.index_before_data()
    order = " ".join(part.name for part in movie.parts)
    place = None if before is None else f"{'before' if before else 'after'} media data"
    parts = (ContainerPart(name=p.name, at=p.at, size=p.size, large=p.large) for p in movie.parts)
    return {
        "minor_version": integer_fact([_whole(movie.minor_version, "boxes ftyp minor_version")]),
        "compatible_brands": tuple(movie.compatible),
        "index_position": text_fact([Said(place, order, "boxes order of moov and mdat") if place else None]),
        "fragments": integer_fact([_whole(movie.fragments, "boxes moof")]),
        "large_boxes": integer_fact([_whole(movie.large, "boxes size")]),
        "layout": tuple(parts),
    }


def _of_transport(gathered: Gathered) -> dict[str, object]:
    facts = gathered.transport
    if facts is None:
        return {}
    programs = (
        ProgramFacts(
            number=program.number,
            pmt_pid=program.pmt_pid,
            pcr_pid=program.pcr_pid,
            provider=program.provider,
            service=program.service,
            pids=tuple(stream.pid for stream in program.streams),
        )
        for program in facts.programs.values()
    )
    return {
        "packet_bytes": integer_fact([_whole(facts.packet_bytes, "mpegts sync bytes")], "bytes"),
        "programs": tuple(programs),
    }


def _unknown(gathered: Gathered) -> tuple[RawData, ...]:
    parts = (part for part in (gathered.movie, gathered.riff) if part is not None)
    atoms = [atom for part in parts for atom in part.unknown]
    return tuple(
        RawData(path=atom.path, size=atom.size, head=atom.head, text=atom.text) for atom in atoms[:_MAX_TRACKS]
    )


def _tracks(gathered: Gathered, streams: list[StreamFacts]) -> tuple[Track, ...]:
    """The demuxer's streams with what the container's own structure says of each; then tracks it did not take."""
    boxes = {track.id: track for track in gathered.movie.tracks} if gathered.movie is not None else {}
    named = {}
    if gathered.transport is not None:
        named = {one.pid: one for program in gathered.transport.programs.values() for one in program.streams}
    if gathered.matroska is not None and len(gathered.matroska.tracks) == len(streams):
        for stream, said in zip(streams, gathered.matroska.tracks, strict=True):
            stream.id = int(said.get("number", "0")) or None
            stream.metadata.setdefault("handler_name", said.get("name", ""))
    found = [_track(stream, boxes.pop(stream.id, None), named.pop(stream.id or -1, None)) for stream in streams]
    for left in boxes.values():
        bare = Track(index=len(found), type=left.handler or "unknown")
        found.append(bare.model_copy(update=_known(_of_boxes(left))))
    for elementary in named.values():
        bare = Track(index=len(found), type="unknown")
        found.append(bare.model_copy(update=_known(_of_packets(elementary))))
    return tuple(found[: 2 * _MAX_TRACKS])


def _known(more: dict[str, object]) -> dict[str, object]:
    return {key: value for key, value in more.items() if value is not None}


def _track(stream: StreamFacts, boxes: MovieTrack | None, packets: ElementaryStream | None) -> Track:
    metadata = stream.metadata
    more: dict[str, object] = {} if boxes is None else _of_boxes(boxes)
    if packets is not None:
        more |= _of_packets(packets)
    if stream.type != "video":
        more.pop("rotation", None)
    track = Track(
        index=stream.index,
        id=stream.id,
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
        handler=metadata.get("handler_name") or metadata.get("title") or None,
        language=metadata.get("language") or None,
        created=metadata.get("creation_time") or None,
        encoder=metadata.get("encoder") or None,
    )
    return track.model_copy(update=_known(more))


def _of_boxes(track: MovieTrack) -> dict[str, object]:
    code = track.timecode
    return {
        "id": track.id,
        "sample_entries": tuple(track.entries),
        "handler": track.handler_name,
        "handler_type": track.handler,
        "compressor": track.compressor,
        "rotation": None if track.rotation is None else float(track.rotation),
        "header_created": _clock(track.header.created, f"track {track.id} tkhd creation_time"),
        "header_modified": _clock(track.header.modified, f"track {track.id} tkhd modification_time"),
        "media_created": _clock(track.media.created, f"track {track.id} mdhd creation_time"),
        "media_modified": _clock(track.media.modified, f"track {track.id} mdhd modification_time"),
        "edits": tuple(Edit(duration_s=e.duration_s, start_s=e.start_s, rate=e.rate) for e in track.edits),
        "timecode": code.text if code else None,
        "drop_frame": code.drop_frame if code else None,
    }


def _clock(time: datetime | None, where: str) -> TextFact:
    """A header's clock; writers of recorders often leave local time in it, so that UTC is an assumption."""
    if time is None:
        return TextFact()
    return text_fact([Said(utc_text(time), time.isoformat(), f"boxes {where}, {_NOT_UTC_FOR_SURE}", "inferred")])


def _of_packets(stream: ElementaryStream) -> dict[str, object]:
    words = [stream.kind, f"registration {stream.registration}" if stream.registration else ""]
    return {
        "id": stream.pid,
        "first_pts_s": stream.first_pts_s,
        "last_pts_s": stream.last_pts_s,
        "content": ", ".join(word for word in words if word),
    }
