"""Hand a recording to the readers of its container, and write down what each of them read."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO, Final

from app.analysis.gathered import Gathered
from app.analysis.probes.matroska import MatroskaFacts, read_matroska
from app.analysis.probes.movie import MovieBoxes
from app.analysis.probes.readings import Readings
from app.analysis.probes.riff import RiffFacts, read_riff
from app.analysis.probes.traces import read_traces
from app.analysis.probes.transport import TransportFacts, read_transport
from app.analysis.probes.video import DEMUXERS

READER_VERSION: Final = "2"


def movie_dump(movie: MovieBoxes) -> Readings:
    """What the boxes state, tag by tag."""
    dump = Readings("boxes", READER_VERSION)
    if movie.brand is not None:
        dump.put("ftyp", f"{movie.brand} {movie.minor_version} {' '.join(movie.compatible)}")
    for texts in (movie.texts, movie.keys, movie.items, movie.gopro, movie.camera_xml):
        for code, text in texts.items():
            dump.put(code, text)
    for path, picture in movie.pictures:
        dump.put(f"picture in {path}", f"{len(picture)} bytes, whose EXIF was read")
    if movie.location_text is not None:
        dump.put("loci", movie.location_text)
    if movie.created is not None:
        dump.put("mvhd creation_time", movie.created.isoformat())
    if movie.modified is not None:
        dump.put("mvhd modification_time", movie.modified.isoformat())
    for number, track in enumerate(movie.tracks, 1):
        edits = " ".join(f"{edit.duration_s}@{edit.start_s}x{edit.rate}" for edit in track.edits)
        words = (track.id, track.handler, track.handler_name, *track.entries, track.compressor, edits)
        dump.put(f"track {number}", " | ".join(str(word) for word in words if word))
        if track.timecode is not None:
            dump.put(f"track {number} tmcd", f"{track.timecode.raw} at {track.timecode.frames} a second")
    return dump


def read_structure(gathered: Gathered, stream: BinaryIO) -> None:
    """Read what a Matroska, AVI or transport stream states of itself."""
    if gathered.type.format in {"Matroska", "WebM"}:
        gathered.matroska = read_matroska(stream, gathered.size)
        gathered.remarks += gathered.matroska.remarks
        gathered.dumps.append(_matroska_dump(gathered.matroska))
    elif gathered.type.format == "AVI":
        gathered.riff = read_riff(stream, gathered.size)
        gathered.remarks += gathered.riff.remarks
        gathered.dumps.append(_riff_dump(gathered.riff))
    elif gathered.type.format == "MPEG-TS":
        gathered.transport = read_transport(stream, gathered.size)
        gathered.remarks += gathered.transport.remarks
        gathered.dumps.append(_transport_dump(gathered.transport))


def read_into_packets(gathered: Gathered, path: Path) -> None:
    """What encoders and recorders left in the first packets."""
    if gathered.video is None or not gathered.video.streams:
        return
    gathered.traces = read_traces(path, DEMUXERS.get(gathered.type.format))
    dump = Readings("packets", READER_VERSION)
    for name, text in gathered.traces.texts.items():
        dump.put(name, text)
    if gathered.traces.clock is not None:
        dump.put("AVCHD recording date", gathered.traces.clock)
    if dump.tags:
        gathered.dumps.append(dump)


def _matroska_dump(facts: MatroskaFacts) -> Readings:
    dump = Readings("matroska", READER_VERSION)
    for name, text in facts.texts.items():
        dump.put(name, text)
    if facts.date_raw is not None:
        dump.put("DateUTC", facts.date_raw)
    for name, text in facts.tags.items():
        dump.put(f"tag {name}", text)
    for track in facts.tracks:
        dump.put(f"track {track.get('number', '?')}", " | ".join(f"{key} {text}" for key, text in track.items()))
    for name in facts.attachments:
        dump.put("attachment", name)
    return dump


def _riff_dump(facts: RiffFacts) -> Readings:
    dump = Readings("riff", READER_VERSION)
    for name, text in facts.texts.items():
        dump.put(name, text)
    for number, text in enumerate(facts.streams):
        dump.put(f"stream {number} strh", text)
    return dump


def _transport_dump(facts: TransportFacts) -> Readings:
    dump = Readings("mpegts", READER_VERSION)
    dump.put("packet length", facts.packet_bytes)
    for program in facts.programs.values():
        names = " ".join(name for name in (program.provider, program.service) if name)
        dump.put(f"program {program.number}", f"PMT {program.pmt_pid} PCR {program.pcr_pid} {names}".strip())
        for one in program.streams:
            words = [one.kind, one.registration, one.first_pts_s, one.last_pts_s]
            dump.put(f"PID {one.pid}", " | ".join(str(word) for word in words if word is not None))
    return dump
