"""Telemetry of one file: which readers are asked, and which of several tracks is the record's."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO, Final

from app.analysis.gathered import Gathered
from app.analysis.normalise_video import movie_place
from app.analysis.probes.data_tracks import read_movie_tracks, read_stream_klv
from app.analysis.probes.gpmf_track import read_gpmf, split_raw
from app.analysis.probes.klv_track import read_klv
from app.analysis.probes.readings import Readings, Remark, unreadable
from app.analysis.probes.srt import MAX_BYTES, read_blocks, read_srt
from app.analysis.probes.telemetry import Telemetry

_VERSION: Final = "1"
_MAX_RAW: Final = 256 * 1024 * 1024


def read_data_tracks(gathered: Gathered, stream: BinaryIO, path: Path) -> frozenset[int]:
    """Read the data tracks of a recording.

    Returns:
        Indexes of the container's streams that were read here.
    """
    if gathered.type.format in {"MP4", "QuickTime", "3GPP"}:
        found = read_movie_tracks(stream, gathered.size)
    elif gathered.type.format == "MPEG-TS":
        found = _stream_tracks(gathered, path)
    else:
        return frozenset()
    for _, track in found:
        gathered.tracks.append(track)
    return frozenset(index for index, track in found if track.points)


def _stream_tracks(gathered: Gathered, path: Path) -> list[tuple[int, Telemetry]]:
    import av

    try:
        return read_stream_klv(path)
    except MemoryError:
        raise
    except (OSError, ValueError, EOFError, RuntimeError, IndexError, av.error.FFmpegError) as error:
        gathered.remarks.append(unreadable(f"data streams ({type(error).__name__})"))
        return []


def read_subtitle_track(gathered: Gathered) -> None:
    """The flight log among a recording's subtitles, with the movie's own location as a witness of its axis order."""
    if gathered.video is None or not gathered.video.subtitles:
        return
    lat, lon, _ = movie_place(gathered)
    location = None if lat is None or lon is None else (lat.value, lon.value)
    track = read_blocks(gathered.video.subtitles, "subtitle stream", location)
    if track.points:
        gathered.tracks.append(track)


def read_subtitle_file(gathered: Gathered, stream: BinaryIO, _path: Path) -> None:
    """A SubRip file."""
    stream.seek(0)
    gathered.tracks.append(read_srt(stream.read(MAX_BYTES).decode("utf-8-sig", "replace")))
    if gathered.size > MAX_BYTES:
        gathered.remarks.append(Remark("structure_too_large", f"only the first {MAX_BYTES} bytes were read"))


def read_gpmf_file(gathered: Gathered, stream: BinaryIO, _path: Path) -> None:
    """A GPMF stream without a container."""
    stream.seek(0)
    gathered.tracks.append(read_gpmf(split_raw(stream.read(_MAX_RAW)), "gpmf"))
    _too_large(gathered)


def read_klv_file(gathered: Gathered, stream: BinaryIO, _path: Path) -> None:
    """MISB packets without a container."""
    stream.seek(0)
    gathered.tracks.append(read_klv([(None, stream.read(_MAX_RAW))], "klv"))
    _too_large(gathered)


def _too_large(gathered: Gathered) -> None:
    if gathered.size > _MAX_RAW:
        gathered.remarks.append(Remark("structure_too_large", f"only the first {_MAX_RAW} bytes were read"))


def settle_tracks(gathered: Gathered) -> None:
    """Take the track with the most usable positions, the first of equals; say of the others that they are there."""
    for track in gathered.tracks:
        gathered.remarks += track.remarks
        if track.texts:
            dump = Readings(track.source, _VERSION)
            for name, text in track.texts.items():
                dump.put(name, text)
            gathered.dumps.append(dump)
    filled = [track for track in gathered.tracks if track.points]
    if not filled:
        return
    gathered.track = max(filled, key=lambda track: (sum(p.usable for p in track.points), len(track.points)))
    for track in filled:
        if track is not gathered.track:
            placed = sum(point.lat is not None for point in track.points)
            text = (
                f"another track is in the file and not in this record: {track.source}, {track.dialect}, "
                f"{len(track.points)} samples, {placed} with a position"
            )
            gathered.remarks.append(Remark("track_other", text))
